package import ImageDecoding
import Synchronization

/// A locator's folder at work: decoded pictures in, faces out.
///
/// It computes each picture alone and on one thread, so that the workers of one release find the same boxes to the bit,
/// whatever else they are set to.
///
/// Any thread may call. Up to ``concurrency`` calls compute at once, each with a request of its own to the one compiled
/// network; more wait for one another.
package final class Locator: Sendable {
    package let manifest: Manifest
    private let preprocessor: Preprocessor
    private let reading: CellReading
    private let slots: [Slot]

    /// A request, which one call at a time computes with. An array cannot hold a mutex itself.
    private final class Slot: Sendable {
        let request: Mutex<Network.Request>

        init(_ network: Network) throws(InferenceError) {
            request = Mutex(try Network.Request(network, maximumBatch: 1))
        }
    }

    /// How many calls compute at once.
    package var concurrency: Int { slots.count }

    /// Reads, checks and compiles the locator in `folder`.
    ///
    /// - Parameters:
    ///   - cacheFolder: where compiled networks are kept; nil: nowhere.
    ///   - concurrency: how many threads are going to locate at once, at least 1.
    /// - Throws: ``InferenceError`` that names the file and the field.
    package init(
        folder: String, engine: Engine, cacheFolder: String? = nil, concurrency: Int = 1
    ) throws(InferenceError) {
        precondition(concurrency > 0)
        let manifest = try Manifest.load(folder: folder)
        guard case .faces(let score, let overlap, let turned) = manifest.output.kind else {
            throw InferenceError(
                .manifestInvalid,
                "\(manifest.path("manifest.json")): output.kind is \(manifest.output.kind.text), and a locator's is faces: name the folder of a locator"
            )
        }
        try WeightsCheck.run(manifest)
        self.manifest = manifest
        preprocessor = Preprocessor(manifest: manifest)
        reading = CellReading(side: manifest.input.width, score: score, overlap: overlap, turned: turned)
        let network = try Network(
            manifest: manifest, engine: engine, threads: 1, requests: concurrency, cacheFolder: cacheFolder)
        slots = try (0..<concurrency).map { _ throws(InferenceError) in try Slot(network) }
    }

    /// The faces of a picture, the largest first.
    ///
    /// - Throws: an error of the engine.
    package func faces(in picture: DecodedImage) throws(InferenceError) -> [Face] {
        let image = picture.image
        let fitted = Framing.fitted(width: image.width, height: image.height, side: reading.side)
        let scale = Double(picture.reduction)
        let view = CellReading.View(
            width: picture.width, height: picture.height, fitted: fitted,
            scaleX: Double(image.width) / Double(fitted.width) * scale,
            scaleY: Double(image.height) / Double(fitted.height) * scale)
        var passes = [CellReading.Pass(cells: try cells(of: image))]
        if reading.looksAgain(after: passes[0]) {
            for quarters in 1...3 {
                passes.append(CellReading.Pass(cells: try cells(of: image, turned: quarters), quarters: quarters))
            }
        }
        return reading.faces(passes, in: view)
    }

    /// Sends the manifest's canary through the network.
    ///
    /// - Returns: the highest logit of all cells; nil when the manifest names no canary.
    /// - Throws: ``InferenceError`` when the picture cannot be read or the logit is out of tolerance.
    @discardableResult
    package func runCanary() throws(InferenceError) -> Float? {
        try manifest.runCanary { image throws(InferenceError) in
            let cells = try cells(of: image)
            return stride(from: 0, to: cells.count, by: CellReading.valuesPerCell).map { cells[$0] }.max() ?? .nan
        }
    }

    /// What the network says of an image, turned clockwise by so many quarters.
    private func cells(of image: RGBImage, turned quarters: Int = 0) throws(InferenceError) -> [Float] {
        func cells(_ request: inout Network.Request) throws(InferenceError) -> [Float] {
            try request.run(count: 1) { preprocessor.writeWhole(image, turned: quarters, into: $0) }.values
        }
        for slot in slots {
            let cells = try slot.request.withLockIfAvailable { request throws(InferenceError) in try cells(&request) }
            if let cells { return cells }
        }
        return try slots[0].request.withLock { request throws(InferenceError) in try cells(&request) }
    }
}

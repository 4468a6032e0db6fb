package import ImageDecoding
import Synchronization

/// A loaded locator: finds faces in decoded images.
///
/// Each image is computed alone and on one thread, so workers of one release find exactly the same boxes whatever their
/// settings.
///
/// Any thread may call it. Up to ``concurrency`` calls compute at once, each with its own request to the shared
/// compiled network. Further calls wait.
package final class Locator: Sendable {
    package let manifest: Manifest
    /// Whether the engine makes code while the locator runs, which it does not for a network with a fixed batch of one.
    package let makesCode: Bool
    private let preprocessor: Preprocessor
    private let reading: CellReading
    private let slots: [Slot]

    /// A request that one call at a time uses. It is a class because an array cannot hold a mutex directly.
    private final class Slot: Sendable {
        let request: Mutex<Network.Request>

        init(_ network: Network) throws(InferenceError) {
            request = Mutex(try Network.Request(network, maximumBatch: 1))
        }
    }

    /// The number of calls that compute at once.
    package var concurrency: Int { slots.count }

    /// Reads, checks and compiles the locator in `folder`.
    ///
    /// - Parameters:
    ///   - folder: The locator's folder.
    ///   - engine: The inference engine.
    ///   - cacheFolder: The folder for compiled networks; nil: none are cached.
    ///   - concurrency: The number of threads that will locate at once; at least 1.
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
        makesCode = network.makesCode
        slots = try (0..<concurrency).map { _ throws(InferenceError) in try Slot(network) }
    }

    /// Returns the faces of an image, the largest first.
    ///
    /// - Throws: ``InferenceError`` if the engine fails.
    package func faces(in decoded: DecodedImage) throws(InferenceError) -> [Face] {
        let image = decoded.image
        let fitted = Framing.fitted(width: image.width, height: image.height, side: reading.side)
        let scale = Double(decoded.reduction)
        let view = CellReading.View(
            width: decoded.width, height: decoded.height, fitted: fitted,
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

    /// Runs the network on the manifest's canary image.
    ///
    /// - Returns: The highest logit of all cells; nil if the manifest names no canary.
    /// - Throws: ``InferenceError`` if the image cannot be read or the logit is out of tolerance.
    @discardableResult
    package func runCanary() throws(InferenceError) -> Float? {
        try manifest.runCanary { image throws(InferenceError) in
            let cells = try cells(of: image)
            return stride(from: 0, to: cells.count, by: CellReading.valuesPerCell).map { cells[$0] }.max() ?? .nan
        }
    }

    /// Returns the network's output for an image turned clockwise by `quarters` × 90°.
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

import Files
import Glibc
import Hashing
import Synchronization

/// A model's score for one crop.
package struct Score: Equatable, Sendable {
    /// The calibrated logit of "AI-generated".
    package let logit: Float
    /// The places in the crop that speak for the verdict; nil if the network has no map.
    package let evidence: Evidence?
}

/// A loaded scoring model: turns crops into calibrated logits.
///
/// Loading goes from `Manifest` (the contents of the folder) over the SHA-256 of the weights to `Network` (compiled by
/// the ``Engine`` and checked against the manifest). ``score(crops:afterPass:)`` runs forward passes on crops that a
/// ``ImageCutter`` cut and calibrates the output.
///
/// Any thread may call it; calls wait for one another.
package final class Model: Sendable {
    /// How the cache of compiled networks was used when the model was loaded.
    package enum CacheUse: Equatable, Sendable {
        /// No cache folder was given.
        case off
        /// The network was compiled and cached for the next start.
        case written
        /// The network came from the cache.
        case used
        /// The cache cannot be used, for this reason. This only slows down starts.
        case failed(String)
    }

    package let manifest: Manifest
    /// The identity of the weights: `sha256:` and 64 hexadecimal digits.
    package let digest: String
    private let preprocessor: Preprocessor
    /// The most crops of one forward pass; 1 if the network's batch is fixed. ``score(crops:afterPass:)`` makes as many
    /// passes as it needs, each of a power of two of crops.
    package let imagesPerPass: Int
    /// The most crops that there is memory for at once.
    package let maximumBatch: Int
    package let cacheUse: CacheUse
    private let request: Mutex<Network.Request>

    /// Reads, checks and compiles the model in `folder`.
    ///
    /// - Parameters:
    ///   - folder: The model folder.
    ///   - engine: The inference engine.
    ///   - precision: The number format to serve; nil: the manifest's.
    ///   - threads: The number of threads that compute; at least 1.
    ///   - cacheFolder: The folder for compiled networks, created if missing, which makes later starts several times
    ///     faster; nil: none are cached.
    ///   - maximumBatch: The most crops computed together; at least 1. Memory grows with it.
    /// - Throws: ``InferenceError`` that names the file and the field.
    package init(
        folder: String, engine: Engine, precision: Manifest.Precision? = nil, threads: Int = 1,
        cacheFolder: String? = nil, maximumBatch: Int = 16
    ) throws(InferenceError) {
        precondition(threads > 0 && maximumBatch > 0)
        let manifest = try Manifest.load(folder: folder, precision: precision)
        if case .faces = manifest.output.kind {
            throw InferenceError(
                .manifestInvalid,
                "\(manifest.path("manifest.json")): output.kind is faces, and that is a locator: name the folder of a model that scores"
            )
        }
        try WeightsCheck.run(manifest)
        let network = try Network(manifest: manifest, engine: engine, threads: threads, cacheFolder: cacheFolder)
        let request = try Network.Request(network, maximumBatch: maximumBatch)
        self.manifest = manifest
        self.digest = "sha256:" + manifest.sha256
        self.preprocessor = Preprocessor(manifest: manifest)
        self.imagesPerPass = request.imagesPerPass
        self.maximumBatch = maximumBatch
        self.cacheUse = network.cache
        self.request = Mutex(request)
    }

    /// Scores crops together, in as many passes as needed.
    ///
    /// - Parameters:
    ///   - crops: The bytes of whole crops according to ``Manifest/cropGeometry``, one after another.
    ///   - afterPass: Called after every ``maximumBatch`` crops and at the end, because many crops take long.
    /// - Returns: Each crop's score or error, in the order of the crops.
    /// - Throws: ``InferenceError`` if the engine fails; then no crop has a score.
    package func score(
        crops: UnsafeRawBufferPointer, afterPass: () -> Void = {}
    ) throws(InferenceError) -> [Result<Score, InferenceError>] {
        let bytes = manifest.cropGeometry.byteCount
        precondition(crops.count % bytes == 0, "\(crops.count) bytes are no whole crops")
        let each = manifest.valuesPerImage
        var results: [Result<Score, InferenceError>] = []
        results.reserveCapacity(crops.count / bytes)
        var rest = crops[...]
        while !rest.isEmpty {
            let pass = rest.prefix(maximumBatch * bytes)
            let count = pass.count / bytes
            let answer = try request.withLock { request throws(InferenceError) in
                try request.run(count: count) {
                    preprocessor.write(crops: UnsafeRawBufferPointer(rebasing: pass), into: $0)
                }
            }
            for index in 0..<count {
                let logit = manifest.calibratedLogit(answer.values[(index * each)..<((index + 1) * each)])
                results.append(
                    logit.map { logit in
                        Score(logit: logit, evidence: Evidence(of: index, in: answer, logit, manifest.calibration))
                    })
            }
            rest = rest.dropFirst(pass.count)
            afterPass()
        }
        return results
    }

    /// Scores the central square of the manifest's canary image.
    ///
    /// - Returns: Its calibrated logit; nil if the manifest names no canary.
    /// - Throws: ``InferenceError`` if the image cannot be read or its logit is out of tolerance.
    @discardableResult
    package func runCanary() throws(InferenceError) -> Float? {
        try manifest.runCanary { image throws(InferenceError) in
            let crop = Cropper.centralSquare(image, width: manifest.input.width, height: manifest.input.height)
            return try crop.withUnsafeBufferPointer { crop throws(InferenceError) in
                try score(crops: UnsafeRawBufferPointer(crop))[0].get().logit
            }
        }
    }
}

/// Checks that the network's file is the one that the manifest describes.
enum WeightsCheck {
    static func run(_ manifest: Manifest) throws(InferenceError) {
        let path = manifest.path(manifest.file)
        let found = Files.withMapped(path) { bytes in
            (digest: SHA256.hexDigest(of: bytes), pointsElsewhere: pointsElsewhere(bytes))
        }
        guard let found else {
            throw InferenceError(
                .weightsMissing,
                "\(path) cannot be read (\(Files.reason)): put the network there, or correct file in the manifest")
        }
        guard found.digest == manifest.sha256 else {
            throw InferenceError(
                .weightsMismatch,
                "\(path) has the SHA-256 \(found.digest), not the manifest's \(manifest.sha256): restore the file or the manifest"
            )
        }
        guard !found.pointsElsewhere else {
            throw InferenceError(
                .weightsMismatch,
                "\(path) keeps weights in another file, which its SHA-256 does not cover: export it with all weights inside"
            )
        }
    }

    /// Returns whether an ONNX file refers to external data, by a `StringStringEntryProto` with the key "location".
    private static func pointsElsewhere(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let key: [UInt8] = [0x0A, 8] + "location".utf8 + [0x12]
        guard var rest = bytes.baseAddress, bytes.count >= key.count else { return false }
        let end = rest + (bytes.count - key.count + 1)
        while rest < end, let hit = memchr(rest, Int32(key[0]), end - rest) {
            if memcmp(hit, key, key.count) == 0 { return true }
            rest = UnsafeRawPointer(hit) + 1
        }
        return false
    }
}

import Glibc
import Hashing
public import ImageDecoding
import Synchronization

/// A model folder at work: pictures' tensors in, calibrated logits out.
///
/// From front to back: `Manifest` (what the folder says) → the weights' SHA-256 → `Network` (compiled by the ``Engine``,
/// checked against the manifest) → ``Preprocessor`` (picture to tensor) → ``score(count:_:)`` (forward passes) →
/// calibration.
///
/// Any thread may call; calls wait for one another.
public final class Model: Sendable {
    /// What became of the cache of compiled networks when the model was loaded.
    public enum CacheUse: Equatable, Sendable {
        /// No cache folder was given.
        case off
        /// The network was compiled and, for the next start, kept.
        case written
        /// The network came from the cache.
        case used
        /// The cache cannot be used, which only makes starts slower; the reason.
        case failed(String)
    }

    public let manifest: Manifest
    /// The weights' identity, `sha256:` and 64 hexadecimal digits.
    public let digest: String
    public let preprocessor: Preprocessor
    /// The most pictures of one forward pass: 1 when the network's batch is fixed. A call of ``score(count:_:)`` makes as
    /// many passes as it needs, each of a power of two of pictures.
    public let imagesPerPass: Int
    /// The most pictures of one call of ``score(count:_:)``.
    public let maximumBatch: Int
    public let cacheUse: CacheUse
    private let network: Mutex<Network>

    /// Reads, checks and compiles the model in `folder`.
    ///
    /// - Parameters:
    ///   - threads: how many threads compute, at least 1.
    ///   - cacheFolder: where compiled networks are kept, which makes later starts several times faster; made when missing.
    ///     nil: nowhere.
    ///   - maximumBatch: the most pictures of one call of ``score(count:_:)``; memory grows with it.
    /// - Throws: ``InferenceError`` that names the file and the field.
    public init(
        folder: String, engine: Engine, threads: Int = 1, cacheFolder: String? = nil, maximumBatch: Int = 16
    ) throws(InferenceError) {
        precondition(threads > 0 && maximumBatch > 0)
        let manifest = try Manifest.load(folder: folder)
        try WeightsCheck.run(manifest)
        let network = try Network(
            manifest: manifest, engine: engine, threads: threads, cacheFolder: cacheFolder, maximumBatch: maximumBatch)
        self.manifest = manifest
        self.digest = "sha256:" + manifest.sha256
        self.preprocessor = Preprocessor(manifest: manifest)
        self.imagesPerPass = network.imagesPerPass
        self.maximumBatch = maximumBatch
        self.cacheUse = network.cache
        self.network = Mutex(network)
    }

    /// Scores pictures together.
    ///
    /// - Parameters:
    ///   - count: how many, 1…``maximumBatch``.
    ///   - fill: writes their tensors, one after the other, each by ``Preprocessor/write(_:into:)``.
    /// - Returns: a picture's calibrated logit of "AI-generated", or the error of that picture alone, in their order.
    /// - Throws: an error of the engine, which leaves all of them without a score.
    public func score(
        count: Int, _ fill: (UnsafeMutableBufferPointer<Float>) -> Void
    ) throws(InferenceError) -> [Result<Float, InferenceError>] {
        precondition((1...maximumBatch).contains(count), "\(count) pictures are not 1 to \(maximumBatch)")
        let values = try network.withLock { network throws(InferenceError) in try network.run(count: count, fill) }
        let each = values.count / count
        return (0..<count).map { manifest.calibratedLogit(values[($0 * each)..<(($0 + 1) * each)].map { $0 }) }
    }

    /// Preprocesses and scores pictures together, at most ``maximumBatch``.
    public func score(_ images: [RGBImage]) throws(InferenceError) -> [Result<Float, InferenceError>] {
        let elements = preprocessor.elementCount
        return try score(count: images.count) { tensors in
            for (index, image) in images.enumerated() {
                let tensor = tensors[(index * elements)..<((index + 1) * elements)]
                preprocessor.write(image, into: UnsafeMutableBufferPointer(rebasing: tensor))
            }
        }
    }

    /// Sends the manifest's canary through the whole path, from file to logit.
    ///
    /// - Returns: its calibrated logit; nil when the manifest names none.
    /// - Throws: ``InferenceError`` when the picture cannot be read or its score is out of tolerance.
    @discardableResult
    public func runCanary(decoder: ImageDecoder = ImageDecoder()) throws(InferenceError) -> Float? {
        guard let canary = manifest.canary else { return nil }
        let path = manifest.path(canary.file)
        guard let bytes = Files.contents(of: path, limit: decoder.limits.bytes) else {
            throw InferenceError(
                .canaryFailed,
                "\(path) cannot be read (\(Files.reason)): restore it, or take canary out of the manifest")
        }
        let image: RGBImage
        do {
            image = try decoder.decode(bytes, minimumSide: preprocessor.minimumSide).image
        } catch {
            throw InferenceError(.canaryFailed, "\(path) cannot be decoded (\(error)): restore it", cause: error)
        }
        let logit = try score([image])[0].get()
        guard abs(Double(logit) - canary.logit) <= canary.tolerance else {
            throw InferenceError(
                .canaryFailed,
                """
                \(path) gets the logit \(logit) instead of \(canary.logit) ± \(canary.tolerance): this machine does not \
                compute model \(manifest.name) as it was made; clear the engine's cache, or correct canary.logit if the \
                model was changed on purpose
                """)
        }
        return logit
    }
}

/// That the network's file is the one the manifest means.
private enum WeightsCheck {
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

    /// Whether an ONNX file names external data: a `StringStringEntryProto` with the key "location".
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

public import ImageDecoding
public import Inference
public import Logging

/// A model folder served by the engine.
public final class ModelScorer: Scorer {
    public let identity: ModelIdentity
    private let model: Model
    /// The tensors of the next batch. How many pictures it has is known when all are decoded, and only then can the
    /// engine's own memory be filled.
    private var staged: [Float]

    /// Loads the engine and the model, and has the model score its canary.
    ///
    /// - Parameters:
    ///   - threads: how many threads compute a batch.
    ///   - cacheFolder: where compiled models are kept; nil: nowhere.
    ///   - maxBatch: the most pictures of a batch.
    /// - Throws: why this model cannot be served here.
    public init(
        folder: String, threads: Int, cacheFolder: String?, maxBatch: Int, logger: Logger
    ) throws(InferenceError) {
        model = try Model(
            folder: folder, engine: Engine.load(), threads: threads, cacheFolder: cacheFolder, maximumBatch: maxBatch)
        if case .failed(let reason) = model.cacheUse {
            logger.warning("compiled model could not be kept for the next start", metadata: ["reason": "\(reason)"])
        }
        try model.runCanary()
        identity = ModelIdentity(
            name: model.manifest.name, version: model.manifest.version, digest: model.digest,
            metrics: model.manifest.metrics)
        staged = Array(repeating: 0, count: maxBatch * model.preprocessor.elementCount)
    }

    public var minimumSide: Int? { model.preprocessor.minimumSide }

    public func place(_ image: RGBImage, at index: Int) {
        let preprocessor = model.preprocessor
        staged.withUnsafeMutableBufferPointer { staged in
            let tensor = staged[index * preprocessor.elementCount..<(index + 1) * preprocessor.elementCount]
            preprocessor.write(image, into: UnsafeMutableBufferPointer(rebasing: tensor))
        }
    }

    public func score(count: Int) throws -> [Result<Float, any Error>] {
        let elements = staged.prefix(count * model.preprocessor.elementCount)
        let logits = try model.score(count: count) { tensors in
            _ = tensors.update(fromContentsOf: elements)
        }
        return logits.map { $0.mapError { $0 } }
    }
}

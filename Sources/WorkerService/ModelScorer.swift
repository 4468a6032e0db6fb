internal import ImageDecoding
internal import Inference
public import Logging
public import Settings
public import Wire

/// A model folder served by the engine, and the locator that its manifest may ask for.
public final class ModelScorer: Scorer {
    public let identity: ModelIdentity
    private let model: Model
    private let reader: PictureReader
    /// The next batch. How many regions it has is known when all files are decoded, and only then can the engine's own
    /// memory be filled.
    private var tensors: [Float] = []
    /// What each of its tensors shows.
    private var shown: [(box: FaceBox?, square: FaceBox, turn: Turn)] = []

    /// Loads the engine, the model and, if the model looks at faces, the locator, and has both score their canaries.
    ///
    /// - Throws: why this model cannot be served here.
    public init(settings: WorkerSettings, logger: Logger) throws {
        let engine = try Engine.load()
        model = try Model(
            folder: settings.model, engine: engine,
            precision: settings.precision.flatMap(Manifest.Precision.init(rawValue:)), threads: settings.threads,
            cacheFolder: settings.cacheFolder, maximumBatch: settings.maxBatch)
        if case .failed(let reason) = model.cacheUse {
            logger.warning("compiled model could not be kept for the next start", metadata: ["reason": "\(reason)"])
        }
        try model.runCanary()
        let manifest = model.manifest
        var locator: Locator?
        if manifest.crop.needsLocator {
            locator = try Locator(
                folder: settings.locator ?? settings.model + "/../locator", engine: engine,
                cacheFolder: settings.cacheFolder)
            try locator?.runCanary()
        }
        reader = PictureReader(model: model, locator: locator, decoder: ImageDecoder(limits: settings.decodeLimits))
        identity = ModelIdentity(
            name: manifest.name, version: manifest.version, digest: model.digest, metrics: manifest.metrics)
    }

    public func place(_ file: UnsafeRawBufferPointer) throws -> PlacedPicture {
        let reading = try reader.read(file, appendingTo: &tensors)
        shown += reading.boxes.indices.map { (reading.boxes[$0], reading.squares[$0], reading.turns[$0]) }
        return PlacedPicture(
            format: reading.format == .jpeg ? .jpeg : .png, width: reading.width, height: reading.height,
            regions: reading.boxes.count, facesFound: reading.facesFound)
    }

    public func score(step: () -> Void) throws -> [Result<WorkerMessage.Region, any Error>] {
        // Not kept for the next batch: a few pictures of many faces would hold their memory for ever.
        defer {
            tensors = []
            shown = []
        }
        return zip(shown, try model.score(tensors, afterPass: step)).map { shown, result in
            Result {
                let score = try result.get()
                return WorkerMessage.Region(
                    box: shown.box.map(Box.init), turned: shown.turn == .upright ? nil : shown.turn.degrees,
                    logit: score.logit, map: score.evidence.map { HeatMap($0, of: Box(shown.square)) })
            }
        }
    }
}

extension HeatMap {
    init(_ evidence: Evidence, of square: Box) {
        self.init(square: square, width: evidence.width, height: evidence.height, cells: evidence.cells)
    }
}

extension Box {
    /// - Precondition: no side is longer than 2³¹ - 1 pixels, which no decoder's limit allows.
    init(_ box: FaceBox) {
        self.init(x: Int32(box.x), y: Int32(box.y), width: Int32(box.width), height: Int32(box.height))
    }
}

extension WorkerSettings {
    var decodeLimits: DecodeLimits {
        DecodeLimits(
            bytes: imageBytes, pixels: imagePixels, scans: imageScans, memory: imageMemory, time: imageTime)
    }
}

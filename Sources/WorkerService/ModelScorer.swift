internal import ImageDecoding
internal import Inference
public import Logging
public import Settings
public import Wire

/// A model folder served by the engine, and the locator that its manifest may ask for.
public final class ModelScorer: Scorer {
    public let identity: ModelIdentity
    private let model: Model
    private let cutter: PictureCutter
    /// The crops of the next batch.
    private var crops: [UInt8] = []
    /// What each of its crops shows.
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
        cutter = PictureCutter(locator: locator, decoder: ImageDecoder(limits: settings.decodeLimits))
        identity = ModelIdentity(
            name: manifest.name, version: manifest.version, digest: model.digest, metrics: manifest.metrics)
    }

    public func place(_ file: UnsafeRawBufferPointer) throws -> PlacedPicture {
        let cut = try cutter.cut(file, as: [model.manifest.cropSpecification])
        crops += cut.crops[0].pixels
        let squares = cut.crops[0].squares
        shown +=
            cut.faces.isEmpty
            ? squares.map { (nil, $0, .upright) } : zip(cut.faces, squares).map { ($0.box, $1, $0.turn) }
        return PlacedPicture(
            format: cut.format == .jpeg ? .jpeg : .png, width: cut.width, height: cut.height, regions: squares.count,
            facesFound: cut.facesFound)
    }

    public func score(step: () -> Void) throws -> [Result<WorkerMessage.Region, any Error>] {
        // Not kept for the next batch: a few pictures of many faces would hold their memory for ever.
        defer {
            crops = []
            shown = []
        }
        let scores = try crops.withUnsafeBytes { try model.score(crops: $0, afterPass: step) }
        return zip(shown, scores).map { shown, result in
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

internal import BifronsWire
internal import ImageDecoding
internal import Inference
internal import Logging
internal import Settings

extension HostedModel {
    /// Loads what the settings ask for: a locator if the model's output is faces, otherwise a network; or what finds a
    /// kind of evidence.
    ///
    /// - Throws: The reason why this worker cannot serve here.
    static func load(_ settings: WorkerSettings, logger: Logger) throws -> HostedModel {
        switch try settings.task() {
        case .provenance(let trust): return .evidence(try ProvenanceExaminer(trust: trust))
        case .known(let folder):
            return .evidence(try KnownExaminer(folder: folder, limits: settings.decodeLimits, logger: logger))
        case .model(let folder):
            let engine = try Engine.load()
            if case .faces = try Manifest.load(folder: folder).output.kind {
                return .locator(try LocatorCutter(folder, settings, engine))
            }
            return .network(try ModelScorer(folder, settings, engine, logger))
        }
    }
}

/// A locator that runs in the inference engine.
private struct LocatorCutter: Cutter {
    let identity: ModelIdentity
    let preprocessing = UInt16(Manifest.preprocessing)
    let makesCode: Bool
    private let cutter: ImageCutter

    /// Loads the locator and checks it with its canary.
    init(_ folder: String, _ settings: WorkerSettings, _ engine: Engine) throws {
        let locator = try Locator(
            folder: folder, engine: engine, cacheFolder: settings.cacheFolder,
            concurrency: settings.decodeThreads)
        try locator.runCanary()
        makesCode = locator.makesCode
        let manifest = locator.manifest
        identity = ModelIdentity(
            name: manifest.name, version: manifest.version, digest: "sha256:" + manifest.sha256,
            metrics: manifest.metrics)
        cutter = ImageCutter(locator: locator, decoder: ImageDecoder(limits: settings.decodeLimits))
    }

    func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutImage {
        let cut = try cutter.cut(file, as: specifications.map { CropGeometry($0) })
        return CutImage(
            format: ImageInformation.Format(cut.format), isAnimated: cut.isAnimated, width: cut.width,
            height: cut.height,
            faces: cut.faces.map { face, turn in
                WorkerMessage.Face(box: Box(face), turned: turn == .upright ? nil : turn.degrees)
            },
            facesFound: cut.facesFound, sets: cut.crops.map { ($0.squares.map { Box($0) }, $0.pixels) })
    }
}

/// A network that runs in the inference engine.
private struct ModelScorer: Scorer {
    let identity: ModelIdentity
    let specification: CropSpecification
    private let model: Model

    /// Loads the model and checks it with its canary.
    init(_ folder: String, _ settings: WorkerSettings, _ engine: Engine, _ logger: Logger) throws {
        model = try Model(
            folder: folder, engine: engine,
            precision: settings.precision.flatMap(Manifest.Precision.init(rawValue:)), threads: settings.threads,
            cacheFolder: settings.cacheFolder, maximumBatch: settings.maxBatch)
        if case .failed(let reason) = model.cacheUse {
            logger.warning("cannot cache the compiled model for the next start", metadata: ["reason": "\(reason)"])
        }
        try model.runCanary()
        let manifest = model.manifest
        specification = try CropSpecification(manifest.cropGeometry, folder: folder)
        identity = ModelIdentity(
            name: manifest.name, version: manifest.version, digest: model.digest, metrics: manifest.metrics)
    }

    func score(
        _ crops: UnsafeRawBufferPointer, step: () -> Void
    ) throws -> [Result<WorkerMessage.CropScore, any Error>] {
        try model.score(crops: crops, afterPass: step).map { result in
            result.map { WorkerMessage.CropScore(logit: $0.logit, map: $0.evidence.map { EvidenceMap($0) }) }
                .mapError { $0 }
        }
    }
}

extension CropGeometry {
    init(_ wire: CropSpecification) {
        let kind: Kind =
            switch wire.kind {
            case .face(let margin): .face(margin: margin)
            case .centralSquare: .centralSquare
            }
        self.init(kind: kind, width: Int(wire.width), height: Int(wire.height))
    }
}

extension CropSpecification {
    /// Creates the specification that a manifest asks for.
    ///
    /// - Parameters:
    ///   - own: The crops that the manifest asks for.
    ///   - folder: The manifest's folder, for the error.
    /// - Throws: ``UnfitWorker`` if locators cannot make or send such crops.
    init(_ own: CropGeometry, folder: String) throws(UnfitWorker) {
        func unfit(_ reason: String) -> UnfitWorker {
            UnfitWorker(description: "\(folder)/manifest.json: \(reason)")
        }
        let kind: Kind
        switch own.kind {
        case .face(let margin):
            guard Limits.cropMargins.contains(margin) else {
                throw unfit(
                    "crop.margin is \(margin), and locators cut with \(Limits.cropMargins.lowerBound) to \(Limits.cropMargins.upperBound): use a model of such a margin"
                )
            }
            kind = .face(margin: margin)
        case .centralSquare: kind = .centralSquare
        }
        guard let width = UInt16(exactly: own.width), let height = UInt16(exactly: own.height) else {
            throw unfit(
                "input is \(own.width) x \(own.height) pixels, and crops have at most \(UInt16.max) a side: use a model of a smaller input"
            )
        }
        self.init(kind: kind, width: width, height: height, preprocessing: UInt16(Manifest.preprocessing))
        guard mostBytes <= Limits.cropSetBytes else {
            throw unfit(
                "input is \(own.width) x \(own.height) pixels, so that the crops of one image may take \(mostBytes) bytes, more than the \(Limits.cropSetBytes) that a job may: use a model of a smaller input"
            )
        }
    }
}

extension EvidenceMap {
    init(_ evidence: Evidence) {
        self.init(width: evidence.width, height: evidence.height, cells: evidence.cells)
    }
}

extension ImageInformation.Format {
    /// Creates the format for the wire.
    init(_ format: ImageFormat) {
        self =
            switch format {
            case .jpeg: .jpeg
            case .png: .png
            case .webp: .webp
            case .gif: .gif
            case .avif: .avif
            case .heic: .heic
            }
    }
}

extension Box {
    /// Creates the box for the wire.
    ///
    /// - Precondition: No side is longer than 2³¹ - 1 pixels, which the decoder's limits ensure.
    init(_ box: FaceBox) {
        self.init(x: Int32(box.x), y: Int32(box.y), width: Int32(box.width), height: Int32(box.height))
    }
}

extension WorkerSettings {
    var decodeLimits: DecodeLimits {
        DecodeLimits(
            bytes: self.imageBytes, pixels: self.imagePixels, scans: self.imageScans, memory: self.imageMemory,
            time: self.imageTime)
    }
}

package import BifronsWire

/// What a worker hosts: a model, or what finds evidence. It defines the worker's role.
package enum HostedModel: Sendable {
    /// A locator: decodes images, finds faces and cuts crops.
    case locator(any Cutter)
    /// A network: scores crops.
    case network(any Scorer)
    /// What finds one kind of evidence about images.
    case evidence(any Examiner)

    var identity: ModelIdentity {
        switch self {
        case .locator(let cutter): cutter.identity
        case .network(let scorer): scorer.identity
        case .evidence(let examiner): examiner.identity
        }
    }

    /// Whether the engine makes code while the worker serves. For a network it always may.
    var makesCode: Bool {
        switch self {
        case .locator(let cutter): cutter.makesCode
        case .network: true
        case .evidence: false
        }
    }

    /// The folders whose files are read again while the worker serves.
    var folders: [String] {
        if case .evidence(let examiner) = self { examiner.folders } else { [] }
    }

    var role: WorkerMessage.Role {
        switch self {
        case .locator(let cutter): .locator(preprocessing: cutter.preprocessing)
        case .network(let scorer): .network(scorer.specification)
        case .evidence: .evidence
        }
    }
}

/// Cuts crops out of images. Several threads call it at once.
package protocol Cutter: Sendable {
    var identity: ModelIdentity { get }
    /// The version of the preprocessing from file to crop.
    var preprocessing: UInt16 { get }
    /// Whether the engine makes code while images are cut.
    var makesCode: Bool { get }
    /// Decodes a file, finds the faces if any specification asks for them, and cuts the crops.
    ///
    /// - Throws: The reason why no crops can be cut out of this file.
    func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutImage
}

extension Cutter {
    /// Without an engine there is nothing to compile.
    package var makesCode: Bool { false }
}

/// The crops that were cut out of a file, and what is known of its image.
package struct CutImage: Sendable {
    package var format: ImageInformation.Format
    /// Whether the file has further frames than the one that was cut.
    package var isAnimated: Bool
    /// The width in pixels of the upright image.
    package var width: Int
    /// The height in pixels of the upright image.
    package var height: Int
    /// The faces that were cut out, the largest first.
    package var faces: [WorkerMessage.Face]
    /// The number of faces found, cut out or not; nil when no specification asked for faces.
    package var facesFound: Int?
    /// One set for each specification, in the same order: the square that each crop shows, and the bytes of all crops
    /// one after another.
    package var sets: [(squares: [Box], pixels: [UInt8])]

    package init(
        format: ImageInformation.Format, isAnimated: Bool = false, width: Int, height: Int,
        faces: [WorkerMessage.Face], facesFound: Int?, sets: [(squares: [Box], pixels: [UInt8])]
    ) {
        self.format = format
        self.isAnimated = isAnimated
        self.width = width
        self.height = height
        self.faces = faces
        self.facesFound = facesFound
        self.sets = sets
    }
}

/// Scores crops. Only one thread calls it at a time.
package protocol Scorer: Sendable {
    var identity: ModelIdentity { get }
    /// The crops that the network needs.
    var specification: CropSpecification { get }
    /// Scores crops together.
    ///
    /// - Parameters:
    ///   - crops: The bytes of whole crops as the specification defines them, one after another.
    ///   - step: Called whenever some crops are done. Many crops take long, and a long silence counts as a hang.
    /// - Returns: The results in the order of the crops: a score with a finite logit, or the reason why there is none.
    /// - Throws: The reason why none of the crops has a score.
    func score(
        _ crops: UnsafeRawBufferPointer, step: () -> Void
    ) throws -> [Result<WorkerMessage.CropScore, any Error>]
}

/// Finds one kind of evidence about images. Several threads call it at once.
package protocol Examiner: Sendable {
    /// The examiner's description. Its name is the kind of evidence. ``reload()`` may change the digest.
    var identity: ModelIdentity { get }
    /// The folders whose files ``reload()`` reads.
    var folders: [String] { get }
    /// Reads again what the evidence depends on, if that may change while the worker serves. A mistake in it is logged
    /// and changes nothing. Only one thread calls it at a time, also while others examine images.
    func reload()
    /// Finds what a file says about its image, or what is known of it.
    ///
    /// - Throws: The reason why there is no evidence, by preference a `WireError`.
    func examine(_ file: UnsafeRawBufferPointer) throws -> EvidenceReport
}

extension Examiner {
    /// Most evidence depends only on the image.
    package var folders: [String] { [] }
    package func reload() {}
}

/// The description of a model that a worker gives to routers.
package struct ModelIdentity: Equatable, Sendable {
    package var name: String
    package var version: String
    /// "sha256:" and the hexadecimal SHA-256 of the weights.
    package var digest: String
    /// The model's measured quality, by the metric's name.
    package var metrics: [String: Double]

    package init(name: String, version: String, digest: String, metrics: [String: Double] = [:]) {
        self.name = name
        self.version = version
        self.digest = digest
        self.metrics = metrics
    }
}

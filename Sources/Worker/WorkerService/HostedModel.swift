package import BifronsWire

/// The model that a worker hosts: what its threads do with jobs.
package enum HostedModel: Sendable {
    /// Decodes pictures, finds faces and cuts crops.
    case locator(any Cutter)
    /// Scores crops.
    case network(any Scorer)

    var identity: ModelIdentity {
        switch self {
        case .locator(let cutter): cutter.identity
        case .network(let scorer): scorer.identity
        }
    }

    var role: WorkerMessage.Role {
        switch self {
        case .locator(let cutter): .locator(preprocessing: cutter.preprocessing)
        case .network(let scorer): .network(scorer.specification)
        }
    }
}

/// Cuts crops out of pictures. Several threads call it at once.
package protocol Cutter: Sendable {
    var identity: ModelIdentity { get }
    /// The version of the way from file to crop.
    var preprocessing: UInt16 { get }
    /// Decodes a file, finds the faces if a specification asks for them, and cuts.
    /// - Throws: why nothing can be cut out of this file.
    func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutPicture
}

/// What was cut out of a file.
package struct CutPicture: Sendable {
    package var format: ImageInformation.Format
    /// Pixels of the upright picture.
    package var width: Int
    package var height: Int
    /// Those that were cut out, the largest first.
    package var faces: [WorkerMessage.Face]
    /// How many were found, cut out or not; nil when no specification asked for faces.
    package var facesFound: Int?
    /// For each specification, in their order, what its crops show, and their bytes one after the other.
    package var sets: [(squares: [Box], pixels: [UInt8])]

    package init(
        format: ImageInformation.Format, width: Int, height: Int, faces: [WorkerMessage.Face], facesFound: Int?,
        sets: [(squares: [Box], pixels: [UInt8])]
    ) {
        self.format = format
        self.width = width
        self.height = height
        self.faces = faces
        self.facesFound = facesFound
        self.sets = sets
    }
}

/// Scores crops. One thread at a time calls it.
package protocol Scorer: Sendable {
    var identity: ModelIdentity { get }
    /// What the network wants of a picture.
    var specification: CropSpecification { get }
    /// Scores crops together.
    /// - Parameters:
    ///   - crops: whole ones of the specification, one after the other.
    ///   - step: to be called as it gets on: many take long, and silence means that it hangs.
    /// - Returns: in their order, each crop's score with its logit finite, or why it has none.
    /// - Throws: why all of them have none.
    func score(
        _ crops: UnsafeRawBufferPointer, step: () -> Void
    ) throws -> [Result<WorkerMessage.CropScore, any Error>]
}

/// What a worker tells routers of its model.
package struct ModelIdentity: Equatable, Sendable {
    package var name: String
    package var version: String
    /// "sha256:" and the hexadecimal digest of the weights.
    package var digest: String
    /// What the model reaches, by the metric's name.
    package var metrics: [String: Double]

    package init(name: String, version: String, digest: String, metrics: [String: Double] = [:]) {
        self.name = name
        self.version = version
        self.digest = digest
        self.metrics = metrics
    }
}

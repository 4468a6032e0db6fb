public import Wire

/// A model at work, as the inference thread sees it: the seam between the worker's shell and the engine.
///
/// Made and used on the inference thread only. Files are placed one after the other, so that only one of them is in
/// memory at its decoded size, and then scored together.
public protocol Scorer {
    var identity: ModelIdentity { get }
    /// Decodes a file, finds what is to be scored in it and puts that into the next batch.
    /// - Throws: why this file cannot be scored; then nothing of it is in the batch.
    func place(_ file: UnsafeRawBufferPointer) throws -> PlacedPicture
    /// Scores all that was placed, together, and empties the batch.
    /// - Parameter step: to be called as it gets on: a batch of many faces takes long, and silence means that it hangs.
    /// - Returns: in the order of placing, each region with its calibrated logit, finite, or why it has none.
    func score(step: () -> Void) throws -> [Result<WorkerMessage.Region, any Error>]
}

/// A file in a batch.
public struct PlacedPicture: Equatable, Sendable {
    public var format: ImageInformation.Format
    /// Pixels of the upright picture.
    public var width: Int
    public var height: Int
    /// How many regions of it are in the batch, at least one: its faces, the largest first, or the central square.
    public var regions: Int
    /// How many faces were found in it, scored or not; nil for a model that looks for none.
    public var facesFound: Int?

    public init(
        format: ImageInformation.Format, width: Int, height: Int, regions: Int = 1, facesFound: Int? = nil
    ) {
        self.format = format
        self.width = width
        self.height = height
        self.regions = regions
        self.facesFound = facesFound
    }
}

/// What a worker tells routers of its model.
public struct ModelIdentity: Equatable, Sendable {
    public var name: String
    public var version: String
    /// "sha256:" and the hexadecimal digest of the weights.
    public var digest: String
    /// What the model reaches, by the metric's name.
    public var metrics: [String: Double]

    public init(name: String, version: String, digest: String, metrics: [String: Double] = [:]) {
        self.name = name
        self.version = version
        self.digest = digest
        self.metrics = metrics
    }
}

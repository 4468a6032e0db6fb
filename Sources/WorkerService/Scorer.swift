public import ImageDecoding

/// A model at work, as the inference thread sees it: the seam between the worker's shell and the engine.
///
/// Made and used on the inference thread only. Pictures are placed one after the other, so that only one of them is in
/// memory at its decoded size, and then scored together.
public protocol Scorer {
    var identity: ModelIdentity { get }
    /// Pixels that the shorter side of a decoded picture must keep if the file has them; nil: all.
    var minimumSide: Int? { get }
    /// Puts an upright picture into a place of the next batch.
    /// - Parameter index: from 0, below the largest batch that the worker was set to.
    func place(_ image: RGBImage, at index: Int) throws
    /// Scores the pictures in places `0..<count` together.
    /// - Returns: for each a calibrated logit, finite, or why this one has none.
    func score(count: Int) throws -> [Result<Float, any Error>]
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

public import BifronsWire

/// The answer to a submitted image.
public struct Reply: Equatable, Sendable {
    /// The result frame as it came: one JSON object.
    public let bytes: [UInt8]
    /// The same, decoded.
    public let document: ResultDocument
}

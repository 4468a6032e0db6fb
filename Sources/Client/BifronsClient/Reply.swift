public import BifronsWire

/// The answer to a submitted image.
public struct Reply: Equatable, Sendable {
    /// The result frame as received: one JSON object.
    public let bytes: [UInt8]
    /// The decoded result frame.
    public let document: ResultDocument
}

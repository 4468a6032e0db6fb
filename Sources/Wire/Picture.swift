/// A rectangle in pixels of the upright picture.
public struct Box: Hashable, Sendable {
    public var x: Int32
    public var y: Int32
    public var width: Int32
    public var height: Int32

    public init(x: Int32, y: Int32, width: Int32, height: Int32) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// What a worker learned of an image file while decoding it.
public struct ImageInformation: Hashable, Sendable {
    public enum Format: String, Codable, CaseIterable, Sendable {
        case jpeg, png
    }

    public var format: Format
    /// Pixels of the upright picture.
    public var width: UInt32
    public var height: UInt32
    /// The 32 bytes of the file's SHA-256.
    public var sha256: [UInt8]

    public init(format: Format, width: UInt32, height: UInt32, sha256: [UInt8]) {
        self.format = format
        self.width = width
        self.height = height
        self.sha256 = sha256
    }
}

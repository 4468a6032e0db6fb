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

/// Where a network found its evidence: the class-activation map of one face (Zhou et al. 2016, "Learning deep features for
/// discriminative localization").
public struct HeatMap: Hashable, Sendable {
    /// The part of the upright picture that the network looked at, which the cells divide evenly. When the face was
    /// turned upright for that, it stands turned about its middle as the face does.
    public var square: Box
    /// Cells across, 1 to ``Limits/mapSide``.
    public var width: Int
    /// Cells down, 1 to ``Limits/mapSide``.
    public var height: Int
    /// `width` × `height` cells, row by row from the top left: 255 where the evidence for what the model says is
    /// strongest, 0 where there is none or it speaks for the opposite.
    public var cells: [UInt8]

    /// - Precondition: as many cells as width and height say, both within their limit.
    public init(square: Box, width: Int, height: Int, cells: [UInt8]) {
        precondition((1...Limits.mapSide).contains(width) && (1...Limits.mapSide).contains(height))
        precondition(cells.count == width * height)
        self.square = square
        self.width = width
        self.height = height
        self.cells = cells
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

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

/// What a network wants of a picture: which part of it, in how many pixels. Networks with equal specifications see the same
/// crops, so one frame serves them all.
public struct CropSpecification: Hashable, Sendable {
    /// Which part of a picture is cut out.
    public enum Kind: Hashable, Sendable {
        /// A square around each face, `margin` times the longer side of its box (``Limits/cropMargins``); without a face
        /// the central square.
        case face(margin: Double)
        /// The largest square in the middle.
        case centralSquare
    }

    public var kind: Kind
    /// Pixels of a crop, at least 1.
    public var width: UInt16
    /// Pixels of a crop, at least 1.
    public var height: UInt16
    /// The version of the way from file to crop, which the network was made for.
    public var preprocessing: UInt16

    public init(kind: Kind, width: UInt16, height: UInt16, preprocessing: UInt16) {
        self.kind = kind
        self.width = width
        self.height = height
        self.preprocessing = preprocessing
    }

    /// Bytes of one crop: red, green, blue of the first pixel of the top row, then of the next one.
    public var cropBytes: Int { 3 * Int(width) * Int(height) }

    /// Whether faces must be found for it.
    public var needsFaces: Bool {
        if case .face = kind { true } else { false }
    }

    /// Bytes of the crops of a picture with more faces than are cut out.
    public var mostBytes: Int { needsFaces ? Limits.faces * cropBytes : cropBytes }
}

/// Where a network found its evidence: the class-activation map of one crop (Zhou et al. 2016, "Learning deep features for
/// discriminative localization").
public struct EvidenceMap: Hashable, Sendable {
    /// Cells across, 1 to ``Limits/mapSide``.
    public var width: Int
    /// Cells down, 1 to ``Limits/mapSide``.
    public var height: Int
    /// `width` × `height` cells, row by row from the top left: 255 where the evidence for what the model says is
    /// strongest, 0 where there is none or it speaks for the opposite.
    public var cells: [UInt8]

    /// - Precondition: as many cells as width and height say, both within their limit.
    public init(width: Int, height: Int, cells: [UInt8]) {
        precondition((1...Limits.mapSide).contains(width) && (1...Limits.mapSide).contains(height))
        precondition(cells.count == width * height)
        self.width = width
        self.height = height
        self.cells = cells
    }
}

/// An ``EvidenceMap`` and the part of the picture that it is of.
public struct HeatMap: Hashable, Sendable {
    /// The part of the upright picture that the network looked at, which the cells divide evenly. When the face was
    /// turned upright for that, it stands turned about its middle as the face does.
    public var square: Box
    public var evidence: EvidenceMap

    public init(square: Box, evidence: EvidenceMap) {
        self.square = square
        self.evidence = evidence
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

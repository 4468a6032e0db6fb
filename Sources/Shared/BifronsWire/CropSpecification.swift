/// A rectangle in pixels of the upright image.
public struct Box: Hashable, Sendable {
    /// The distance from the image's left edge to the rectangle's, in pixels.
    public var x: Int32
    /// The distance from the image's upper edge to the rectangle's, in pixels.
    public var y: Int32
    /// The width in pixels.
    public var width: Int32
    /// The height in pixels.
    public var height: Int32

    /// Creates a rectangle from its upper left corner and its size.
    public init(x: Int32, y: Int32, width: Int32, height: Int32) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    /// Returns the intersection over union with another rectangle, from 0 to 1. It is 1 for equal rectangles, even
    /// empty ones.
    package func overlap(with other: Box) -> Double {
        func shared(_ start: Int32, _ length: Int32, _ otherStart: Int32, _ otherLength: Int32) -> Double {
            let end = min(Double(start) + Double(length), Double(otherStart) + Double(otherLength))
            return max(0, end - Double(max(start, otherStart)))
        }
        let intersection = shared(x, width, other.x, other.width) * shared(y, height, other.y, other.height)
        let union = Double(width) * Double(height) + Double(other.width) * Double(other.height) - intersection
        return union > 0 ? intersection / union : self == other ? 1 : 0
    }
}

/// The crops that a network needs: a part of the image, and the size in pixels. Networks with equal specifications
/// get the same crops, so one frame serves them all.
public struct CropSpecification: Hashable, Sendable {
    /// The part of an image that is cut out.
    public enum Kind: Hashable, Sendable {
        /// A square around each face, whose side is `margin` times the longer side of the face's bounding box
        /// (``Limits/cropMargins``). Without a face, the central square.
        case face(margin: Double)
        /// The largest square in the centre of the image.
        case centralSquare
    }

    /// The part of the image that is cut out.
    public var kind: Kind
    /// The width of a crop in pixels, at least 1.
    public var width: UInt16
    /// The height of a crop in pixels, at least 1.
    public var height: UInt16
    /// The version of preprocessing, from file to crop, that the network was made for.
    public var preprocessing: UInt16

    /// Creates a specification.
    /// - Parameters:
    ///   - kind: The part of the image that is cut out.
    ///   - width: The width of a crop in pixels, at least 1.
    ///   - height: The height of a crop in pixels, at least 1.
    ///   - preprocessing: The version of preprocessing, from file to crop.
    public init(kind: Kind, width: UInt16, height: UInt16, preprocessing: UInt16) {
        self.kind = kind
        self.width = width
        self.height = height
        self.preprocessing = preprocessing
    }

    /// The bytes of one crop: red, green and blue of each pixel, row by row from the top left.
    public var cropBytes: Int { 3 * Int(width) * Int(height) }

    /// Whether faces must be found to cut these crops.
    public var needsFaces: Bool {
        if case .face = kind { true } else { false }
    }

    /// The most bytes that the crops of one image can take.
    public var mostBytes: Int { needsFaces ? Limits.faces * cropBytes : cropBytes }
}

/// Where a network found its evidence: the class-activation map of one crop (Zhou et al. 2016, "Learning deep features
/// for discriminative localization").
public struct EvidenceMap: Hashable, Sendable {
    /// The number of cells across, 1 to ``Limits/mapSide``.
    public var width: Int
    /// The number of cells down, 1 to ``Limits/mapSide``.
    public var height: Int
    /// `width` × `height` cells, row by row from the top left. 255 stands for the strongest evidence for the model's
    /// answer, 0 for none or for evidence of the opposite.
    public var cells: [UInt8]

    /// Creates a map.
    ///
    /// - Precondition: `width` and `height` are within ``Limits/mapSide``, and `cells` has `width` × `height` elements.
    public init(width: Int, height: Int, cells: [UInt8]) {
        precondition((1...Limits.mapSide).contains(width) && (1...Limits.mapSide).contains(height))
        precondition(cells.count == width * height)
        self.width = width
        self.height = height
        self.cells = cells
    }
}

/// An ``EvidenceMap`` with the part of the image that it covers.
public struct HeatMap: Hashable, Sendable {
    /// The part of the upright image that the network saw, divided evenly into the cells. If the face was turned
    /// upright, the square is turned about its centre as the face is.
    public var square: Box
    /// The strength of the evidence in each cell of the square.
    public var evidence: EvidenceMap

    /// Creates a heat map from the part of the upright image and the evidence in it.
    public init(square: Box, evidence: EvidenceMap) {
        self.square = square
        self.evidence = evidence
    }
}

/// The properties of an image file that a worker decoded.
public struct ImageInformation: Hashable, Sendable {
    /// The image file formats that Bifrons reads.
    public enum Format: String, Codable, CaseIterable, Sendable {
        /// JPEG, baseline or progressive.
        case jpeg
        /// PNG.
        case png
        /// WebP, lossy or lossless.
        case webp
        /// GIF.
        case gif
        /// AVIF.
        case avif
        /// HEIC.
        case heic
    }

    /// The file's format.
    public var format: Format
    /// Whether the file has further frames; only the first one was looked at.
    public var isAnimated: Bool
    /// The width of the upright image in pixels.
    public var width: UInt32
    /// The height of the upright image in pixels.
    public var height: UInt32
    /// The 32 bytes of the file's SHA-256.
    public var sha256: [UInt8]

    /// Creates the information from the format, whether there are further frames, the upright image's size in pixels,
    /// and the 32 bytes of the file's SHA-256.
    public init(format: Format, isAnimated: Bool = false, width: UInt32, height: UInt32, sha256: [UInt8]) {
        self.format = format
        self.isAnimated = isAnimated
        self.width = width
        self.height = height
        self.sha256 = sha256
    }
}

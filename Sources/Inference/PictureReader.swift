public import ImageDecoding

/// From an image file to the tensors of what a model scores in it: the one way, which training takes as well
/// (docs/preprocessing.md, `Models/training`).
///
///     file ─ decode, scaled down ─ locate ─ squares ─┬─ large in the frame: cut from the decoded picture ─────┬─ tensors
///                                                    └─ small in the frame: decoded again, finer, and cut ────┘
///
/// A face that stands turned is stood upright on the way. Without a face, or for a model that looks at whole pictures, the one square is the central one.
public struct PictureReader: Sendable {
    typealias Locate = @Sendable (DecodedImage) throws(InferenceError) -> [Face]

    private let decoder: ImageDecoder
    private let preprocessor: Preprocessor
    /// Finds faces, and how much around them is looked at; nil when the model looks at the central square of every picture.
    private let faces: (locate: Locate, margin: Double)?

    /// - Parameter locator: needed by a model whose manifest has the crop `face`, and by no other.
    public init(model: Model, locator: Locator?, decoder: ImageDecoder) {
        var locate: Locate?
        if let locator { locate = { picture throws(InferenceError) in try locator.faces(in: picture) } }
        self.init(manifest: model.manifest, decoder: decoder, locate: locate)
    }

    init(manifest: Manifest, decoder: ImageDecoder = ImageDecoder(), locate: Locate?) {
        self.decoder = decoder
        preprocessor = Preprocessor(manifest: manifest)
        switch (manifest.crop, locate) {
        case (.face(let margin), let locate?): faces = (locate, margin)
        case (.centralSquare, nil): faces = nil
        default:
            preconditionFailure("the crop \(manifest.crop) \(locate == nil ? "needs a" : "has no use for a") locator")
        }
    }

    /// How many times smaller than in its file a JPEG is decoded to look for faces in it.
    public static func locatingReduction(width: Int, height: Int) -> Int {
        Framing.locatingReduction(width: width, height: height)
    }

    /// What was found in a file.
    public struct Reading: Equatable, Sendable {
        public var format: ImageFormat
        /// Pixels of the upright picture at full size.
        public var width: Int
        public var height: Int
        /// For each tensor the face it shows, the largest first, at most 16; or one nil, for the central square.
        public var boxes: [FaceBox?]
        /// For each tensor the part of the picture that it shows, to whole pixels, before that is turned about its middle.
        public var squares: [FaceBox]
        /// For each tensor by how much what it shows stands turned in the picture.
        public var turns: [Turn]
        /// How many faces the locator found; nil for a model that looks at whole pictures.
        public var facesFound: Int?
    }

    /// Decodes a file and appends the tensors of what is to be scored in it.
    ///
    /// - Throws: `DecodeError`, or ``InferenceError`` of the locator; then nothing was appended.
    public func read(_ file: UnsafeRawBufferPointer, appendingTo tensors: inout [Float]) throws -> Reading {
        let picture = try decoder.decode(file, reduction: Self.locatingReduction)
        let (regions, facesFound) = try regions(of: picture)

        let reductions = regions.map { preprocessor.reduction(for: $0.square) }
        let finest = reductions.min() ?? 1
        let finer = finest < picture.reduction ? try decoder.decode(file) { _, _ in finest } : picture
        for (region, reduction) in zip(regions, reductions) {
            let source = reduction < picture.reduction ? finer : picture
            preprocessor.append(source, square: region.square, turn: region.turn, to: &tensors)
        }
        return Reading(
            format: picture.format, width: picture.width, height: picture.height, boxes: regions.map(\.box),
            squares: regions.map(\.square.rounded), turns: regions.map(\.turn), facesFound: facesFound)
    }

    /// A part of a picture that is to be scored.
    private typealias Region = (box: FaceBox?, square: Framing.Square, turn: Turn)

    /// What is to be scored in a picture, and how many faces were found in it.
    private func regions(of picture: DecodedImage) throws(InferenceError) -> (regions: [Region], facesFound: Int?) {
        let (width, height) = (picture.width, picture.height)
        let found = try faces?.locate(picture)
        if let faces, let found, !found.isEmpty {
            let regions = found.prefix(Framing.faces).map { face -> Region in
                let turn = Turn(landmarks: face.landmarks)
                let square = Framing.Square(
                    around: face.box, turn: turn, margin: faces.margin, width: width, height: height)
                return (face.box, square, turn)
            }
            return (regions, found.count)
        }
        return ([(nil, .central(width: width, height: height), .upright)], found?.count)
    }
}

package import ImageDecoding

/// What was cut out of a file.
package struct LocatedImage: Sendable {
    /// What was cut for one ``CropGeometry``.
    package struct Crops: Equatable, Sendable {
        /// For each crop the part of the picture that it shows, to whole pixels, before that is turned about its middle:
        /// one a face, in the order of the faces, or the central square alone.
        package var squares: [FaceBox]
        /// The crops one after the other, each of ``CropGeometry/byteCount`` bytes: red, green, blue of the first
        /// pixel of the top row, then of the next one; no padding.
        package var pixels: [UInt8]
    }

    package var format: ImageFormat
    /// Pixels of the upright picture at full size.
    package var width: Int
    /// Pixels of the upright picture at full size.
    package var height: Int
    /// The faces that were cut out, the largest first, at most 16, and how each stands turned in the picture.
    package var faces: [(box: FaceBox, turn: Turn)]
    /// How many faces the locator found; nil when no specification asked for faces.
    package var facesFound: Int?
    /// One for each specification, in the order in which they were asked for.
    package var crops: [Crops]
}

/// From an image file to the crops that models score: the one way, which training takes as well (docs/preprocessing.md,
/// `Models/training/bifrons_training/preprocessing`).
///
///     file ─ decode, scaled down ─ locate ─ squares ─┬─ large in the frame: cut from the decoded picture ─────┬─ crops
///                                                    └─ small in the frame: decoded again, finer, and cut ────┘
///
/// A face that stands turned is stood upright on the way. Without a face, or for a model that looks at whole pictures, the
/// one square is the central one.
///
/// Any number of threads may cut at once; those that locate wait for one another beyond the locator's
/// ``Locator/concurrency``.
package struct PictureCutter: Sendable {
    typealias Locate = @Sendable (DecodedImage) throws(InferenceError) -> [Face]

    private let decoder: ImageDecoder
    private let locate: Locate?

    /// - Parameter locator: nil when nobody is going to ask for faces.
    package init(locator: Locator?, decoder: ImageDecoder) {
        var locate: Locate?
        if let locator { locate = { picture throws(InferenceError) in try locator.faces(in: picture) } }
        self.init(decoder: decoder, locate: locate)
    }

    init(decoder: ImageDecoder = ImageDecoder(), locate: Locate?) {
        self.decoder = decoder
        self.locate = locate
    }

    /// How many times smaller than in its file a JPEG is decoded to look for faces in it.
    package static func locatingReduction(width: Int, height: Int) -> Int {
        Framing.locatingReduction(width: width, height: height)
    }

    /// A part of a picture, and by how much it is turned.
    private typealias View = (square: Framing.Square, turn: Turn)

    /// Decodes a file and cuts out what the specifications ask for.
    ///
    /// - Precondition: there is a locator if a specification asks for faces.
    /// - Throws: `DecodeError`, or ``InferenceError`` of the locator.
    package func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropGeometry]) throws -> LocatedImage {
        let picture = try decoder.decode(file, reduction: Self.locatingReduction)
        let found = try faces(in: picture, for: specifications)
        let faces = (found ?? []).prefix(Framing.faces).map { (box: $0.box, turn: Turn(landmarks: $0.landmarks)) }
        let views = specifications.map { Self.views($0, of: picture, faces) }

        let reductions = zip(specifications, views).map { specification, views in
            views.map { specification.reduction(for: $0.square) }
        }
        let finest = reductions.joined().min() ?? picture.reduction
        let finer = finest < picture.reduction ? try decoder.decode(file) { _, _ in finest } : picture
        let crops = specifications.indices.map { index in
            let specification = specifications[index]
            let count = views[index].count * specification.byteCount
            let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard var target = buffer.baseAddress else { return }
                for (view, reduction) in zip(views[index], reductions[index]) {
                    let source = reduction < picture.reduction ? finer : picture
                    Cropper.crop(source, square: view.square, turn: view.turn, as: specification, into: target)
                    target += specification.byteCount
                }
                initialized = count
            }
            return LocatedImage.Crops(squares: views[index].map(\.square.rounded), pixels: pixels)
        }
        return LocatedImage(
            format: picture.format, width: picture.width, height: picture.height, faces: faces,
            facesFound: found?.count, crops: crops)
    }

    /// The faces of a picture, if anybody asks for them.
    private func faces(
        in picture: DecodedImage, for specifications: [CropGeometry]
    ) throws(InferenceError) -> [Face]? {
        let areAsked = specifications.contains { if case .face = $0.kind { true } else { false } }
        guard areAsked else { return nil }
        guard let locate else { preconditionFailure("faces are asked for, and there is no locator") }
        return try locate(picture)
    }

    /// What a specification means in a picture with these faces.
    private static func views(
        _ specification: CropGeometry, of picture: DecodedImage, _ faces: [(box: FaceBox, turn: Turn)]
    ) -> [View] {
        let (width, height) = (picture.width, picture.height)
        if case .face(let margin) = specification.kind, !faces.isEmpty {
            return faces.map { face in
                let square = Framing.Square(
                    around: face.box, turn: face.turn, margin: margin, width: width, height: height)
                return (square, face.turn)
            }
        }
        return [(.central(width: width, height: height), .upright)]
    }
}

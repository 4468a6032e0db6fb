package import ImageDecoding

/// The crops that were cut out of a file, and the faces that were found.
package struct LocatedImage: Sendable {
    /// The crops for one ``CropGeometry``.
    package struct Crops: Equatable, Sendable {
        /// The part of the image that each crop shows, in whole pixels, before it is turned around its centre. One per
        /// face, in the order of the faces, or only the central square.
        package var squares: [FaceBox]
        /// The crops one after another, each of ``CropGeometry/byteCount`` bytes: red, green and blue of each pixel,
        /// row by row from the top left, without padding.
        package var pixels: [UInt8]
    }

    package var format: ImageFormat
    /// Whether the file has further frames than the one that was cut.
    package var isAnimated: Bool
    /// The width in pixels of the upright image at full size.
    package var width: Int
    /// The height in pixels of the upright image at full size.
    package var height: Int
    /// The faces that were cut out, the largest first, at most 16, and how each one is turned in the image.
    package var faces: [(box: FaceBox, turn: Turn)]
    /// The number of faces that the locator found; nil when no specification asked for faces.
    package var facesFound: Int?
    /// One for each specification, in the same order.
    package var crops: [Crops]
}

/// Makes the crops that models score from an image file. Training uses the same steps (docs/preprocessing.md,
/// `Models/training/bifrons_training/preprocessing`).
///
///     file ─ decode, scaled down ─ locate ─ squares ─┬─ large in the frame: cut from the decoded image ───────┬─ crops
///                                                    └─ small in the frame: decoded again, finer, and cut ────┘
///
/// A turned face is turned upright. Without a face, or for a model that looks at whole images, the only square is the
/// central one.
///
/// Any number of threads may cut at once. At most ``Locator/concurrency`` of them locate at once; further ones wait.
package struct ImageCutter: Sendable {
    typealias Locate = @Sendable (DecodedImage) throws(InferenceError) -> [Face]

    private let decoder: ImageDecoder
    private let locate: Locate?

    /// Creates a cutter.
    ///
    /// - Parameters:
    ///   - locator: The locator; nil if no specification will ask for faces.
    ///   - decoder: The decoder with its limits.
    package init(locator: Locator?, decoder: ImageDecoder) {
        var locate: Locate?
        if let locator { locate = { image throws(InferenceError) in try locator.faces(in: image) } }
        self.init(decoder: decoder, locate: locate)
    }

    init(decoder: ImageDecoder = ImageDecoder(), locate: Locate?) {
        self.decoder = decoder
        self.locate = locate
    }

    /// Returns the factor by which a JPEG is decoded smaller for finding faces.
    package static func locatingReduction(width: Int, height: Int) -> Int {
        Framing.locatingReduction(width: width, height: height)
    }

    /// A part of an image and how it is turned.
    private typealias View = (square: Framing.Square, turn: Turn)

    /// Decodes a file and cuts out the crops that the specifications ask for.
    ///
    /// - Precondition: There is a locator if a specification asks for faces.
    /// - Throws: `DecodeError`, or ``InferenceError`` from the locator.
    package func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropGeometry]) throws -> LocatedImage {
        let image = try decoder.decode(file, reduction: Self.locatingReduction)
        let found = try faces(in: image, for: specifications)
        let faces = (found ?? []).prefix(Framing.faces).map { (box: $0.box, turn: Turn(landmarks: $0.landmarks)) }
        let views = specifications.map { Self.views($0, of: image, faces) }

        let reductions = zip(specifications, views).map { specification, views in
            views.map { specification.reduction(for: $0.square) }
        }
        let finest = reductions.joined().min() ?? image.reduction
        let finer = finest < image.reduction ? try decoder.decode(file) { _, _ in finest } : image
        let crops = specifications.indices.map { index in
            let specification = specifications[index]
            let count = views[index].count * specification.byteCount
            let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard var target = buffer.baseAddress else { return }
                for (view, reduction) in zip(views[index], reductions[index]) {
                    let source = reduction < image.reduction ? finer : image
                    Cropper.crop(source, square: view.square, turn: view.turn, as: specification, into: target)
                    target += specification.byteCount
                }
                initialized = count
            }
            return LocatedImage.Crops(squares: views[index].map(\.square.rounded), pixels: pixels)
        }
        return LocatedImage(
            format: image.format, isAnimated: image.isAnimated, width: image.width, height: image.height, faces: faces,
            facesFound: found?.count, crops: crops)
    }

    /// Returns the faces of an image; nil if no specification asks for faces.
    private func faces(
        in image: DecodedImage, for specifications: [CropGeometry]
    ) throws(InferenceError) -> [Face]? {
        let areAsked = specifications.contains { if case .face = $0.kind { true } else { false } }
        guard areAsked else { return nil }
        guard let locate else { preconditionFailure("faces are asked for, and there is no locator") }
        return try locate(image)
    }

    /// Returns the parts of an image with these faces that a specification asks for.
    private static func views(
        _ specification: CropGeometry, of image: DecodedImage, _ faces: [(box: FaceBox, turn: Turn)]
    ) -> [View] {
        let (width, height) = (image.width, image.height)
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

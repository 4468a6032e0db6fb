/// The crops that a scoring model needs: which part of an image, at what size. Models with equal specifications share
/// the same crops.
///
/// For one preprocessing version (``Manifest/preprocessing``), a file and the specifications that it is cut for
/// together give the same crops in every process.
package struct CropGeometry: Hashable, Sendable {
    /// The part of an image that is cut out.
    package enum Kind: Hashable, Sendable {
        /// A square around each face, `margin` times the longer side of its box. Without a face, the central square.
        case face(margin: Double)
        /// The largest square at the centre of the image.
        case centralSquare
    }

    package var kind: Kind
    /// The width of a crop in pixels.
    package var width: Int
    /// The height of a crop in pixels.
    package var height: Int

    package init(kind: Kind, width: Int, height: Int) {
        self.kind = kind
        self.width = width
        self.height = height
    }

    /// The size of one crop in bytes: red, green and blue of each pixel, row by row from the top left.
    package var byteCount: Int { 3 * width * height }

    /// Returns the factor, 1, 2, 4 or 8, by which a decoder may scale the image down without changing what a model sees
    /// of a square: the square keeps at least twice the crop's longer side in pixels, if the image has them.
    func reduction(for square: Framing.Square) -> Int {
        Framing.reduction(of: square.side, keeping: 2 * max(width, height))
    }
}

extension Manifest {
    /// The crops that the model needs.
    ///
    /// - Precondition: The model scores crops. A locator looks at whole images.
    package var cropGeometry: CropGeometry {
        switch crop {
        case .face(let margin): CropGeometry(kind: .face(margin: margin), width: input.width, height: input.height)
        case .centralSquare: CropGeometry(kind: .centralSquare, width: input.width, height: input.height)
        case .whole: preconditionFailure("\(name) is a locator, for which nothing is cut")
        }
    }
}

/// What a scoring model wants of a picture: which part of it, in how many pixels. Models with equal specifications see the
/// same bytes, so one set of crops serves them all.
///
/// Under one version of preprocessing (``Manifest/preprocessing``) a file and the specifications that it is cut for at once
/// give the same crops in every process.
package struct CropGeometry: Hashable, Sendable {
    /// Which part of a picture is cut out.
    package enum Kind: Hashable, Sendable {
        /// A square around each face, `margin` times the longer side of its box; without a face the central square.
        case face(margin: Double)
        /// The largest square in the middle.
        case centralSquare
    }

    package var kind: Kind
    /// Pixels of a crop.
    package var width: Int
    /// Pixels of a crop.
    package var height: Int

    package init(kind: Kind, width: Int, height: Int) {
        self.kind = kind
        self.width = width
        self.height = height
    }

    /// Bytes of one crop: red, green, blue of the first pixel of the top row, then of the next one.
    package var byteCount: Int { 3 * width * height }

    /// How far a decoder may scale a picture down before what a model sees of a square would change: the square keeps
    /// twice the crop's longer side.
    func reduction(for square: Framing.Square) -> Int {
        Framing.reduction(of: square.side, keeping: 2 * max(width, height))
    }
}

extension Manifest {
    /// What the model wants of a picture.
    ///
    /// - Precondition: it is a model that scores; a locator looks at whole pictures.
    package var cropGeometry: CropGeometry {
        switch crop {
        case .face(let margin): CropGeometry(kind: .face(margin: margin), width: input.width, height: input.height)
        case .centralSquare: CropGeometry(kind: .centralSquare, width: input.width, height: input.height)
        case .whole: preconditionFailure("\(name) is a locator, for which nothing is cut")
        }
    }
}

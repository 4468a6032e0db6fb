/// The geometry of preprocessing version 3 (docs/preprocessing.md): which part of an image a network sees, and how far
/// a decoder may scale the image down for that.
///
/// It depends only on the image's size, on boxes and on the manifest, so every worker computes the same.
enum Framing {
    /// The pixels that the longer side keeps, if the file has them, for finding faces: twice the side of the locator's
    /// input.
    static let locatingSide = 640
    /// The most faces of an image that are scored.
    static let faces = 16

    /// The ratio of an upright face box's longer side to its diagonal. The diagonal stays the same when a face is
    /// turned.
    private static let longerSide = 0.8

    /// A square in pixels of the upright image at full size. It lies inside the image before it is turned around its
    /// centre.
    struct Square: Equatable {
        var x: Double
        var y: Double
        var side: Double

        /// Returns the largest square at the centre of an image. Its corner lies on half a pixel if the sides differ by
        /// an odd number.
        static func central(width: Int, height: Int) -> Square {
            let side = Double(min(width, height))
            return Square(x: (Double(width) - side) / 2, y: (Double(height) - side) / 2, side: side)
        }

        /// Creates a square around the centre of a face's box. Its side is `margin` times the longer side of the
        /// upright face's box, but at most the image's shorter side. It is moved into the image where it would stick
        /// out.
        init(around box: FaceBox, turn: Turn = .upright, margin: Double, width: Int, height: Int) {
            let longer =
                turn.wholeQuarters == nil
                ? Framing.longerSide * Double(box.width * box.width + box.height * box.height).squareRoot()
                : Double(max(box.width, box.height))
            side = min(margin * longer, Double(min(width, height)))
            x = min(max(Double(box.x) + Double(box.width) / 2 - side / 2, 0), Double(width) - side)
            y = min(max(Double(box.y) + Double(box.height) / 2 - side / 2, 0), Double(height) - side)
        }

        init(x: Double, y: Double, side: Double) {
            self.x = x
            self.y = y
            self.side = side
        }

        /// The square in whole pixels, for people.
        var rounded: FaceBox {
            FaceBox(
                x: Int(x.rounded()), y: Int(y.rounded()), width: Int(side.rounded()), height: Int(side.rounded()))
        }

        /// Returns the same part of the image after a decoder has scaled it down by `reduction`.
        func region(reducedBy reduction: Int) -> Region {
            let scale = Double(reduction)
            return Region(
                x0: Float(x / scale), y0: Float(y / scale), x1: Float((x + side) / scale),
                y1: Float((y + side) / scale))
        }
    }

    /// Returns the factor by which a decoder scales an image down for finding faces.
    static func locatingReduction(width: Int, height: Int) -> Int {
        reduction(of: Double(max(width, height)), keeping: locatingSide)
    }

    /// Returns the largest of 8, 4, 2 and 1 at which a length keeps at least `pixels` whole pixels; 1 if it never has
    /// them.
    static func reduction(of length: Double, keeping pixels: Int) -> Int {
        [8, 4, 2].first { (length / Double($0)).rounded(.down) >= Double(pixels) } ?? 1
    }

    /// Returns the size of a `width` × `height` image after its longer side was resized to `side`. Both are at least 1.
    static func fitted(width: Int, height: Int, side: Int) -> (width: Int, height: Int) {
        let longer = Double(max(width, height))
        func fit(_ length: Int) -> Int { max(1, Int((Double(length) * Double(side) / longer + 0.5).rounded(.down))) }
        return (fit(width), fit(height))
    }
}

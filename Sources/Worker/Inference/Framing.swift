/// The geometry of preprocessing version 3 (docs/preprocessing.md): which part of a picture a network looks at, and how far
/// a decoder may scale the picture down for that.
///
/// It depends on the picture's size, on boxes and on the manifest only, so that every worker frames alike.
enum Framing {
    /// Pixels that the longer side keeps, if the file has them, when faces are looked for: twice the locator's input.
    static let locatingSide = 640
    /// The most faces of a picture that are scored.
    static let faces = 16

    /// The longer side of an upright face's box in lengths of its diagonal: the diagonal stays when a face is turned.
    private static let longerSide = 0.8

    /// A square of the upright picture at full size, in pixels; never outside of it, before it is turned about its middle.
    struct Square: Equatable {
        var x: Double
        var y: Double
        var side: Double

        /// The largest one in the middle of a picture; its corner lies on a half pixel when the sides differ by an odd
        /// number.
        static func central(width: Int, height: Int) -> Square {
            let side = Double(min(width, height))
            return Square(x: (Double(width) - side) / 2, y: (Double(height) - side) / 2, side: side)
        }

        /// Around the middle of a face's box, `margin` times the longer side that the box has when the face stands upright;
        /// moved into the picture where it would stick out, and cut to the picture's shorter side.
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

        /// To whole pixels, for people.
        var rounded: FaceBox {
            FaceBox(
                x: Int(x.rounded()), y: Int(y.rounded()), width: Int(side.rounded()), height: Int(side.rounded()))
        }

        /// The same place in the picture as a decoder scaled it down.
        func region(reducedBy reduction: Int) -> Region {
            let scale = Double(reduction)
            return Region(
                x0: Float(x / scale), y0: Float(y / scale), x1: Float((x + side) / scale),
                y1: Float((y + side) / scale))
        }
    }

    /// The reduction at which faces are looked for.
    static func locatingReduction(width: Int, height: Int) -> Int {
        reduction(of: Double(max(width, height)), keeping: locatingSide)
    }

    /// The largest of 8, 4, 2 and 1 at which a length keeps so many whole pixels; 1 when it never had them.
    static func reduction(of length: Double, keeping pixels: Int) -> Int {
        [8, 4, 2].first { (length / Double($0)).rounded(.down) >= Double(pixels) } ?? 1
    }

    /// The size of a `width` × `height` picture whose longer side is made `side`; neither is less than 1.
    static func fitted(width: Int, height: Int, side: Int) -> (width: Int, height: Int) {
        let longer = Double(max(width, height))
        func fit(_ length: Int) -> Int { max(1, Int((Double(length) * Double(side) / longer + 0.5).rounded(.down))) }
        return (fit(width), fit(height))
    }
}

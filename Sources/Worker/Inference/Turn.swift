import Glibc

/// By how much a face stands turned clockwise in its picture: the cosine and the sine of the angle. Whole quarters are
/// exact.
///
/// docs/preprocessing.md defines it, `turning.py` in `Models/training/bifrons_training/preprocessing` mirrors it. On the way to a
/// byte no angle is computed: square roots are the same on every machine, sines need not be.
package struct Turn: Equatable, Sendable {
    let cosine: Double
    let sine: Double

    /// Nothing is to be turned.
    package static let upright = Turn(cosine: 1, sine: 0)
    private static let quarters = [
        upright, Turn(cosine: 0, sine: 1), Turn(cosine: -1, sine: 0), Turn(cosine: 0, sine: -1),
    ]

    /// Where an upright face has right eye, left eye, nose, right and left corner of the mouth: the five points to which
    /// ArcFace aligns (Deng et al. 2019), about their middle, made symmetrical and whole.
    private static let layout: [(x: Double, y: Double)] = [(-18, -20), (18, -20), (0, 0), (-15, 20), (15, 20)]
    private static let layoutSpread = layout.reduce(0) { $0 + $1.x * $1.x + $1.y * $1.y }
    /// The tangent up to which a face counts as upright, or as turned by a whole quarter: 26.6°.
    private static let tilt = 0.5
    /// The share of the landmarks' spread that the turned layout must explain: else they are no face's.
    private static let fit = 0.5

    /// - Precondition: `cosine` and `sine` are of one angle.
    init(cosine: Double, sine: Double) {
        self.cosine = cosine
        self.sine = sine
    }

    /// How a face with these landmarks stands: the turn of the similarity that takes the layout nearest to them, in the
    /// sense of least squares (Umeyama 1991).
    ///
    /// Within ``tilt`` of upright or of a whole quarter it is that. Landmarks that are not finite, do not look like a
    /// face's or are not five are upright.
    init(landmarks: [Face.Point]) {
        var (along, across) = (0.0, 0.0)
        for (point, place) in zip(landmarks, Self.layout) {
            along += place.x * point.x + place.y * point.y
            across += place.x * point.y - place.y * point.x
        }
        let middle = (x: landmarks.reduce(0) { $0 + $1.x } / 5, y: landmarks.reduce(0) { $0 + $1.y } / 5)
        let spread = landmarks.reduce(0) { sum, point in
            let (x, y) = (point.x - middle.x, point.y - middle.y)
            return sum + (x * x + y * y)
        }
        let square = along * along + across * across
        let isFace = square > 0 && square >= Self.fit * Self.layoutSpread * spread
        guard landmarks.count == Self.layout.count, square.isFinite, spread.isFinite, isFace else {
            self = .upright
            return
        }
        if abs(across) <= Self.tilt * abs(along) {
            self = Self.quarters[along > 0 ? 0 : 2]
        } else if abs(along) <= Self.tilt * abs(across) {
            self = Self.quarters[across > 0 ? 1 : 3]
        } else {
            let length = square.squareRoot()
            self.init(cosine: along / length, sine: across / length)
        }
    }

    /// How many whole quarters it is, 0 to 3; nil between them.
    var wholeQuarters: Int? { Self.quarters.firstIndex(of: self) }

    /// Clockwise degrees, more than -180 and at most 180, to a tenth: for people.
    package var degrees: Double { (atan2(sine, cosine) * 180 / .pi * 10).rounded() / 10 }
}

import Glibc

/// The clockwise angle by which a face is turned in its image, as cosine and sine. Multiples of 90° are exact.
///
/// docs/preprocessing.md defines it, and `turning.py` in `Models/training/bifrons_training/preprocessing` mirrors it.
/// Crops are computed without any angle: square roots are the same on every machine, but sines need not be.
package struct Turn: Equatable, Sendable {
    let cosine: Double
    let sine: Double

    /// No turn.
    package static let upright = Turn(cosine: 1, sine: 0)
    private static let quarters = [
        upright, Turn(cosine: 0, sine: 1), Turn(cosine: -1, sine: 0), Turn(cosine: 0, sine: -1),
    ]

    /// The landmarks of an upright face: right eye, left eye, nose, right and left corner of the mouth. They are the
    /// five points to which ArcFace aligns (Deng et al. 2019), relative to their centre, made symmetrical and rounded
    /// to integers.
    private static let layout: [(x: Double, y: Double)] = [(-18, -20), (18, -20), (0, 0), (-15, 20), (15, 20)]
    private static let layoutSpread = layout.reduce(0) { $0 + $1.x * $1.x + $1.y * $1.y }
    /// The tangent of the largest tilt, 26.6°, at which a face counts as upright or as turned by a multiple of 90°.
    private static let tilt = 0.5
    /// The smallest share of the landmarks' spread that the turned layout must explain. Otherwise they are not a
    /// face's.
    private static let fit = 0.5

    /// Creates a turn.
    ///
    /// - Precondition: `cosine` and `sine` belong to the same angle.
    init(cosine: Double, sine: Double) {
        self.cosine = cosine
        self.sine = sine
    }

    /// Returns the turn of a face with these landmarks: that of the similarity transform that maps the layout to them
    /// with the least squared error (Umeyama 1991).
    ///
    /// An angle within ``tilt`` of a multiple of 90° is rounded to it. The face counts as upright if the landmarks are
    /// not finite, do not resemble a face, or are not five.
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

    /// The number of 90° turns, 0 to 3; nil for any other angle.
    var wholeQuarters: Int? { Self.quarters.firstIndex(of: self) }

    /// The angle in degrees clockwise, above -180 and at most 180, rounded to a tenth; for people.
    package var degrees: Double { (atan2(sine, cosine) * 180 / .pi * 10).rounded() / 10 }
}

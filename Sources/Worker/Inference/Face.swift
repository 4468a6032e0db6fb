/// A face's place: whole pixels of the upright picture at full size, inside of it, at least 1 × 1.
public struct FaceBox: Hashable, Sendable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// A face that the ``Locator`` found.
public struct Face: Equatable, Sendable {
    /// In pixels of the upright picture at full size.
    public struct Point: Equatable, Sendable {
        public var x: Double
        public var y: Double
    }

    public var box: FaceBox
    /// The locator's logit of "a face".
    public var logit: Float
    /// Right eye, left eye, nose, right and left corner of the mouth (right and left of the person).
    public var landmarks: [Point]
}

/// A face's place: whole pixels of the upright picture at full size, inside of it, at least 1 × 1.
package struct FaceBox: Hashable, Sendable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int

    package init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// A face that the ``Locator`` found.
package struct Face: Equatable, Sendable {
    /// In pixels of the upright picture at full size.
    package struct Point: Equatable, Sendable {
        package var x: Double
        package var y: Double
    }

    package var box: FaceBox
    /// The locator's logit of "a face".
    package var logit: Float
    /// Right eye, left eye, nose, right and left corner of the mouth (right and left of the person).
    package var landmarks: [Point]
}

/// The bounding box of a face, in whole pixels of the upright image at full size. It lies inside the image and is at
/// least 1 × 1.
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
    /// A point in pixels of the upright image at full size.
    package struct Point: Equatable, Sendable {
        package var x: Double
        package var y: Double
    }

    package var box: FaceBox
    /// The locator's logit for "a face".
    package var logit: Float
    /// Right eye, left eye, nose, right and left corner of the mouth. Right and left are the person's own.
    package var landmarks: [Point]
}

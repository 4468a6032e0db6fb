import ImageDecoding

/// A rectangle of an image, in pixels. Its sides may lie between pixel borders.
struct Region: Equatable {
    var x0: Float
    var y0: Float
    var x1: Float
    var y1: Float

    /// Returns the region that covers an image.
    static func whole(of image: RGBImage) -> Region {
        Region(x0: 0, y0: 0, x1: Float(image.width), y1: Float(image.height))
    }
}

import ImageDecoding

/// A rectangle of a picture, in pixels, which may begin and end inside of one.
struct Region: Equatable {
    var x0: Float
    var y0: Float
    var x1: Float
    var y1: Float

    static func whole(of image: RGBImage) -> Region {
        Region(x0: 0, y0: 0, x1: Float(image.width), y1: Float(image.height))
    }
}

/// A picture as bytes: red, green, blue of the first pixel of the top row, then of the next one; no padding.
package struct RGBImage: Hashable, Sendable {
    /// Pixels.
    package let width: Int
    /// Pixels.
    package let height: Int
    /// `height * width * 3` bytes, row by row.
    package let pixels: [UInt8]

    /// - Precondition: `pixels` holds exactly `height * width * 3` bytes.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == height * width * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// The formats that are read.
package enum ImageFormat: String, CaseIterable, Sendable {
    case jpeg, png

    /// As people write it.
    var title: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        }
    }
}

/// A file that was read to its end without a doubt about any pixel.
package struct DecodedImage: Sendable {
    package let format: ImageFormat
    /// Pixels of the upright picture at full size.
    package let width: Int
    /// Pixels of the upright picture at full size.
    package let height: Int
    /// 1, 2, 4 or 8: pixel (x, y) of `image` stands for the square of that side at (x * reduction, y * reduction) of the
    /// full-size picture. The last column and row may stand for less.
    package let reduction: Int
    /// The upright picture, each side divided by `reduction` and rounded up.
    package let image: RGBImage
}

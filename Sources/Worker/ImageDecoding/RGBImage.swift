/// An image as bytes: red, green and blue of each pixel, row by row from the top left, without padding.
package struct RGBImage: Hashable, Sendable {
    /// In pixels.
    package let width: Int
    /// In pixels.
    package let height: Int
    /// `height * width * 3` bytes, row by row.
    package let pixels: [UInt8]

    /// Creates an image from its pixels.
    ///
    /// - Precondition: The sides are positive and `pixels` holds exactly `height * width * 3` bytes.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == height * width * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// The supported file formats.
package enum ImageFormat: String, CaseIterable, Sendable {
    case jpeg, png, webp, gif, avif, heic

    /// The formats that this build reads: all, unless the package's trait HEIF was left out.
    package static let read: [ImageFormat] = {
        #if HEIF
            allCases
        #else
            allCases.filter { $0 != .avif && $0 != .heic }
        #endif
    }()

    /// The format's name in messages.
    var title: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .gif: "GIF"
        case .avif: "AVIF"
        case .heic: "HEIC"
        }
    }
}

/// An image whose file was decoded to its end without any error in the pixels.
package struct DecodedImage: Sendable {
    package let format: ImageFormat
    /// The width in pixels of the upright image at full size.
    package let width: Int
    /// The height in pixels of the upright image at full size.
    package let height: Int
    /// The factor, 1, 2, 4 or 8, by which `image` is smaller than the full size. Pixel (x, y) of `image` covers the
    /// square of `reduction` pixels a side at (x * reduction, y * reduction). The last column and row may cover less.
    package let reduction: Int
    /// Whether the file has further frames; `image` is the first one.
    package var isAnimated = false
    /// The upright image, with each side divided by `reduction` and rounded up.
    package let image: RGBImage
}

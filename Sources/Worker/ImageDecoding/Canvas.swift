/// The layout of a pixel in a decoder's row, and its conversion to RGB.
protocol PixelLayout {
    static var channels: Int { get }
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8)
}

enum RGBLayout: PixelLayout {
    static let channels = 3

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) { (pixel[0], pixel[1], pixel[2]) }
}

/// RGBA with alpha not premultiplied, composited on white. Values are blended without gamma correction, as browsers do.
enum RGBAOnWhiteLayout: PixelLayout {
    static let channels = 4

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) {
        let alpha = UInt32(pixel[3])
        func composite(_ value: UInt8) -> UInt8 { UInt8((UInt32(value) * alpha + 255 * (255 - alpha) + 127) / 255) }
        return (composite(pixel[0]), composite(pixel[1]), composite(pixel[2]))
    }
}

/// RGBA with alpha premultiplied, composited on white.
enum PremultipliedOnWhiteLayout: PixelLayout {
    static let channels = 4

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) {
        func composite(_ value: UInt8) -> UInt8 { UInt8(min(UInt32(value) + 255 - UInt32(pixel[3]), 255)) }
        return (composite(pixel[0]), composite(pixel[1]), composite(pixel[2]))
    }
}

/// Inverted CMYK, where 255 means no ink. Adobe's programs write this, and CMYK files on the web mean it even without
/// Adobe's marker, so browsers and Pillow always read them this way. Converts without a profile: red is the light that
/// cyan and black let through.
enum InvertedCMYKLayout: PixelLayout {
    static let channels = 4

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) {
        let black = UInt32(pixel[3])
        func light(_ value: UInt8) -> UInt8 { UInt8((UInt32(value) * black + 127) / 255) }
        return (light(pixel[0]), light(pixel[1]), light(pixel[2]))
    }
}

/// The upright image while it is filled. Each pixel goes directly from its stored position to its upright position,
/// whatever the orientation and interlacing, so only one image is in memory.
struct Canvas {
    /// Pixels of a stored row that a decoder returns side by side: every `step`-th pixel from `first` on.
    struct Run {
        var first = 0
        var step = 1
        var count: Int
    }

    private let pixels: UnsafeMutablePointer<UInt8>
    private let byteCount: Int
    /// The byte offset of the stored pixel (0, 0), and the byte distances from a pixel to its right and lower
    /// neighbours.
    private let origin: Int
    private let stepX: Int
    private let stepY: Int

    /// Creates a canvas.
    ///
    /// - Parameters:
    ///   - pixels: Memory for `storedWidth * storedHeight * 3` bytes.
    ///   - storedWidth: The width in pixels, as stored in the file.
    ///   - storedHeight: The height in pixels, as stored in the file.
    ///   - orientation: The orientation that the file declares.
    init(_ pixels: UnsafeMutablePointer<UInt8>, storedWidth: Int, storedHeight: Int, orientation: Orientation) {
        let width = orientation.swapsSides ? storedHeight : storedWidth
        let height = orientation.swapsSides ? storedWidth : storedHeight
        let (right, down) = (3, 3 * width)
        let (lastColumn, lastRow) = (right * (width - 1), down * (height - 1))
        self.pixels = pixels
        byteCount = 3 * storedWidth * storedHeight
        (origin, stepX, stepY) =
            switch orientation {
            case .upright: (0, right, down)
            case .mirrored: (lastColumn, -right, down)
            case .rotated180: (lastColumn + lastRow, -right, -down)
            case .flipped: (lastRow, right, -down)
            case .transposed: (0, down, right)
            case .rotated90: (lastColumn, down, -right)
            case .transversed: (lastColumn + lastRow, -down, -right)
            case .rotated270: (lastRow, -down, right)
            }
    }

    /// Returns where a decoder can write the stored row `y` directly as RGB; nil if its pixels do not stay in order.
    func row(_ y: Int) -> UnsafeMutablePointer<UInt8>? {
        stepX == 3 ? pixels + (origin + y * stepY) : nil
    }

    /// Makes the whole image white.
    func whiten() { pixels.update(repeating: 255, count: byteCount) }

    /// Writes `run.count` pixels of the stored row `y` to their upright positions.
    func place<Layout: PixelLayout>(_ row: UnsafePointer<UInt8>, as layout: Layout.Type, y: Int, _ run: Run) {
        var from = row
        var to = pixels + (origin + y * stepY + run.first * stepX)
        let step = run.step * stepX
        for _ in 0..<run.count {
            (to[0], to[1], to[2]) = Layout.rgb(from)
            from += Layout.channels
            to += step
        }
    }
}

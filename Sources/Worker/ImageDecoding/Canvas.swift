/// How a decoder's row spells a pixel, and what that is in RGB.
protocol PixelLayout {
    static var channels: Int { get }
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8)
}

enum RGBLayout: PixelLayout {
    static let channels = 3

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) { (pixel[0], pixel[1], pixel[2]) }
}

/// Alpha not premultiplied, composited on white. Gamma is left alone, as browsers do it.
enum RGBAOnWhiteLayout: PixelLayout {
    static let channels = 4

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) {
        let alpha = UInt32(pixel[3])
        func composite(_ value: UInt8) -> UInt8 { UInt8((UInt32(value) * alpha + 255 * (255 - alpha) + 127) / 255) }
        return (composite(pixel[0]), composite(pixel[1]), composite(pixel[2]))
    }
}

/// 255 is no ink: what Adobe's programs write, and what CMYK files on the web mean also without Adobe's marker, so that
/// browsers and Pillow read them all this way. Without a profile: red is what cyan and black let through.
enum InvertedCMYKLayout: PixelLayout {
    static let channels = 4

    @inline(__always)
    static func rgb(_ pixel: UnsafePointer<UInt8>) -> (UInt8, UInt8, UInt8) {
        let black = UInt32(pixel[3])
        func light(_ value: UInt8) -> UInt8 { UInt8((UInt32(value) * black + 127) / 255) }
        return (light(pixel[0]), light(pixel[1]), light(pixel[2]))
    }
}

/// The upright picture while it is being filled. Pixels go straight from the order in which the file stores them to
/// where they belong, whatever the orientation and the interlacing, so that no second picture is ever held.
struct Canvas {
    /// Pixels that land beside each other: every `step`-th of a stored row, from `first` on.
    struct Run {
        var first = 0
        var step = 1
        var count: Int
    }

    private let pixels: UnsafeMutablePointer<UInt8>
    /// Where the stored pixel (0, 0) lands, and how far the next one to its right and below it lie, in bytes.
    private let origin: Int
    private let stepX: Int
    private let stepY: Int

    /// - Parameters:
    ///   - pixels: room for `storedWidth * storedHeight * 3` bytes.
    init(_ pixels: UnsafeMutablePointer<UInt8>, storedWidth: Int, storedHeight: Int, orientation: Orientation) {
        let width = orientation.swapsSides ? storedHeight : storedWidth
        let height = orientation.swapsSides ? storedWidth : storedHeight
        let (right, down) = (3, 3 * width)
        let (lastColumn, lastRow) = (right * (width - 1), down * (height - 1))
        self.pixels = pixels
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

    /// Where the stored row `y` can be written as it is, if its pixels land in order.
    func row(_ y: Int) -> UnsafeMutablePointer<UInt8>? {
        stepX == 3 ? pixels + (origin + y * stepY) : nil
    }

    /// Puts `run.count` pixels of the stored row `y` in their places.
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

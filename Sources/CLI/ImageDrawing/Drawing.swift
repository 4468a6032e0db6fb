package import ImageDecoding

/// Marks regions of an image: each gets a frame and a plate with a label.
///
/// Lines and letters grow with the image. A plate is placed above its frame, below it or inside it, where there is room
/// and no other plate, and never outside of the image. If an image is too small for a plate, only the frame is drawn.
package struct Drawing {
    /// Colours from Okabe and Ito (2008), which people with any colour vision can tell apart.
    package enum Colour: Sendable {
        /// Vermillion.
        case alarm
        /// Bluish green.
        case calm
        /// Grey, for a region without a probability.
        case neutral

        var rgb: (UInt8, UInt8, UInt8) {
            switch self {
            case .alarm: (213, 94, 0)
            case .calm: (0, 158, 115)
            case .neutral: (96, 96, 96)
            }
        }
    }

    /// A region to mark, in pixels. The part outside of the image is not drawn.
    package struct Mark: Sendable {
        package var x: Int
        package var y: Int
        package var width: Int
        package var height: Int
        /// The label. Digits, ` `, `.`, `%`, `°`, `-` and the letters of "AI", "at" and "no face" are drawn, others are
        /// left blank.
        package var label: String
        package var colour: Colour
        package var isDashed: Bool

        package init(
            x: Int, y: Int, width: Int, height: Int, label: String, colour: Colour, isDashed: Bool = false
        ) {
            self.x = x
            self.y = y
            self.width = width
            self.height = height
            self.label = label
            self.colour = colour
            self.isDashed = isDashed
        }
    }

    private struct Rectangle {
        var x: Int
        var y: Int
        var width: Int
        var height: Int

        func meets(_ other: Rectangle) -> Bool {
            x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height
        }
    }

    private let width: Int
    private let height: Int
    private var pixels: [UInt8]

    private init(_ image: RGBImage) {
        width = image.width
        height = image.height
        pixels = image.pixels
    }

    /// Returns the image with the marks drawn. The plate of the first mark is placed first.
    package static func draw(_ marks: [Mark], on image: RGBImage) -> RGBImage {
        var drawing = Drawing(image)
        for mark in marks.reversed() { drawing.frame(mark) }
        var plates: [Rectangle] = []
        for mark in marks {
            if let plate = drawing.plate(mark, avoiding: plates) { plates.append(plate) }
        }
        return RGBImage(width: drawing.width, height: drawing.height, pixels: drawing.pixels)
    }

    /// The width of a frame's line in pixels.
    private var line: Int { max(min(width, height) < 64 ? 1 : 2, max(width, height) / 300) }

    private mutating func frame(_ mark: Mark) {
        let (right, bottom) = (mark.x + mark.width, mark.y + mark.height)
        let thickness = min(line, max(1, mark.width / 2), max(1, mark.height / 2))
        let dash = mark.isDashed ? 4 * thickness : Int.max
        for (y, x) in [(mark.y, mark.x), (bottom - thickness, mark.x)] {
            fill(Rectangle(x: x, y: y, width: mark.width, height: thickness), mark.colour.rgb) { column, _ in
                (column - mark.x) / dash % 2 == 0
            }
        }
        for (x, y) in [(mark.x, mark.y), (right - thickness, mark.y)] {
            fill(Rectangle(x: x, y: y, width: thickness, height: mark.height), mark.colour.rgb) { _, row in
                (row - mark.y) / dash % 2 == 0
            }
        }
    }

    /// Draws a mark's label where it fits. Returns its place, or nil if it fits nowhere.
    private mutating func plate(_ mark: Mark, avoiding others: [Rectangle]) -> Rectangle? {
        let characters = Array(mark.label)
        // One pixel between letters, and one pixel of plate around them.
        let (columns, rows) = (characters.count * (Glyphs.width + 1) + 1, Glyphs.height + 2)
        let scale = min(max(1, max(width, height) / 320), width / columns, height / rows)
        guard scale > 0, !characters.isEmpty else { return nil }
        let (plateWidth, plateHeight) = (columns * scale, rows * scale)
        let x = min(max(mark.x, 0), width - plateWidth)
        let inside = mark.y + line
        let tops = [
            mark.y - plateHeight, mark.y + mark.height, inside, mark.y + mark.height - line - plateHeight,
        ]
        let places = (tops + [min(max(inside, 0), height - plateHeight)])
            .map { Rectangle(x: x, y: $0, width: plateWidth, height: plateHeight) }
            .filter { $0.y >= 0 && $0.y + plateHeight <= height }
        guard let place = places.first(where: { place in !others.contains { $0.meets(place) } }) ?? places.first else {
            return nil
        }
        fill(place, mark.colour.rgb)
        for (index, character) in characters.enumerated() {
            guard let glyph = Glyphs.rows(of: character) else { continue }
            for (row, bits) in glyph.enumerated() {
                for column in 0..<Glyphs.width where bits >> (Glyphs.width - 1 - column) & 1 == 1 {
                    let dot = Rectangle(
                        x: place.x + (1 + index * (Glyphs.width + 1) + column) * scale,
                        y: place.y + (1 + row) * scale, width: scale, height: scale)
                    fill(dot, (255, 255, 255))
                }
            }
        }
        return place
    }

    /// Paints the part of a rectangle inside the image, for columns and rows where `isPainted` returns true.
    private mutating func fill(
        _ rectangle: Rectangle, _ colour: (UInt8, UInt8, UInt8), where isPainted: (Int, Int) -> Bool = { _, _ in true }
    ) {
        let columns = max(rectangle.x, 0)..<max(min(rectangle.x + rectangle.width, width), max(rectangle.x, 0))
        let rows = max(rectangle.y, 0)..<max(min(rectangle.y + rectangle.height, height), max(rectangle.y, 0))
        for row in rows {
            for column in columns where isPainted(column, row) {
                let place = (row * width + column) * 3
                (pixels[place], pixels[place + 1], pixels[place + 2]) = colour
            }
        }
    }
}

import ImageDecoding
import ImageDrawing
import Testing

@Suite struct DrawingTests {
    private static func blank(_ width: Int, _ height: Int) -> RGBImage {
        RGBImage(width: width, height: height, pixels: Array(repeating: 0, count: width * height * 3))
    }

    /// Returns the image as text: `#` vermillion, `+` green, `o` white, `.` unchanged.
    private static func text(_ image: RGBImage) -> [String] {
        (0..<image.height).map { y in
            String(
                (0..<image.width).map { x in
                    let place = (y * image.width + x) * 3
                    switch Array(image.pixels[place..<place + 3]) {
                    case [213, 94, 0]: return "#"
                    case [0, 158, 115]: return "+"
                    case [255, 255, 255]: return "o"
                    default: return "."
                    }
                })
        }
    }

    private static func mark(
        _ x: Int, _ y: Int, _ width: Int, _ height: Int, _ label: String = "", _ colour: Drawing.Colour = .alarm,
        isDashed: Bool = false
    ) -> Drawing.Mark {
        Drawing.Mark(x: x, y: y, width: width, height: height, label: label, colour: colour, isDashed: isDashed)
    }

    @Test func aFrameIsDrawnOnTheBorderOfItsBox() {
        let image = Drawing.draw([Self.mark(1, 1, 4, 3)], on: Self.blank(6, 5))
        #expect(Self.text(image) == ["......", ".####.", ".#..#.", ".####.", "......"])
    }

    @Test func aLabelIsDrawnAboveItsFrame() {
        let image = Drawing.draw([Self.mark(2, 10, 12, 4, "1%", .calm)], on: Self.blank(16, 16))
        #expect(
            Self.text(image)[0...10] == [
                "................",
                "..+++++++++++++.", "..+++o+++oo++o+.", "..++oo+++oo++o+.", "..+++o++++++o++.", "..+++o+++++o+++.",
                "..+++o++++o++++.", "..+++o+++o++oo+.", "..++ooo++o++oo+.", "..+++++++++++++.",
                "..++++++++++++..",
            ])
    }

    @Test func aLabelWithoutRoomAboveIsDrawnBelowOrInsideTheBox() {
        let below = Self.text(Drawing.draw([Self.mark(0, 0, 10, 6, "0")], on: Self.blank(16, 16)))
        #expect(below[6].hasPrefix("#######.") && below[7].contains("o"))
        let inside = Self.text(Drawing.draw([Self.mark(0, 0, 16, 16, "0")], on: Self.blank(16, 16)))
        #expect(inside[2].contains("o") && inside[0] == String(repeating: "#", count: 16))
    }

    @Test func labelsDoNotOverlap() {
        let marks = [Self.mark(0, 20, 20, 20, "0"), Self.mark(3, 20, 20, 20, "0", .calm)]
        let lines = Self.text(Drawing.draw(marks, on: Self.blank(50, 50)))
        #expect(lines[12].contains("o") && !lines[12].contains("+"))
        #expect(lines[41].contains("o"))
    }

    @Test(arguments: [(1, 1), (8, 8), (3, 2000), (2000, 3)])
    func aBoxTooSmallForALabelHasOnlyItsFrame(width: Int, height: Int) {
        let image = Drawing.draw([Self.mark(0, 0, width, height, "AI 100.0 %")], on: Self.blank(width, height))
        #expect((image.width, image.height) == (width, height))
        #expect(!Self.text(image).joined().contains("o"))
        #expect(Self.text(image)[0].hasPrefix("#"))
    }

    @Test func marksAreClippedToTheImage() {
        for mark in [
            Self.mark(-5, -5, 8, 8), Self.mark(4, 4, 100, 100), Self.mark(50, 50, 5, 5), Self.mark(2, 2, 0, 0),
        ] {
            var labelled = mark
            labelled.label = "no face"
            #expect(Drawing.draw([mark, labelled], on: Self.blank(20, 20)).width == 20)
        }
    }

    @Test func aDashedFrameHasGaps() {
        let line = Self.text(Drawing.draw([Self.mark(0, 0, 20, 20, isDashed: true)], on: Self.blank(20, 20)))[0]
        #expect(line == "####....####....####")
    }

    @Test func linesAndLettersScaleWithTheImage() {
        let lines = Self.text(Drawing.draw([Self.mark(100, 900, 800, 800, "1")], on: Self.blank(1800, 1800)))
        // Lines are six pixels wide, and the dots of letters five pixels.
        #expect(lines[1000].hasPrefix(String(repeating: ".", count: 100) + "######."))
        #expect(lines[899 - 8].contains("ooooooooooooooo"))
    }

    @Test(arguments: ImageEncoder.Format.allCases)
    func anEncodedImageIsDecodedAgain(format: ImageEncoder.Format) throws {
        let pixels = (0..<3600).map { (place: Int) -> UInt8 in UInt8(place / 3 % 40 * 5) }
        let image = RGBImage(width: 40, height: 30, pixels: pixels)
        let decoded = try ImageDecoder().decode(ImageEncoder.encode(image, as: format))
        #expect(decoded.format.rawValue == format.rawValue)
        let difference = zip(decoded.image.pixels, pixels).map { abs(Int($0) - Int($1)) }.max() ?? 255
        #expect(difference <= (format == .png ? 0 : 8))
    }

    @Test func aSideThatJPEGDoesNotAllowIsAnError() throws {
        #expect(throws: ImageEncoder.EncodeError.self) {
            try ImageEncoder.encode(Self.blank(70_000, 1), as: .jpeg)
        }
        #expect(try !ImageEncoder.encode(Self.blank(70_000, 1), as: .png).isEmpty)
    }
}

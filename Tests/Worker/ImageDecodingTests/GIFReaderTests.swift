import ImageDecoding
import TestImages
import Testing

@Suite struct GIFReaderTests {
    /// Two colours: number 1 is (10, 20, 30).
    private static let colours: [UInt8] = [200, 100, 50, 10, 20, 30]

    /// Returns red, green and blue of each pixel of a file of ``TestImages``; the transparent colour is white.
    private static func pixels(width: Int, height: Int, bits: Int, transparent: UInt8? = nil) -> [UInt8] {
        let colours = TestImages.gifColours(bits: bits)
        return TestImages.gifNumbers(width: width, height: height, bits: bits).flatMap { number -> [UInt8] in
            number == transparent ? [255, 255, 255] : Array(colours[3 * Int(number)..<3 * Int(number) + 3])
        }
    }

    private static func frame(_ numbers: [UInt8], flags: UInt8 = 0, colours: [UInt8] = [], left: Int = 0) -> [UInt8] {
        TestImages.gifFrame(
            left: left, width: numbers.count, height: 1, flags: flags | TestImages.tableFlags(colours),
            colours + TestImages.gifData(numbers, bits: 2))
    }

    /// The largest of these fill the table of strings several times.
    @Test(arguments: 2...8, [false, true])
    func everyDepthIsExact(bits: Int, isInterlaced: Bool) throws {
        for (width, height) in [(1, 1), (2, 5), (9, 1), (19, 13), (150, 120)] {
            for clearsWhenFull in [true, false] {
                let file = TestImages.gif(
                    width: width, height: height, bits: bits, isInterlaced: isInterlaced,
                    clearsWhenFull: clearsWhenFull)
                let image = try decoded(file, reduction: 8)
                #expect((image.format, image.width, image.height) == (.gif, width, height))
                #expect(image.reduction == 1 && !image.isAnimated)
                #expect(image.image.pixels == Self.pixels(width: width, height: height, bits: bits))
            }
        }
    }

    @Test func theTransparentColourIsWhite() throws {
        let file = TestImages.gif(width: 40, height: 30, bits: 3, transparent: 4)
        #expect(try decoded(file).image.pixels == Self.pixels(width: 40, height: 30, bits: 3, transparent: 4))
        // Only the last extension before the frame counts, and the transparent colour need not be in the table.
        let header = TestImages.gifHeader(width: 2, height: 1, Self.colours)
        let controls = TestImages.gifControl(transparent: 1)
        let text: [UInt8] = [0x21, 0xFE, 3, 1, 2, 3, 0]
        for (before, expected) in [
            (controls + text, [255, 255, 255] as [UInt8]), (controls + TestImages.gifControl(), [10, 20, 30]),
        ] { #expect(try decoded(header + before + Self.frame([1, 1])).image[0, 0] == expected) }
        let outside = header + TestImages.gifControl(transparent: 3) + Self.frame([3, 1])
        #expect(try decoded(outside).image.pixels == [255, 255, 255, 10, 20, 30])
    }

    @Test func aFramesOwnColoursReplaceTheOthers() throws {
        let frame = Self.frame([0, 1], colours: [1, 2, 3, 4, 5, 6])
        for header in [
            TestImages.gifHeader(width: 2, height: 1), TestImages.gifHeader(width: 2, height: 1, Self.colours),
        ] {
            #expect(try decoded(header + frame).image.pixels == [1, 2, 3, 4, 5, 6])
        }
    }

    @Test func oneColourIsAnImage() throws {
        let numbers = [UInt8](repeating: 1, count: 100_000)
        let file =
            TestImages.gifHeader(width: 1000, height: 100, Self.colours)
            + TestImages.gifFrame(width: 1000, height: 100, TestImages.gifData(numbers, bits: 2)) + [0x3B]
        #expect(file.count < 1000)
        #expect(try decoded(file).image.pixels == numbers.flatMap { _ in [10, 20, 30] as [UInt8] })
    }

    @Test func anAnimationIsItsFirstFrameOnTheCanvas() throws {
        let alone = try decoded(TestImages.gif(width: 12, height: 9)).image
        for (canvas, size) in [((30, 20), (30, 20)), ((3, 40), (16, 40)), ((0, 0), (16, 11))] {
            let file = TestImages.gif(width: 12, height: 9, left: 4, top: 2, canvas: canvas, others: 2)
            let image = try decoded(file)
            #expect(image.isAnimated && (image.width, image.height) == size)
            for y in 0..<image.height {
                for x in 0..<image.width {
                    let isInside = (4..<16).contains(x) && (2..<11).contains(y)
                    #expect(image.image[x, y] == (isInside ? alone[x - 4, y - 2] : [255, 255, 255]))
                }
            }
        }
    }

    @Test func whatIsBehindTheFirstFrameChangesNothingButTheWord() throws {
        let file = TestImages.gif(width: 12, height: 9)
        let plain = try decoded(file)
        let text: [UInt8] = [0x21, 0xFE, 3, 1, 2, 3, 0]
        for (behind, isAnimated) in [
            ([], false), ([0x3B, 0x2C], false), ([1, 0x2C], false), (text, false), (text + [0x2C], true),
            ([0x2C], true), (Array(text.dropLast(2)), false),
        ] as [([UInt8], Bool)] {
            let image = try decoded(file.dropLast() + behind)
            #expect(image.image == plain.image && image.isAnimated == isAnimated, "\(behind)")
        }
    }

    /// Every pixel is there before the end code, the empty block and the trailer are.
    @Test(arguments: [
        TestImages.gif(width: 40, height: 30), TestImages.gif(width: 9, height: 33, bits: 2, isInterlaced: true),
        TestImages.gif(width: 12, height: 9, bits: 3, transparent: 2, left: 4, top: 2, canvas: (30, 20), others: 1),
    ])
    func truncatedBeforeTheLastPixelIsAnError(file: [UInt8]) throws {
        let whole = try decoded(file)
        var images = 0
        for count in 6..<file.count {
            let cut = Array(file[..<count])
            if let error = failure(cut) {
                #expect(error.status == 422 && error.code == "image_truncated", "\(count) of \(file.count): \(error)")
                #expect(images == 0)
            } else {
                images += 1
                #expect(try decoded(cut).image == whole.image, "\(count) of \(file.count)")
            }
        }
        #expect(images > 0 && (whole.isAnimated || images < 6))
        #expect(try #require(failure(Array(file.prefix(file.count / 2)))).message.contains("pixels"))
    }

    @Test func anEarlyEndIsTruncated() {
        let header = TestImages.gifHeader(width: 3, height: 1, Self.colours)
        for data in [TestImages.gifData([1, 0], bits: 2), [2] + TestImages.gifBlocks([]), [2, 1, 0x44], [2], []] {
            let file = header + TestImages.gifFrame(width: 3, height: 1, data)
            #expect(failure(file)?.code == "image_truncated", "\(data)")
        }
    }

    @Test func whatContradictsItselfIsCorrupt() {
        let header = TestImages.gifHeader(width: 3, height: 1, Self.colours)
        func codes(_ bytes: [UInt8], bits: UInt8 = 2) -> [UInt8] {
            header + TestImages.gifFrame(width: 3, height: 1, [bits] + TestImages.gifBlocks(bytes))
        }
        let broken: [(String, [UInt8])] = [
            ("no image", header + [0x3B]),
            ("no block", header + [0]),
            ("no colours", TestImages.gifHeader(width: 3, height: 1) + Self.frame([0, 1, 0])),
            ("a colour outside of its table", header + Self.frame([0, 2, 0])),
            ("a first code that is no colour", codes([0b110_100, 0])),
            ("a code that is not defined yet", codes([0b11_000_100, 1])),
            ("numbers of one bit", codes([0x44, 1], bits: 1)),
            ("numbers of nine bits", codes([0x44, 1], bits: 9)),
        ]
        for (name, file) in broken {
            let error = failure(file)
            #expect(error?.code == "image_corrupt", "\(name): \(String(describing: error))")
        }
    }

    @Test func zeroSizedIsAnError() {
        let header = TestImages.gifHeader(width: 3, height: 1, Self.colours)
        for (width, height) in [(0, 1), (1, 0), (0, 0)] {
            let file = header + TestImages.gifFrame(width: width, height: height, TestImages.gifData([1], bits: 2))
            #expect(failure(file)?.code == "image_zero_sized")
        }
    }

    @Test func aScreenOverTheLimitIsTooLarge() throws {
        let file = TestImages.gifHeader(width: 65_535, height: 65_535, Self.colours) + Self.frame([1, 0])
        let error = try #require(failure(file))
        #expect(error.status == 413 && error.message.contains("65535 × 65535 pixels"))
        let far = TestImages.gifHeader(width: 1, height: 1, Self.colours) + Self.frame([1, 0], left: 65_534)
        #expect(try decoded(far).width == 65_536)
    }

    @Test(arguments: [
        TestImages.gif(width: 20, height: 15, bits: 5), TestImages.gif(width: 12, height: 9, clearsWhenFull: false),
        TestImages.gif(width: 12, height: 9, bits: 3, transparent: 2, left: 4, top: 2, canvas: (30, 20), others: 1),
    ])
    func aFlippedByteGivesAnImageOrAnError(file: [UInt8]) {
        expectAnImageOrAnError(whenAnyByteIsFlippedIn: file) { $0 < 6 }
    }

    @Test func codesOfNonsenseGiveAnImageOrAnError() {
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var images = 0
        for _ in 0..<3000 {
            let bits = 2 + next(7)
            let data = (0..<next(600)).map { _ in UInt8(next(256)) }
            let file =
                TestImages.gifHeader(width: 8, height: 8, TestImages.gifColours(bits: 8))
                + TestImages.gifFrame(
                    width: 1 + next(9), height: 1 + next(9), [UInt8(bits)] + TestImages.gifBlocks(data))
            switch failure(file)?.status {
            case nil: images += 1
            case let status: #expect(status == 422)
            }
        }
        #expect(images > 50)
    }
}

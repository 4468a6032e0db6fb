import ImageDecoding
import TestImages
import Testing

@Suite struct PNGReaderTests {
    /// Returns a sample that differs from pixel to pixel and includes both ends of the range.
    private static func sample(_ x: Int, _ y: Int, _ channel: Int, depth: Int) -> Int {
        let top = 1 << depth - 1
        if x == 0, y == 0 { return 0 }
        if x == 1, y == 0 { return top }
        return (x * 7919 + y * 104_729 + channel * 1299) * 31 % (top + 1)
    }

    /// Returns a sample converted to 8 bits, rounded.
    private static func byte(_ sample: Int, depth: Int) -> Int {
        let top = 1 << depth - 1
        return (sample * 255 * 2 + top) / (top * 2)
    }

    private static func onWhite(_ value: Int, alpha: Int) -> UInt8 {
        UInt8(((value * alpha + 255 * (255 - alpha)) * 2 + 255) / 510)
    }

    static let kinds = TestImages.PNGColour.allCases.flatMap { colour in colour.depths.map { (colour, $0) } }

    @Test(arguments: kinds, [false, true])
    func everyColourTypeAndDepthIsDecodedExactly(kind: (TestImages.PNGColour, Int), isInterlaced: Bool) throws {
        let (colour, depth) = kind
        let entries = colour == .palette ? UInt8.min...UInt8((1 << depth) - 1) : 0...0
        let palette = entries.flatMap { (entry: UInt8) -> [UInt8] in [entry &* 37, 255 - entry, entry &* 5] }
        for (width, height) in [(19, 13), (1, 1), (2, 5), (5, 1), (9, 9)] {
            let file = TestImages.png(
                width: width, height: height, colour: colour, depth: depth, isInterlaced: isInterlaced,
                palette: colour == .palette ? palette : []
            ) { Self.sample($0, $1, $2, depth: depth) }
            var expected: [UInt8] = []
            for y in 0..<height {
                for x in 0..<width {
                    let samples = (0..<colour.channels).map { Self.sample(x, y, $0, depth: depth) }
                    let bytes = samples.map { Self.byte($0, depth: depth) }
                    switch colour {
                    case .gray: expected += [UInt8](repeating: UInt8(bytes[0]), count: 3)
                    case .rgb: expected += bytes.map { UInt8($0) }
                    case .palette: expected += palette[samples[0] * 3..<samples[0] * 3 + 3]
                    case .grayAlpha:
                        expected += [UInt8](repeating: Self.onWhite(bytes[0], alpha: bytes[1]), count: 3)
                    case .rgba: expected += bytes[..<3].map { Self.onWhite($0, alpha: bytes[3]) }
                    }
                }
            }
            let image = try decoded(file)
            #expect(image.format == .png)
            #expect((image.width, image.height, image.reduction) == (width, height, 1))
            #expect(image.image.pixels == expected)
        }
    }

    @Test(arguments: [1, 2, 4, 8, 16])
    func theTransparentGrayBecomesWhite(depth: Int) throws {
        let key = 1 << depth - 2  // the second brightest
        let file = TestImages.png(
            width: 3, height: 1, colour: .gray, depth: depth, transparency: [UInt8(key >> 8), UInt8(key & 255)]
        ) { x, _, _ in x == 1 ? key : 1 << depth - 1 - (x == 0 ? 0 : (1 << depth - 1) * (depth > 1 ? 1 : 0)) }
        let image = try decoded(file).image
        #expect(image[0, 0] == [255, 255, 255])
        #expect(image[1, 0] == [255, 255, 255])
        #expect(image[2, 0] == (depth > 1 ? [0, 0, 0] : [255, 255, 255]))
    }

    @Test(arguments: [8, 16])
    func theTransparentColourBecomesWhite(depth: Int) throws {
        let unit = depth == 8 ? 1 : 257
        let key = [10, 20, 30].map { $0 * unit }
        let transparency = key.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let file = TestImages.png(width: 2, height: 1, colour: .rgb, depth: depth, transparency: transparency) {
            x, _, channel in key[channel] + (x == 1 && channel == 2 ? unit : 0)
        }
        let image = try decoded(file).image
        #expect(image[0, 0] == [255, 255, 255])
        #expect(image[1, 0] == [10, 20, 31])
    }

    @Test func aTranslucentPaletteIsBlendedOntoWhite() throws {
        let file = TestImages.png(
            width: 3, height: 1, colour: .palette, depth: 2, palette: [0, 0, 0, 0, 0, 0, 200, 100, 50],
            transparency: [0, 51]
        ) { x, _, _ in x }
        let image = try decoded(file).image
        #expect(image[0, 0] == [255, 255, 255])
        #expect(image[1, 0] == [204, 204, 204])
        #expect(image[2, 0] == [200, 100, 50])
    }

    @Test func ancillaryChunksAreNotDecoded() throws {
        let bomb = TestImages.chunk("zTXt", Array("k\0\0".utf8) + [UInt8](repeating: 0xFF, count: 3000))
        let profile = TestImages.chunk("iCCP", Array("broken\0\0".utf8) + [1, 2, 3])
        let file = TestImages.png(width: 3, height: 3, colour: .rgb, chunks: bomb + profile) { x, y, _ in x + y }
        #expect(failure(file) == nil)
    }

    @Test func anImageThatDeclaresTenGigapixelsIsTooLarge() throws {
        let header = TestImages.pngSignature + TestImages.pngHeader(width: 100_000, height: 100_000)
        let whole = header + TestImages.imageData(TestImages.zlib([0])) + TestImages.chunk("IEND", [])
        for file in [whole, header] {
            let error = try #require(failure(file))
            #expect(error.status == 413)
            #expect(error.message.contains("100000 × 100000 pixels"))
        }
    }

    @Test func anImageWithASideOverOneMillionPixelsIsTooLarge() throws {
        for (width, height) in [(1_000_001, 1), (1, 1_000_001), (0x7FFF_FFFF, 0x7FFF_FFFF), (0xFFFF_FFFF, 1)] {
            let file = TestImages.pngSignature + TestImages.pngHeader(width: width, height: height)
            #expect(failure(file)?.status == 413)
        }
    }

    @Test func aZeroSizedImageIsAnError() {
        for (width, height) in [(0, 10), (10, 0), (0, 0)] {
            let file =
                TestImages.pngSignature + TestImages.pngHeader(width: width, height: height)
                + TestImages.imageData(TestImages.zlib([0])) + TestImages.chunk("IEND", [])
            #expect(failure(file)?.status == 422)
            #expect(failure(file)?.code == "image_zero_sized")
        }
    }

    @Test func anImageWithTooFewRowsIsTruncated() throws {
        let rows = (0..<5).flatMap { _ in [UInt8](repeating: 0, count: 1 + 3 * 4) }
        let file =
            TestImages.pngSignature + TestImages.pngHeader(width: 4, height: 10)
            + TestImages.imageData(TestImages.zlib(rows)) + TestImages.chunk("IEND", [])
        let error = try #require(failure(file))
        #expect(error.status == 422)
        #expect(error.code == "image_truncated")
        #expect(error.message.contains("at row 5 of 10"))
    }

    @Test func aBrokenChunkStructureIsCorrupt() {
        let header = TestImages.pngHeader(width: 4, height: 1)
        let data = TestImages.imageData(TestImages.zlib([UInt8](repeating: 0, count: 13)))
        let end = TestImages.chunk("IEND", [])
        let broken: [[UInt8]] = [
            data + end,
            header + end,
            header + header + data + end,
            TestImages.chunk("IHDR", [0, 0]) + data + end,
            TestImages.pngHeader(width: 4, height: 1, depth: 3) + data + end,
            header + TestImages.imageData([0x78, 0x01, 0xFF, 0xFF]) + end,
            header + data.dropLast() + [0] + end,  // a wrong checksum
            header + TestImages.chunk("ABCD", []) + data + end,  // an unknown critical chunk
            TestImages.pngHeader(width: 12, height: 1, colour: .palette) + data + end,
            TestImages.pngHeader(width: 12, height: 1, colour: .palette) + TestImages.chunk("PLTE", [1, 2]) + data
                + end,
            header + data + [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0] + end,
        ]
        for (index, chunks) in broken.enumerated() {
            let error = failure(TestImages.pngSignature + chunks)
            #expect(error?.status == 422, "case \(index)")
            #expect(error?.code == "image_corrupt", "case \(index)")
        }
    }

    @Test func aSignatureChangedByATextTransferIsCorrupt() {
        let file = TestImages.png(width: 4, height: 4)
        let unixLines = file[..<4] + [0x0A] + file[6...]
        #expect(failure(Array(unixLines))?.code == "image_corrupt")
    }

    @Test func theErrorOfATruncatedFileSaysHowManyBytesThereAre() throws {
        let file = TestImages.png(width: 40, height: 30)
        let data = try #require(file.firstOffset(of: Array("IDAT".utf8)))
        let length = Int(file[data - 2]) << 8 | Int(file[data - 1])
        let error = try #require(failure(Array(file[..<812])))
        #expect(error.message.contains("812 of at least \(data + 8 + length) bytes, within its IDAT chunk"))
    }

    @Test func aDamagedAncillaryChunkIsIgnored() throws {
        let plain = try decoded(TestImages.png(width: 9, height: 7)).image
        let pixels = Pattern.scene.pixels(width: 9, height: 7)
        for name in ["tEXt", "zTXt", "iTXt", "tIME", "pHYs", "bKGD", "sBIT", "iCCP", "sRGB", "gAMA", "eXIf", "abCd"] {
            let chunk = TestImages.chunk(name, [1, 2, 3])
            let damaged = chunk.dropLast() + [chunk[chunk.count - 1] ^ 1]
            let file = TestImages.png(width: 9, height: 7, pixels: pixels, chunks: Array(damaged))
            #expect(try decoded(file).image == plain, "\(name)")
            #expect(
                try decoded(file.dropLast(12) + damaged + file.suffix(12)).image == plain, "\(name) behind the data")
        }
    }

    /// libpng and browsers do the same.
    @Test func aDamagedTransparencyChunkIsIgnored() throws {
        let chunk = TestImages.chunk("tRNS", [0, 10, 0, 20, 0, 30])
        let damaged = chunk.dropLast() + [chunk[chunk.count - 1] ^ 1]
        for (chunk, expected) in [(chunk, [255, 255, 255] as [UInt8]), (Array(damaged), [10, 20, 30])] {
            let file = TestImages.png(width: 1, height: 1, pixels: [10, 20, 30], chunks: chunk)
            #expect(try decoded(file).image.pixels == expected)
        }
    }

    @Test func aMissingEndChunkIsTolerated() throws {
        for isInterlaced in [false, true] {
            for (width, height) in [(1, 1), (16, 14), (200, 150)] {
                let file = TestImages.png(width: width, height: height, isInterlaced: isInterlaced)
                let whole = try decoded(file).image
                let text = TestImages.chunk("tEXt", [1, 2, 3])
                // Without the end chunk, the checksum of the chunk, that of the compressed data, and the end of that
                // data.
                for file in [12, 16, 20].map({ file.dropLast($0) }) + [file.dropLast(12) + text.dropLast(3)] {
                    #expect(try decoded(Array(file)).image == whole)
                }
                #expect(failure(Array(file.dropLast(30)))?.code == "image_truncated")
            }
        }
    }

    @Test func compressedDataWithoutItsEndIsTolerated() throws {
        let rows = (0..<5).flatMap { _ in [UInt8](repeating: 0, count: 1 + 3 * 4) }
        let stream = TestImages.zlib(rows)
        for missing in [0, 1, 4] {
            let file =
                TestImages.pngSignature + TestImages.pngHeader(width: 4, height: 5)
                + TestImages.imageData(Array(stream.dropLast(missing))) + TestImages.chunk("IEND", [])
            #expect(failure(file) == nil)
        }
    }

    @Test func anAnimationIsTheImageThatEveryProgramShows() throws {
        let still = TestImages.png(width: 9, height: 7)
        let control = TestImages.chunk("acTL", [0, 0, 0, 1, 0, 0, 0, 0])
        let frame =
            TestImages.chunk("fcTL", [UInt8](repeating: 0, count: 26)) + TestImages.chunk("fdAT", [0, 0, 0, 1, 7])
        let header = TestImages.pngSignature.count + 25
        let animated = still[..<header] + control + still[header...].dropLast(12) + frame + still.suffix(12)
        let image = try decoded(Array(animated))
        #expect(image.isAnimated)
        #expect(try image.image == decoded(still).image && !decoded(still).isAnimated)
    }

    @Test func applesCgBIVariantIsReportedAsUnsupported() throws {
        let file = TestImages.png(width: 4, height: 4)
        let signature = TestImages.pngSignature.count
        let apple = file[..<signature] + TestImages.chunk("CgBI", [0x50, 0, 0x20, 2]) + file[signature...]
        let error = try #require(failure(Array(apple)))
        #expect(error.status == 422 && error.code == "image_unsupported")
        #expect(error.message.contains("CgBI"))
    }
}

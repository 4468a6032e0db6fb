import ImageDecoding
import TestImages
import Testing

@Suite struct WebPReaderTests {
    static let exif: UInt8 = 0x08
    static let animation: UInt8 = 0x02
    static let profile: UInt8 = 0x20

    /// Returns the pixels that libwebp decodes in one call, with alpha on white.
    private static func onWhite(_ file: [UInt8]) throws -> [UInt8] {
        let samples = try #require(TestImages.decodedByLibwebp(file))
        var pixels: [UInt8] = []
        for pixel in stride(from: 0, to: samples.count, by: 4) {
            let alpha = Int(samples[pixel + 3])
            pixels += samples[pixel..<pixel + 3].map { UInt8((Int($0) * alpha + 255 * (255 - alpha) + 127) / 255) }
        }
        return pixels
    }

    @Test(arguments: [(1, 1), (2, 5), (19, 13), (200, 100), (16_383, 1), (1, 16_383)])
    func losslessPixelsAreExact(width: Int, height: Int) throws {
        let image = try decoded(TestImages.webp(width: width, height: height, .lossless), reduction: 8)
        #expect((image.format, image.width, image.height) == (.webp, width, height))
        #expect(image.reduction == 1 && !image.isAnimated)
        #expect(image.image.pixels == Pattern.scene.pixels(width: width, height: height))
    }

    @Test func alphaIsPutOnWhite() throws {
        let (width, height) = (40, 3)
        let image = try decoded(TestImages.webp(width: width, height: height, .losslessAlpha)).image
        let pixels = Pattern.scene.pixels(width: width, height: height)
        let expected = pixels.indices.map { index -> UInt8 in
            let alpha = Int(TestImages.webpAlpha(index / 3 % width, width: width))
            return UInt8((Int(pixels[index]) * alpha + 255 * (255 - alpha) + 127) / 255)
        }
        #expect(image.pixels == expected)
    }

    /// The files are many times longer than the portions that libwebp gets.
    @Test(arguments: TestImages.WebPKind.allCases)
    func portionsGiveTheSamePixelsAsTheWholeFile(kind: TestImages.WebPKind) throws {
        for (width, height) in [(300, 400), (33, 17)] {
            let file = TestImages.webp(
                width: width, height: height, kind, quality: 98, pattern: .noise(seed: UInt64(width)))
            #expect(width < 100 || file.count > 1 << 16)
            #expect(try decoded(file).image.pixels == Self.onWhite(file))
        }
    }

    @Test(arguments: 1...8, TestImages.WebPKind.allCases)
    func everyOrientationStandsUpright(orientation: Int, kind: TestImages.WebPKind) throws {
        let plain = try decoded(TestImages.webp(width: 37, height: 22, kind)).image
        let image = try decoded(TestImages.webp(width: 37, height: 22, kind, orientation: orientation)).image
        let swaps = orientation > 4
        #expect((image.width, image.height) == (swaps ? 22 : 37, swaps ? 37 : 22))
        for (x, y) in [(0, 0), (36, 0), (5, 21), (17, 9)] {
            let (right, bottom) = (36 - x, 21 - y)
            let place = [
                (x, y), (right, y), (right, bottom), (x, bottom), (y, x), (bottom, x), (bottom, right), (y, right),
            ][orientation - 1]
            #expect(image[place.0, place.1] == plain[x, y])
        }
    }

    /// Only an EXIF chunk that the header announces counts, only the first one, wherever it is.
    @Test func whichEXIFCounts() throws {
        let picture = TestImages.pictureChunks(of: TestImages.webp(width: 12, height: 20))
        func chunk(_ orientation: Int, prefix: String = "") -> [UInt8] {
            TestImages.webpChunk("EXIF", Array(prefix.utf8) + TestImages.tiff(orientation: orientation))
        }
        func width(_ flags: UInt8, _ chunks: [[UInt8]]) throws -> Int {
            try decoded(TestImages.riff([TestImages.webpHeader(flags: flags, width: 12, height: 20)] + chunks)).width
        }
        #expect(try width(Self.exif, picture + [chunk(6)]) == 20)
        #expect(try width(Self.exif, [chunk(6)] + picture) == 20)
        #expect(try width(Self.exif, picture + [chunk(6, prefix: "Exif\0\0")]) == 20)
        #expect(try width(Self.exif, picture + [chunk(6), chunk(1)]) == 20)
        #expect(try width(Self.exif, picture + [chunk(1), chunk(6)]) == 12)
        #expect(try width(0, picture + [chunk(6)]) == 12)
        #expect(try width(Self.exif, picture) == 12)
        #expect(try decoded(TestImages.riff(picture + [chunk(6)])).width == 12)
    }

    @Test(arguments: ColourEncoding.all, TestImages.WebPKind.allCases)
    func aProfileRestoresTheColours(encoding: ColourEncoding, kind: TestImages.WebPKind) throws {
        let original = Pattern.scene.pixels(width: 32, height: 24)
        let stored = TestImages.pictureChunks(
            of: TestImages.webp(width: 32, height: 24, kind, quality: 100, pixels: encoding.bytes(original)))
        func image(flags: UInt8, orientation: Int = 1) throws -> RGBImage {
            let start = [
                TestImages.webpHeader(flags: flags, width: 32, height: 24),
                TestImages.webpChunk("ICCP", encoding.profile),
            ]
            let exif = TestImages.webpChunk("EXIF", TestImages.tiff(orientation: orientation))
            return try decoded(TestImages.riff(start + stored + [exif])).image
        }
        let plain = try decoded(
            TestImages.webp(width: 32, height: 24, kind, quality: 100, pixels: original)
        ).image.pixels
        let restored = try image(flags: Self.profile).pixels
        #expect(distance(restored, plain) < (kind.isLossless ? 1.5 : 6))
        #expect(distance(try image(flags: 0).pixels, plain) > distance(restored, plain))
        let turned = try image(flags: Self.profile | Self.exif, orientation: 3).pixels
        let reversed = stride(from: turned.count - 3, through: 0, by: -3).flatMap { turned[$0..<$0 + 3] }
        #expect(reversed == restored)
    }

    @Test(arguments: TestImages.WebPKind.allCases)
    func anAnimationIsItsFirstFrameOnTheCanvas(kind: TestImages.WebPKind) throws {
        let still = TestImages.webp(width: 12, height: 9, kind)
        let other = TestImages.webp(width: 30, height: 20, pattern: .plain(9, 9, 9))
        let alone = try decoded(still).image
        func frames(_ count: Int, orientation: Int = 1) -> [UInt8] {
            let first = TestImages.webpFrame(
                x: 4, y: 2, width: 12, height: 9,
                [TestImages.webpChunk("abcd", [1])] + TestImages.pictureChunks(of: still))
            let next = TestImages.webpFrame(x: 0, y: 0, width: 30, height: 20, TestImages.pictureChunks(of: other))
            let start = [
                TestImages.webpHeader(flags: Self.animation | Self.exif, width: 30, height: 20),
                TestImages.webpChunk("ANIM", [1, 2, 3, 4, 0, 0]), first,
            ]
            let exif = TestImages.webpChunk("EXIF", TestImages.tiff(orientation: orientation))
            return TestImages.riff(start + Array(repeating: next, count: count - 1) + [exif])
        }
        let image = try decoded(frames(3))
        #expect(image.isAnimated && (image.width, image.height) == (30, 20))
        for y in 0..<20 {
            for x in 0..<30 {
                let isInside = (4..<16).contains(x) && (2..<11).contains(y)
                #expect(image.image[x, y] == (isInside ? alone[x - 4, y - 2] : [255, 255, 255]))
            }
        }
        #expect(try decoded(frames(1)).isAnimated == false)
        let turned = try decoded(frames(2, orientation: 6)).image
        #expect((turned.width, turned.height) == (20, 30))
        #expect(turned[19 - 2, 4] == alone[0, 0])
    }

    @Test func bytesBehindTheFileAreIgnored() throws {
        let file = TestImages.webp(width: 9, height: 9, orientation: 6)
        #expect(try decoded(file + [1, 2, 3]).image == decoded(file).image)
    }
}

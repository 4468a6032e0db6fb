import ImageDecoding
import TestImages
import Testing

/// Tests that images come out as every viewer shows them, whatever values they store.
@Suite struct ColourTests {
    private let width = 32
    private let height = 24
    private var original: [UInt8] { Pattern.scene.pixels(width: width, height: height) }

    @Test(arguments: ColourEncoding.all)
    func aJPEGsProfileRestoresItsColours(encoding: ColourEncoding) throws {
        let stored = encoding.bytes(original)
        for (orientation, scans) in [(nil, TestImages.JPEGScans.baseline), (6, .progressive)] {
            func file(_ pixels: [UInt8]) -> [UInt8] {
                TestImages.jpeg(
                    width: width, height: height, quality: 98, scans: scans, orientation: orientation, pixels: pixels)
            }
            for reduction in [1, 2] {
                let plain = try decoded(file(original), reduction: reduction).image.pixels
                let altered = try decoded(file(stored), reduction: reduction).image.pixels
                let restored = try decoded(
                    TestImages.jpeg(file(stored), profile: encoding.profile), reduction: reduction)
                // JPEG's losses differ, and a scaled image averages other values.
                #expect(distance(restored.image.pixels, plain) < 4)
                #expect(distance(altered, plain) > distance(restored.image.pixels, plain))
            }
        }
    }

    @Test(arguments: ColourEncoding.all)
    func aPNGsProfileRestoresItsColours(encoding: ColourEncoding) throws {
        let stored = encoding.bytes(original)
        let chunk = TestImages.profileChunk(encoding.profile)
        for isInterlaced in [false, true] {
            for colour in [TestImages.PNGColour.rgb, .rgba] {
                for depth in [8, 16] {
                    let file = TestImages.png(
                        width: width, height: height, colour: colour, depth: depth, isInterlaced: isInterlaced,
                        chunks: chunk
                    ) { x, y, channel in
                        let byte = channel == 3 ? 255 : Int(stored[(y * width + x) * 3 + channel])
                        return depth == 8 ? byte : byte * 257
                    }
                    #expect(distance(try decoded(file).image.pixels, original) < 2)
                }
            }
        }
    }

    @Test(arguments: ColourEncoding.all)
    func aProfileRestoresTheColoursOfAPalette(encoding: ColourEncoding) throws {
        let colours = (0..<64).flatMap { (entry: UInt8) -> [UInt8] in [entry * 4, 255 - entry * 3, entry &* 37] }
        let file = TestImages.png(width: 64, height: 2, colour: .palette, palette: encoding.bytes(colours)) { x, _, _ in
            x
        }
        let header = TestImages.pngSignature.count + 25
        let profiled = file[..<header] + TestImages.profileChunk(encoding.profile) + file[header...]
        #expect(distance(Array(try decoded(Array(profiled)).image.pixels.prefix(192)), colours) < 2.5)
    }

    @Test func coloursAreConvertedBeforeAlphaIsBlended() throws {
        let negative = ColourEncoding.all[2]
        let file = TestImages.png(
            width: 256, height: 1, colour: .rgba, chunks: TestImages.profileChunk(negative.profile)
        ) { x, _, channel in channel == 3 ? x : 255 - 40 * channel }
        let plain = TestImages.png(width: 256, height: 1, colour: .rgba) { x, _, channel in
            channel == 3 ? x : 40 * channel
        }
        #expect(distance(try decoded(file).image.pixels, try decoded(plain).image.pixels) < 1)
    }

    @Test func aProfileThatIsSRGBWithinRoundingChangesNothing() throws {
        let profiles = [
            TestImages.Profile.rgb(.sRGB),
            // Primaries with other rounding.
            TestImages.Profile.rgb(
                .sRGB, [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]),
        ]
        for colour in [TestImages.JPEGColour.ycbcr, .rgb, .gray] {
            let plain = TestImages.jpeg(width: width, height: height, colour: colour)
            for profile in profiles {
                #expect(try decoded(TestImages.jpeg(plain, profile: profile)).image == decoded(plain).image)
            }
        }
        let plain = TestImages.png(width: width, height: height, pixels: original)
        for profile in profiles {
            let file = TestImages.png(
                width: width, height: height, pixels: original, chunks: TestImages.profileChunk(profile))
            #expect(try decoded(file).image == decoded(plain).image)
        }
    }

    /// A profile of grays is made for a gray image, but browsers apply an RGB profile to it as well.
    @Test(arguments: [TestImages.Profile.gray(.inverted), TestImages.Profile.rgb(.inverted)])
    func aProfileRestoresAGrayImage(profile: [UInt8]) throws {
        let negative = original.map { 255 - $0 }
        let plain = TestImages.jpeg(width: width, height: height, quality: 98, colour: .gray)
        let stored = TestImages.jpeg(width: width, height: height, quality: 98, colour: .gray, pixels: negative)
        let restored = try decoded(TestImages.jpeg(stored, profile: profile)).image.pixels
        #expect(distance(restored, try decoded(plain).image.pixels) < 2)
        for colour in [TestImages.PNGColour.gray, .grayAlpha] {
            for depth in [8, 16] {
                let unit = depth == 8 ? 1 : 257
                let file = TestImages.png(
                    width: 256, height: 1, colour: colour, depth: depth, chunks: TestImages.profileChunk(profile)
                ) { x, _, channel in (channel == 1 ? 255 : 255 - x) * unit }
                let expected = (0..<256).flatMap { [UInt8](repeating: UInt8($0), count: 3) }
                #expect(distance(try decoded(file).image.pixels, expected) < 1)
            }
        }
    }

    /// Cyan and magenta are exchanged, and a table restores them.
    @Test(arguments: [TestImages.JPEGColour.cmyk, .adobeCMYK, .adobeYCCK])
    func aProfileRestoresTheColoursOfACMYKImage(colour: TestImages.JPEGColour) throws {
        func seen(_ inks: [Double]) -> [Double] {
            lab(xyz(inks[..<3].map { (1 - $0) * (1 - inks[3]) }))
        }
        let straight = TestImages.Profile.table("CMYK", channels: 4, grid: 9, seen)
        let exchanged = TestImages.Profile.table("CMYK", channels: 4, grid: 9) { seen([$0[1], $0[0], $0[2], $0[3]]) }
        let pixels = original
        let swapped = pixels.indices.map { index -> UInt8 in
            pixels[index % 3 == 0 ? index + 1 : index % 3 == 1 ? index - 1 : index]
        }
        let plain = TestImages.jpeg(width: width, height: height, quality: 98, colour: colour)
        let stored = TestImages.jpeg(width: width, height: height, quality: 98, colour: colour, pixels: swapped)
        let wanted = try decoded(plain).image.pixels
        #expect(distance(try decoded(TestImages.jpeg(plain, profile: straight)).image.pixels, wanted) < 4)
        #expect(distance(try decoded(TestImages.jpeg(stored, profile: exchanged)).image.pixels, wanted) < 4)
        #expect(distance(try decoded(stored).image.pixels, wanted) > 20)
    }

    @Test func manyThreadsConvertColoursIdentically() async throws {
        let decoder = ImageDecoder()
        let files = ColourEncoding.all.map { encoding in
            TestImages.png(
                width: width, height: height, pixels: encoding.bytes(original),
                chunks: TestImages.profileChunk(encoding.profile))
        }
        let expected = try files.map { try decoded($0).image }
        try await withThrowingTaskGroup(of: [RGBImage].self) { group in
            for _ in 0..<8 { group.addTask { try files.map { try decoder.decode($0).image } } }
            for try await images in group { #expect(images == expected) }
        }
    }
}

import Glibc
import TestImages
import Testing

@testable import ImageDecoding

/// Tests which chunk of a PNG defines its colours: cICP, iCCP, sRGB, gAMA and cHRM, in this order.
@Suite struct PNGColourTests {
    private static let pixels = Pattern.scene.pixels(width: 24, height: 20)
    private static let exchanged = TestImages.profileChunk(
        TestImages.Profile.rgb(.sRGB, TestImages.Profile.sRGB.reversed()))
    private static let sRGB = TestImages.chunk("sRGB", [0])
    private static let usualGamma = gamma(45_455)
    private static let linear = gamma(100_000)
    private static let usualColours = colours([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6000])
    private static let exchangedColours = colours([31_270, 32_900, 15_000, 6000, 30_000, 60_000, 64_000, 33_000])

    private static func gamma(_ value: Int) -> [UInt8] { TestImages.chunk("gAMA", number(value)) }

    private static func colours(_ values: [Int]) -> [UInt8] { TestImages.chunk("cHRM", values.flatMap(number)) }

    private static func codes(_ primaries: UInt8, _ curve: UInt8, matrix: UInt8 = 0, range: UInt8 = 1) -> [UInt8] {
        TestImages.chunk("cICP", [primaries, curve, matrix, range])
    }

    private static func number(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

    /// Returns a chunk with one wrong bit in its checksum.
    private static func damaged(_ chunk: [UInt8]) -> [UInt8] { chunk.dropLast() + [chunk[chunk.count - 1] ^ 1] }

    private static func image(_ chunks: [UInt8]) throws -> [UInt8] {
        try decoded(TestImages.png(width: 24, height: 20, pixels: pixels, chunks: chunks)).image.pixels
    }

    private static var withRedAndBlueExchanged: [UInt8] {
        pixels.indices.map { pixels[$0 % 3 == 0 ? $0 + 2 : $0 % 3 == 2 ? $0 - 2 : $0] }
    }

    /// The pixels if their values are taken as linear light.
    private static var brightened: [UInt8] {
        pixels.map { UInt8(TestImages.Profile.Curve.sRGB.number(Double($0) / 255) * 255 + 0.5) }
    }

    @Test func theColourChunkOfHighestPrecedenceCounts() throws {
        let unchanged: [[UInt8]] = [
            [], Self.sRGB, Self.usualGamma, Self.usualColours, Self.usualGamma + Self.usualColours,
            Self.gamma(45_000), Self.sRGB + Self.linear, Self.linear + Self.sRGB,
            Self.sRGB + Self.exchangedColours, Self.codes(1, 13) + Self.exchanged, Self.exchanged + Self.codes(1, 13),
        ]
        for chunks in unchanged { #expect(try Self.image(chunks) == Self.pixels) }
        let exchanged: [[UInt8]] = [
            Self.exchanged, Self.exchanged + Self.sRGB, Self.sRGB + Self.exchanged, Self.linear + Self.exchanged,
            Self.exchangedColours, Self.exchangedColours + Self.usualGamma,
            Self.codes(9, 16) + Self.exchanged,  // PQ, which is not supported
            Self.codes(1, 13, matrix: 1) + Self.exchanged, Self.codes(1, 13, range: 0) + Self.exchanged,
        ]
        for chunks in exchanged {
            #expect(distance(try Self.image(chunks), Self.withRedAndBlueExchanged) < 0.5)
        }
        for chunks in [Self.linear, Self.linear + Self.usualColours, Self.codes(1, 8)] {
            #expect(distance(try Self.image(chunks), Self.brightened) < 0.5)
        }
    }

    @Test func invalidColourChunksAreIgnored() throws {
        let chunks = [
            Self.gamma(0), Self.gamma(15), Self.gamma(0xFFFF_FFFF), TestImages.chunk("gAMA", [0, 1, 0x86]),
            Self.colours([Int](repeating: 0, count: 8)), Self.colours([Int](repeating: 30_000, count: 8)),
            Self.colours([31_270, 0, 64_000, 0, 30_000, 60_000, 15_000, 6000]),
            Self.colours([Int](repeating: 0xFFFF_FFFF, count: 8)), TestImages.chunk("cHRM", [1, 2, 3]),
            Self.codes(0, 0), Self.codes(255, 13), Self.codes(2, 2), TestImages.chunk("cICP", [1]),
            TestImages.chunk("iCCP", []), TestImages.chunk("iCCP", Array("no end".utf8)),
            TestImages.chunk("iCCP", Array("method\0\u{1}".utf8) + TestImages.zlib([1, 2, 3])),
        ]
        for chunk in chunks { #expect(try Self.image(chunk) == Self.pixels) }
    }

    @Test func extremeColourValuesGiveAnImage() throws {
        for value in [16, 20, 1000, 1_000_000, 625_000_000] { _ = try Self.image(Self.gamma(value)) }
        _ = try Self.image(Self.colours([31_270, 32_900, 1, 1, 30_000, 60_000, 15_000, 6000]))
        _ = try Self.image(Self.colours([31_270, 32_900, 0x7FFF_FFFF, 1, 1, 0x7FFF_FFFF, 15_000, 6000]))
    }

    @Test func theFirstColourChunkOfEachKindCounts() throws {
        #expect(try Self.image(Self.linear + Self.usualGamma) != Self.pixels)
        #expect(try Self.image(Self.usualGamma + Self.linear) == Self.pixels)
        let plain = TestImages.profileChunk(TestImages.Profile.rgb(.sRGB))
        #expect(try Self.image(plain + Self.exchanged) == Self.pixels)
        #expect(try Self.image(Self.usualColours + Self.exchangedColours) == Self.pixels)
    }

    /// libpng and browsers drop such a chunk too.
    @Test func aColourChunkWithAWrongChecksumIsIgnored() throws {
        for chunk in [Self.exchanged, Self.linear, Self.exchangedColours, Self.codes(9, 13)] {
            #expect(try Self.image(chunk) != Self.pixels)
            #expect(try Self.image(Self.damaged(chunk)) == Self.pixels)
        }
        #expect(try Self.image(Self.damaged(Self.sRGB) + Self.linear) != Self.pixels)
        #expect(try Self.image(Self.damaged(Self.usualGamma) + Self.linear) != Self.pixels)
    }

    @Test func aColourChunkAfterThePaletteOrTheDataIsIgnored() throws {
        let plain = TestImages.png(width: 24, height: 20, pixels: Self.pixels)
        for chunk in [Self.exchanged, Self.linear, Self.exchangedColours, Self.codes(9, 13)] {
            #expect(try decoded(plain.dropLast(12) + chunk + plain.suffix(12)).image.pixels == Self.pixels)
            #expect(try Self.image(TestImages.chunk("PLTE", [1, 2, 3]) + chunk) == Self.pixels)
        }
    }

    /// Compares with the formula of the PNG specification.
    @Test(arguments: [30_000, 55_000, 100_000, 180_000])
    func gammaIsConvertedToSRGB(value: Int) throws {
        let file = TestImages.png(width: 256, height: 1, colour: .gray, chunks: Self.gamma(value)) { x, _, _ in x }
        let expected = (0..<256).flatMap { number in
            let light = pow(Double(number) / 255, 100_000 / Double(value))
            return [UInt8](repeating: UInt8(TestImages.Profile.Curve.sRGB.number(light) * 255 + 0.5), count: 3)
        }
        let seen = try decoded(file).image.pixels
        #expect(zip(seen, expected).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }
}

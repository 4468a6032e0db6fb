import TestImages
import Testing

@testable import ImageDecoding

/// Tests profiles that are broken, incomplete, too large, or of an unsupported kind.
@Suite struct ColourProfileTests {
    private static let profile = TestImages.Profile.rgb(.sRGB, TestImages.Profile.sRGB.reversed())
    private static let plain = TestImages.jpeg(width: 24, height: 20)

    private static func isApplied(_ segments: [[UInt8]], limits: DecodeLimits = .init()) throws -> Bool {
        let file = TestImages.insert(segments.flatMap { $0 }, into: plain)
        return try ImageDecoder(limits: limits).decode(file).image != decoded(plain).image
    }

    private static func isApplied(_ profile: [UInt8], limits: DecodeLimits = .init()) throws -> Bool {
        let pixels = Pattern.scene.pixels(width: 24, height: 20)
        let chunk = TestImages.profileChunk(profile)
        let file = TestImages.png(width: 24, height: 20, pixels: pixels, chunks: chunk)
        let inPNG = try ImageDecoder(limits: limits).decode(file).image.pixels != pixels
        #expect(try isApplied(TestImages.profileSegments(profile), limits: limits) == inPNG)
        return inPNG
    }

    @Test func profileSegmentsMayComeInAnyOrder() throws {
        for length in [100, 300, 700, 5000] {
            let parts = TestImages.profileSegments(Self.profile, partLength: length)
            let other = [TestImages.segment(0xE2, Array("MPF\0".utf8) + [1, 2, 3]), TestImages.segment(0xFE, [7])]
            #expect(try Self.isApplied(parts))
            #expect(try Self.isApplied(parts.reversed()))
            #expect(try Self.isApplied(parts.flatMap { other + [$0] }))
            let shuffled = parts.enumerated().sorted { $0.offset * 7 % 5 < $1.offset * 7 % 5 }
            #expect(try Self.isApplied(shuffled.map(\.element)))
        }
    }

    @Test func aProfileWithAMissingOrWrongSegmentIsIgnored() throws {
        let parts = TestImages.profileSegments(Self.profile, partLength: 700)
        try #require(parts.count > 2)
        for missing in parts.indices {
            var rest = parts
            rest.remove(at: missing)
            #expect(try !Self.isApplied(rest))
            #expect(try !Self.isApplied(rest + [rest[0]]), "one in the place of another")
        }
        #expect(try !Self.isApplied(parts + [parts[0]]))
        for (offset, wrong) in [(16, 0), (16, 9), (17, 0), (17, 9)] {  // the part's number, and the number of parts
            var contradicting = parts
            contradicting[0][offset] = UInt8(wrong)
            #expect(try !Self.isApplied(contradicting))
        }
        let empty = TestImages.segment(0xE2, Array("ICC_PROFILE\0".utf8))
        #expect(try !Self.isApplied([empty]))
        #expect(try !Self.isApplied([TestImages.segment(0xE2, Array("ICC_PROFILE\0".utf8) + [1])]))
    }

    @Test func aProfileAfterTheFirstScanIsIgnored() throws {
        let segments = TestImages.profileSegments(Self.profile).flatMap { $0 }
        #expect(try decoded(Self.plain.dropLast(2) + segments + [0xFF, 0xD9]).image == decoded(Self.plain).image)
    }

    @Test func aBrokenProfileIsIgnored() throws {
        #expect(try Self.isApplied(Self.profile))
        #expect(try Self.isApplied(Self.profile + [1, 2, 3, 4]), "what follows is no part of it")
        for length in [0, 3, 4, 100, 127, 128, 131, 200, Self.profile.count - 1] {
            #expect(try !Self.isApplied(Array(Self.profile.prefix(length))))
        }
        // Class, colour space, connection space, signature, number of tags.
        for offset in [12, 16, 20, 36, 128] {
            #expect(try !Self.isApplied(Self.profile.replacing(offset, with: 0xFF)))
        }
        // The name of a colour's tag, and its offset.
        for offset in [132, 136] { #expect(try !Self.isApplied(Self.profile.replacing(offset, with: 0x7F))) }
        #expect(try !Self.isApplied([UInt8](repeating: 0xFF, count: 3000)))
        #expect(try !Self.isApplied([UInt8](repeating: 0, count: 3000)))
    }

    @Test func aProfileForOtherChannelsIsIgnored() throws {
        let inks = TestImages.Profile.table("CMYK", channels: 4, grid: 3) { [100 * $0[0], 0, 0] }
        for profile in [inks, TestImages.Profile.gray(.inverted)] { #expect(try !Self.isApplied(profile)) }
        let image = TestImages.jpeg(width: 24, height: 20, colour: .adobeCMYK)
        for profile in [Self.profile, TestImages.Profile.gray(.inverted)] {
            #expect(try decoded(TestImages.jpeg(image, profile: profile)).image == decoded(image).image)
        }
    }

    @Test func aProfileOverTheSizeLimitIsIgnored() throws {
        let count = Self.profile.count
        #expect(try Self.isApplied(Self.profile, limits: DecodeLimits(profile: count)))
        #expect(try !Self.isApplied(Self.profile, limits: DecodeLimits(profile: count - 1)))
    }

    /// Uncompresses a bomb: a header that declares 100 MB, followed by zeros.
    @Test func aProfileIsDecompressedOnlyUpToTheLimit() throws {
        let size = 100_000_000
        let declared = [24, 16, 8, 0].map { UInt8(size >> $0 & 255) }
        let stream = TestImages.zlib(declared + [UInt8](repeating: 0, count: 1_000_000))
        let chunk = TestImages.chunk("iCCP", Array("bomb\0\0".utf8) + stream)
        let pixels = Pattern.scene.pixels(width: 24, height: 20)
        let file = TestImages.png(width: 24, height: 20, pixels: pixels, chunks: chunk)
        #expect(try decoded(file).image.pixels == pixels)
    }

    @Test func aProfileCountsTowardsTheMemoryLimit() throws {
        let file = TestImages.jpeg(Self.plain, profile: Self.profile)
        #expect(failure(Self.plain, limits: DecodeLimits(memory: 1_000_000)) == nil)
        #expect(failure(file, limits: DecodeLimits(memory: 1_000_000))?.code == "image_too_large")
    }

    /// A table may leave the sample colours unchanged and change all others.
    @Test func aProfileWithATableNeverCountsAsSRGB() throws {
        for tag in ["A2B0", "A2B1"] {
            let table = TestImages.Profile.table("RGB ", channels: 3, grid: 2, tags: [tag]) { _ in [0, 0, 0] }
            #expect(try #require(table.withUnsafeBytes { ColourProfile(embedded: Bytes(buffer: $0)) }).hasTable)
        }
        let sRGB = try #require(ColourProfile.sRGB)
        #expect(try !sRGB.hasTable && #require(ColourTransform(sRGB, rows: .rgb)).changesNothing)
        let matrix = try #require(Self.profile.withUnsafeBytes { ColourProfile(embedded: Bytes(buffer: $0)) })
        #expect(!matrix.hasTable)
    }

    @Test func profileTagsThatBrowsersIgnoreAreHiddenFromTheLibrary() throws {
        let both = TestImages.Profile.table("RGB ", channels: 3, grid: 2, tags: ["D2B0", "A2B0", "A2B1"]) { _ in
            [0, 0, 0]
        }
        let read = try #require(both.withUnsafeBytes { ColourProfile(embedded: Bytes(buffer: $0)) })
        #expect(read.bytes.firstOffset(of: Array("D2B0".utf8)) == nil)
        #expect(read.bytes.firstOffset(of: Array("A2B1".utf8)) != nil)
        let colorimetric = TestImages.Profile.table("RGB ", channels: 3, grid: 2, tags: ["A2B1"]) { _ in [0, 0, 0] }
        let other = try #require(colorimetric.withUnsafeBytes { ColourProfile(embedded: Bytes(buffer: $0)) })
        #expect(other.bytes.firstOffset(of: Array("A2B0".utf8)) != nil)
    }

    @Test func imagesWithDamagedProfilesAreStillDecoded() throws {
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let table = TestImages.Profile.table("RGB ", channels: 3, grid: 5) { [100 * $0[0], 0, 0] }
        let inks = TestImages.Profile.table("CMYK", channels: 4, grid: 3) { [100 * $0[0], 0, 0] }
        let image = TestImages.jpeg(width: 9, height: 8, colour: .adobeCMYK)
        for round in 0..<600 {
            var damaged = [Self.profile, table, inks, TestImages.Profile.gray(.inverted)][round % 4]
            let reach = round % 3 == 0 ? damaged.count : min(damaged.count, 400)
            for _ in 0..<1 + next(4) { damaged[next(reach)] = UInt8(next(256)) }
            _ = try decoded(TestImages.jpeg(round % 4 == 2 ? image : Self.plain, profile: damaged))
        }
    }
}

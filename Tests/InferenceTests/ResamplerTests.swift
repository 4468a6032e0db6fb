import Hashing
import ImageDecoding
import Testing

@testable import Inference

@Suite struct ResamplerTests {
    /// One line of `resizes.txt`: a resize and the SHA-256 of Pillow's answer.
    struct Case {
        var width, height: Int
        var seed: UInt32
        var region: Region
        var newWidth, newHeight: Int
        var digest: String

        init(_ line: Substring) throws {
            let fields = line.split(separator: " ")
            try #require(fields.count == 10)
            width = try #require(Int(fields[0]))
            height = try #require(Int(fields[1]))
            seed = try #require(UInt32(fields[2]))
            let box = fields[3..<7].compactMap { Float($0) }
            try #require(box.count == 4)
            region = Region(x0: box[0], y0: box[1], x1: box[2], y1: box[3])
            newWidth = try #require(Int(fields[7]))
            newHeight = try #require(Int(fields[8]))
            digest = String(fields[9])
        }
    }

    /// The noise of make_fixtures.py.
    static func picture(width: Int, height: Int, seed: UInt32) -> RGBImage {
        let pixels = (0..<UInt32(width * height * 3)).map { index in
            let noise = ((index &* 2_654_435_761 &+ seed &* 40503) ^ (index >> 7)) &* 2_246_822_519
            let byte = UInt8(noise >> 24)
            return seed % 2 == 0 ? byte : byte < 128 ? 0 : 255
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    static func resize(_ image: RGBImage, _ region: Region, width: Int, height: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        Resampler.resize(image, region: region, width: width, height: height) { _, row in
            bytes.append(contentsOf: UnsafeBufferPointer(start: row, count: width * 3))
        }
        return bytes
    }

    @Test func everyByteIsPillows() throws {
        let text = String(decoding: try ModelFolder.fixture("resizes.txt"), as: UTF8.self)
        let cases = try text.split(separator: "\n").map(Case.init)
        try #require(cases.count >= 50)
        for one in cases {
            let image = Self.picture(width: one.width, height: one.height, seed: one.seed)
            let bytes = Self.resize(image, one.region, width: one.newWidth, height: one.newHeight)
            #expect(SHA256.hexDigest(of: bytes) == one.digest, "\(one)")
        }
    }

    @Test func thePictureItselfComesBackUnchanged() {
        let image = Self.picture(width: 33, height: 21, seed: 8)
        let whole = Region(x0: 0, y0: 0, x1: 33, y1: 21)
        #expect(Self.resize(image, whole, width: 33, height: 21) == image.pixels)
    }
}

import Hashing
import ImageDecoding
import Testing

@testable import Inference

@Suite struct ResamplerTests {
    /// One line of `resizes.txt`: a resize and the SHA-256 of Pillow's result.
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

    /// Returns the same noise as make_fixtures.py.
    static func image(width: Int, height: Int, seed: UInt32) -> RGBImage {
        let pixels = (0..<UInt32(width * height * 3)).map { index in
            let noise = ((index &* 2_654_435_761 &+ seed &* 40503) ^ (index >> 7)) &* 2_246_822_519
            let byte = UInt8(noise >> 24)
            return seed % 2 == 0 ? byte : byte < 128 ? 0 : 255
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    static func resize(
        _ image: RGBImage, _ region: Region, width: Int, height: Int, fast: Bool = true
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        Resampler.resize(image, region: region, width: width, height: height, fast: fast) { _, row in
            bytes.append(contentsOf: UnsafeBufferPointer(start: row, count: width * 3))
        }
        return bytes
    }

    @Test func resizedImagesEqualPillowsByteForByte() throws {
        let text = String(decoding: try ModelFolder.fixture("resizes.txt"), as: UTF8.self)
        let cases = try text.split(separator: "\n").map(Case.init)
        try #require(cases.count >= 50)
        for one in cases {
            let image = Self.image(width: one.width, height: one.height, seed: one.seed)
            for fast in [true, false] {
                let bytes = Self.resize(image, one.region, width: one.newWidth, height: one.newHeight, fast: fast)
                #expect(SHA256.hexDigest(of: bytes) == one.digest, "\(one)")
            }
        }
    }

    /// Implements the definition in docs/preprocessing.md literally, one value at a time.
    private static func plain(_ image: RGBImage, _ region: Region, width: Int, height: Int) -> [UInt8] {
        func weights(_ n: Int, _ start: Float, _ end: Float, _ size: Int) -> [[(pixel: Int, weight: Int)]] {
            let scale = Double(end - start) / Double(size)
            let support = max(scale, 1)
            return (0..<size).map { index in
                let centre = Double(start) + (Double(index) + 0.5) * scale
                let pixels = max(Int(centre - support + 0.5), 0)..<min(Int(centre + support + 0.5), n)
                let exact = pixels.map { max(0, 1 - abs((Double($0) - centre + 0.5) * (1 / support))) }
                let sum = exact.reduce(0, +)
                return zip(pixels, exact).map { ($0, Int(0.5 + (sum == 0 ? $1 : $1 / sum) * 4_194_304)) }
            }
        }
        func byte(_ terms: [(pixel: Int, weight: Int)], _ value: (Int) -> UInt8) -> UInt8 {
            UInt8(min(255, terms.reduce(2_097_152) { $0 + Int(value($1.pixel)) * $1.weight } >> 22))
        }
        let across = weights(image.width, region.x0, region.x1, width)
        let down = weights(image.height, region.y0, region.y1, height)
        let wide = (0..<(image.height * width * 3)).map { place in
            byte(across[place / 3 % width]) { image.pixels[(place / 3 / width * image.width + $0) * 3 + place % 3] }
        }
        return (0..<(height * width * 3)).map { place in
            byte(down[place / 3 / width]) { wide[($0 * width + place / 3 % width) * 3 + place % 3] }
        }
    }

    @Test func resizedImagesEqualTheDefinitionByteForByte() {
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for round in 0..<120 {
            let (width, height) = (1 + next([2, 7, 70, 900][next(4)]), 1 + next([2, 7, 70, 300][next(4)]))
            let (newWidth, newHeight) = (1 + next([2, 9, 40][next(3)]), 1 + next([2, 9, 40][next(3)]))
            let image =
                round % 4 == 0
                ? solid(255, 0, 255, width: width, height: height)
                : Self.image(width: width, height: height, seed: UInt32(round))
            // The whole image, a part of it, or less than a pixel.
            let part = [1, 0.75, 0.001][next(3)] as Float
            let (x, y) = (
                Float(width) * (1 - part) * Float(next(9)) / 8, Float(height) * (1 - part) * Float(next(9)) / 8
            )
            let region = Region(x0: x, y0: y, x1: x + Float(width) * part, y1: y + Float(height) * part)
            let expected = Self.plain(image, region, width: newWidth, height: newHeight)
            for fast in [true, false] {
                let bytes = Self.resize(image, region, width: newWidth, height: newHeight, fast: fast)
                #expect(bytes == expected, "\(width) × \(height), \(region) to \(newWidth) × \(newHeight), \(fast)")
            }
        }
    }

    @Test func resizingToTheSameSizeChangesNothing() {
        let image = Self.image(width: 33, height: 21, seed: 8)
        let whole = Region(x0: 0, y0: 0, x1: 33, y1: 21)
        #expect(Self.resize(image, whole, width: 33, height: 21) == image.pixels)
    }
}

import Glibc
import TestImages
import Testing

/// A change of an image's values, and the profile that reverses it.
struct ColourEncoding: CustomTestStringConvertible {
    let testDescription: String
    let profile: [UInt8]
    /// Returns the values stored for red, green and blue of sRGB; all from 0 to 1.
    let stored: @Sendable ([Double]) -> [Double]

    static let all = [
        ColourEncoding(of: "red and blue exchanged", Array(TestImages.Profile.sRGB.reversed()), .sRGB),
        ColourEncoding(of: "channels moved on", [1, 2, 0].map { TestImages.Profile.sRGB[$0] }, .sRGB),
        ColourEncoding(of: "a negative", TestImages.Profile.sRGB, .inverted),
        ColourEncoding(of: "gamma 1.0", TestImages.Profile.sRGB, .gamma(1)),
        ColourEncoding(of: "gamma 2.2", TestImages.Profile.sRGB, .gamma(2.2)),
        ColourEncoding(of: "Adobe RGB", TestImages.Profile.adobeRGB, .gamma(2.199)),
        ColourEncoding(of: "Display P3", TestImages.Profile.displayP3, .sRGB),
        ColourEncoding(of: "Display P3, exchanged and negative", TestImages.Profile.displayP3.reversed(), .inverted),
        table(tags: ["A2B0"]),
        table(tags: ["A2B0", "A2B1"]),
        table(tags: ["A2B1"]),
    ]

    private init(of name: String, _ colours: [[Double]], _ curve: TestImages.Profile.Curve) {
        testDescription = name
        profile = TestImages.Profile.rgb(curve, colours)
        let back = inverse((0..<3).map { row in colours.map { $0[row] } })
        stored = { rgb in product(back, xyz(rgb)).map { curve.number(min(max($0, 0), 1)) } }
    }

    private init(_ name: String, _ profile: [UInt8], _ stored: @escaping @Sendable ([Double]) -> [Double]) {
        testDescription = name
        self.profile = profile
        self.stored = stored
    }

    /// Returns an encoding whose profile has a table that exchanges green and blue.
    private static func table(tags: [String]) -> ColourEncoding {
        let profile = TestImages.Profile.table("RGB ", channels: 3, grid: 17, tags: tags) {
            lab(xyz([$0[0], $0[2], $0[1]]))
        }
        return ColourEncoding("a table in \(tags)", profile) { [$0[0], $0[2], $0[1]] }
    }

    /// Returns the bytes that are stored for an image's pixels.
    func bytes(_ pixels: [UInt8]) -> [UInt8] {
        var stored: [UInt8] = []
        stored.reserveCapacity(pixels.count)
        for offset in stride(from: 0, to: pixels.count, by: 3) {
            let numbers = self.stored(pixels[offset..<offset + 3].map { Double($0) / 255 })
            stored += numbers.map { UInt8(min(max($0, 0), 1) * 255 + 0.5) }
        }
        return stored
    }
}

/// Returns X, Y and Z under D50 for red, green and blue of sRGB.
func xyz(_ rgb: [Double]) -> [Double] {
    product(
        (0..<3).map { row in TestImages.Profile.sRGB.map { $0[row] } }, rgb.map(TestImages.Profile.Curve.sRGB.light))
}

/// Returns CIE L*, a*, b* under D50.
func lab(_ xyz: [Double]) -> [Double] {
    func bent(_ t: Double) -> Double { t > 216.0 / 24_389 ? cbrt(t) : (24_389.0 / 27 * t + 16) / 116 }
    let (x, y, z) = (bent(xyz[0] / 0.9642), bent(xyz[1]), bent(xyz[2] / 0.8249))
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

private func product(_ matrix: [[Double]], _ vector: [Double]) -> [Double] {
    matrix.map { zip($0, vector).reduce(0) { $0 + $1.0 * $1.1 } }
}

private func inverse(_ m: [[Double]]) -> [[Double]] {
    func minor(_ row: Int, _ column: Int) -> Double {
        let (r, s, c, d) = ((row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3)
        return m[r][c] * m[s][d] - m[r][d] * m[s][c]
    }
    let determinant = (0..<3).reduce(0) { $0 + m[0][$1] * minor(0, $1) }
    return (0..<3).map { row in (0..<3).map { minor($0, row) / determinant } }
}

extension TestImages {
    /// Returns a JPEG file with a profile's segments inserted at the front.
    static func jpeg(_ jpeg: [UInt8], profile: [UInt8]) -> [UInt8] {
        insert(profileSegments(profile).flatMap { $0 }, into: jpeg)
    }

    /// Returns a PNG file of 8-bit RGB with chunks before its image data.
    static func png(width: Int, height: Int, pixels: [UInt8], chunks: [UInt8] = []) -> [UInt8] {
        png(width: width, height: height, colour: .rgb, chunks: chunks) { x, y, channel in
            Int(pixels[(y * width + x) * 3 + channel])
        }
    }
}

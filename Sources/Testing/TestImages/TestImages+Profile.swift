import Glibc

extension TestImages {
    /// Makes ICC profiles for tests, which define the colours that an image's numbers stand for.
    package struct Profile: Sendable {
        /// A transfer curve between encoded numbers and light.
        package enum Curve: Sendable {
            case sRGB
            /// sRGB's curve of 1 minus the number.
            case inverted
            case gamma(Double)

            /// Returns the light of an encoded number, both from 0 to 1.
            package func light(_ value: Double) -> Double {
                switch self {
                case .sRGB: value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
                case .inverted: Curve.sRGB.light(1 - value)
                case .gamma(let gamma): pow(value, gamma)
                }
            }

            /// Returns the encoded number of a light, both from 0 to 1.
            package func number(_ light: Double) -> Double {
                switch self {
                case .sRGB: light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055
                case .inverted: 1 - Curve.sRGB.number(light)
                case .gamma(let gamma): pow(light, 1 / gamma)
                }
            }

            fileprivate var tag: [UInt8] {
                if case .gamma(let gamma) = self {
                    return Profile.text("curv") + Profile.number32(1) + Profile.number16(Int(gamma * 256 + 0.5))
                }
                let table = (0..<1024).flatMap { Profile.number16(Int(light(Double($0) / 1023) * 65_535 + 0.5)) }
                return Profile.text("curv") + Profile.number32(1024) + table
            }
        }

        /// X, Y and Z of red, green and blue, relative to D50.
        package static let sRGB = [[0.4360, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]]
        package static let adobeRGB = [[0.6097, 0.3111, 0.0195], [0.2053, 0.6257, 0.0609], [0.1492, 0.0632, 0.7446]]
        package static let displayP3 = [
            [0.5151, 0.2412, -0.0011], [0.2920, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841],
        ]

        /// Returns a profile of an RGB space by matrix and curve.
        package static func rgb(_ curve: Curve, _ colours: [[Double]] = sRGB) -> [UInt8] {
            profile(
                "RGB ", connection: "XYZ ",
                zip(["rXYZ", "gXYZ", "bXYZ"], colours).map { ($0, xyz($1)) }
                    + ["rTRC", "gTRC", "bTRC"].map { ($0, curve.tag) })
        }

        package static func gray(_ curve: Curve) -> [UInt8] {
            profile("GRAY", connection: "XYZ ", [("kTRC", curve.tag)])
        }

        /// Returns a profile by a table of `grid` steps along each of the space's channels, stored under the named
        /// tags.
        ///
        /// - Parameter lab: returns CIE L*, a*, b* of a colour whose channels are from 0 to 1.
        package static func table(
            _ space: String, channels: Int, grid: Int, tags: [String] = ["A2B0"], _ lab: ([Double]) -> [Double]
        ) -> [UInt8] {
            let nodes = Int(pow(Double(grid), Double(channels)))
            var values: [UInt8] = []
            for node in 0..<nodes {
                var rest = node
                var colour: [Double] = []
                for _ in 0..<channels {
                    colour.append(Double(rest % grid) / Double(grid - 1))
                    rest /= grid
                }
                let seen = lab(colour.reversed())  // the last channel changes fastest
                values += number16(Int(min(max(seen[0], 0), 100) * 652.8))
                values += seen[1...].flatMap { number16(Int((min(max($0, -128), 127) + 128) * 256)) }
            }
            let line = number16(0) + number16(65_535)
            let matrix = (0..<9).flatMap { number32($0 % 4 == 0 ? 65_536 : 0) }
            let head = [UInt8(channels), 3, UInt8(grid), 0] + matrix + number16(2) + number16(2)
            let lines = [[UInt8]](repeating: line, count: channels).flatMap { $0 }
            let tag = text("mft2") + head + lines + values + line + line + line
            return profile(space, connection: "Lab ", tags.map { ($0, tag) })
        }

        private static func profile(_ space: String, connection: String, _ tags: [(String, [UInt8])]) -> [UInt8] {
            let tags = tags + [("wtpt", xyz([0.9642, 1, 0.8249]))]
            var offset = 132 + 12 * tags.count
            var table = number32(tags.count)
            var data: [UInt8] = []
            for (name, content) in tags {
                let padded = content + [UInt8](repeating: 0, count: -content.count & 3)
                table += Array(name.utf8) + number32(offset) + number32(content.count)
                data += padded
                offset += padded.count
            }
            let kind = Array("mntr\(space)\(connection)".utf8)
            let header =
                number32(offset) + [0, 0, 0, 0, 2, 0x10, 0, 0] + kind + [UInt8](repeating: 0, count: 12)
                + Array("acsp".utf8) + [UInt8](repeating: 0, count: 28) + xyz([0.9642, 1, 0.8249])[8...]
            return header + [UInt8](repeating: 0, count: 128 - header.count) + table + data
        }

        private static func xyz(_ values: [Double]) -> [UInt8] {
            text("XYZ ") + values.flatMap { number32(Int(($0 * 65_536).rounded())) }
        }

        /// Returns a tag's type and its four reserved bytes.
        fileprivate static func text(_ type: String) -> [UInt8] { Array(type.utf8) + [0, 0, 0, 0] }

        fileprivate static func number16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

        fileprivate static func number32(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
    }

    /// Returns the APP2 segments that hold a profile, in parts of at most `partLength` bytes.
    package static func profileSegments(_ profile: [UInt8], partLength: Int = 65_000) -> [[UInt8]] {
        let starts = Array(stride(from: 0, to: profile.count, by: partLength))
        return starts.enumerated().map { index, start in
            let part = profile[start..<min(start + partLength, profile.count)]
            return segment(0xE2, Array("ICC_PROFILE\0".utf8) + [UInt8(index + 1), UInt8(starts.count)] + part)
        }
    }

    /// Returns the iCCP chunk that holds a profile.
    package static func profileChunk(_ profile: [UInt8]) -> [UInt8] {
        chunk("iCCP", Array("test\0\0".utf8) + zlib(profile))
    }
}

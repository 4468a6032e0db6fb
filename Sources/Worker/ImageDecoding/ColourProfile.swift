/// An ICC profile that defines the meaning of an image's values. It is checked before LittleCMS reads it.
struct ColourProfile: Hashable, Sendable {
    /// The kind of values that a profile describes.
    enum Space: Sendable {
        case gray, rgb, cmyk
    }

    let bytes: [UInt8]
    let space: Space
    /// Whether a table defines the colours, rather than curves and a matrix.
    let hasTable: Bool

    private static let headerLength = 128
    private static let tagLength = 12
    /// The most tags that LittleCMS accepts in a profile.
    private static let mostTags = 100

    /// Reads a profile embedded in a file; nil if it is incomplete or of a kind that browsers do not apply to images.
    ///
    /// The bytes are changed so that LittleCMS behaves like browsers: the floating-point tables D2Bx are hidden, and
    /// the table A2B1 replaces a missing A2B0.
    init?(embedded data: Bytes) {
        guard let size = data.uint32(at: 0), size <= data.count, size >= Self.headerLength + 4,
            data.has("acsp", at: 36),
            ["scnr", "mntr", "prtr", "spac"].contains(where: { data.has($0, at: 12) }),
            ["XYZ ", "Lab "].contains(where: { data.has($0, at: 20) }),
            let tags = data.uint32(at: Self.headerLength), tags <= Self.mostTags
        else { return nil }
        if data.has("RGB ", at: 16) {
            space = .rgb
        } else if data.has("GRAY", at: 16) {
            space = .gray
        } else if data.has("CMYK", at: 16) {
            space = .cmyk
        } else {
            return nil
        }
        let table = (0..<tags).map { Self.headerLength + 4 + $0 * Self.tagLength }
        guard table.allSatisfy({ $0 + Self.tagLength <= size }) else { return nil }
        var bytes = Array(data.buffer[..<size])
        for offset in table where data.has("D2B", at: offset) {
            bytes[offset] |= 0x20
        }
        let perceptual = table.first { data.has("A2B0", at: $0) }
        let colorimetric = table.first { data.has("A2B1", at: $0) }
        if perceptual == nil, let colorimetric { bytes[colorimetric + 3] = UInt8(ascii: "0") }
        hasTable = perceptual != nil || colorimetric != nil
        self.bytes = bytes
    }

    /// sRGB (IEC 61966-2-1), to which all images are converted.
    static let sRGB = ColourProfile(.bt709, .sRGB)

    /// Creates a profile of an RGB space; nil if its matrix has no inverse or a number exceeds the range of ICC
    /// numbers.
    init?(_ primaries: Primaries, _ curve: Curve) {
        guard let columns = primaries.columns else { return nil }
        let names = ["rXYZ", "gXYZ", "bXYZ", "wtpt"]
        let colours = (columns + [Primaries.d50]).map { Self.number("XYZ ") + [0, 0, 0, 0] + $0.flatMap(Self.fixed) }
        let curveData = Self.number("para") + [0, 0, 0, 0] + curve.parameters
        var offset = Self.headerLength + 4 + 7 * Self.tagLength
        var table: [UInt8] = [0, 0, 0, 7]
        for (name, colour) in zip(names, colours) {
            table += Self.number(name) + Self.number(offset) + Self.number(colour.count)
            offset += colour.count
        }
        for name in ["rTRC", "gTRC", "bTRC"] {
            table += Self.number(name) + Self.number(offset) + Self.number(curveData.count)
        }
        // Version 2.1, because LittleCMS applies black point compensation to output profiles of version 4, and browsers
        // do not.
        let header =
            Self.number(offset + curveData.count) + [0, 0, 0, 0, 2, 0x10, 0, 0] + Self.number("mntr")
            + Self.number("RGB ") + Self.number("XYZ ") + [UInt8](repeating: 0, count: 12) + Self.number("acsp")
            + [UInt8](repeating: 0, count: 28) + Primaries.d50.flatMap(Self.fixed)
        bytes =
            header + [UInt8](repeating: 0, count: Self.headerLength - header.count) + table + colours.flatMap { $0 }
            + curveData
        space = .rgb
        hasTable = false
    }

    private static func number(_ signature: String) -> [UInt8] { Array(signature.utf8) }

    private static func number(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

    /// Encodes a value as ICC's s15Fixed16Number.
    fileprivate static func fixed(_ value: Double) -> [UInt8] {
        number(Int((value * 65_536 + 0.5).rounded(.down)) & 0xFFFF_FFFF)
    }
}

extension ColourProfile {
    /// Creates the profile for code points of ITU-T H.273; nil unless they describe a space of standard dynamic range.
    init?(codedPrimaries: UInt8, transfer: UInt8) {
        let primaries: [UInt8: Primaries] = [1: .bt709, 9: .bt2020, 12: .displayP3]
        let curves: [UInt8: Curve] = [
            1: .bt709, 4: .power(2.2), 5: .power(2.8), 6: .bt709, 8: .power(1), 13: .sRGB, 14: .bt709, 15: .bt709,
        ]
        guard let colours = primaries[codedPrimaries], let curve = curves[transfer] else { return nil }
        self.init(colours, curve)
    }

    /// The function that converts stored values to linear light; both range from 0 to 1.
    enum Curve: Hashable, Sendable {
        case sRGB
        case bt709
        case power(Double)

        /// The curve as ICC's parametricCurveType: the function number and its parameters.
        fileprivate var parameters: [UInt8] {
            switch self {
            case .sRGB: [0, 3, 0, 0] + [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045].flatMap(fixed)
            case .bt709: [0, 3, 0, 0] + [1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081].flatMap(fixed)
            case .power(let exponent): [0, 0, 0, 0] + fixed(exponent)
            }
        }
    }

    /// The white point and primaries of an RGB space, as CIE 1931 x and y.
    struct Primaries: Hashable, Sendable {
        var white: [Double]
        var red: [Double]
        var green: [Double]
        var blue: [Double]

        static let bt709 = Primaries(
            white: [0.3127, 0.329], red: [0.64, 0.33], green: [0.3, 0.6], blue: [0.15, 0.06])
        static let bt2020 = Primaries(
            white: [0.3127, 0.329], red: [0.708, 0.292], green: [0.17, 0.797], blue: [0.131, 0.046])
        static let displayP3 = Primaries(
            white: [0.3127, 0.329], red: [0.68, 0.32], green: [0.265, 0.69], blue: [0.15, 0.06])

        /// The white point of ICC's connection space, D50, as X, Y and Z.
        fileprivate static let d50 = [0.9642, 1, 0.8249]

        private static let bradford = [
            [0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296],
        ]

        /// X, Y and Z of the primaries at full intensity, adapted to D50 with the Bradford matrix. Nil if they cannot
        /// be computed.
        fileprivate var columns: [[Double]]? {
            func light(_ xy: [Double]) -> [Double] { [xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]] }
            let colours = [red, green, blue].map(light)
            let matrix = (0..<3).map { row in colours.map { $0[row] } }
            guard let inverse = Self.inverse(matrix), let back = Self.inverse(Self.bradford) else { return nil }
            let amounts = Self.product(inverse, light(white))
            let seen = Self.product(Self.bradford, light(white))
            let wanted = Self.product(Self.bradford, Self.d50)
            let columns = (0..<3).map { index in
                let cones = Self.product(Self.bradford, colours[index].map { $0 * amounts[index] })
                return Self.product(back, (0..<3).map { cones[$0] * (wanted[$0] / seen[$0]) })
            }
            return columns.joined().allSatisfy { abs($0) < 32_767 } ? columns : nil
        }

        private static func product(_ matrix: [[Double]], _ vector: [Double]) -> [Double] {
            matrix.map { $0[0] * vector[0] + $0[1] * vector[1] + $0[2] * vector[2] }
        }

        /// Returns the inverse, computed by the adjugate; nil if the matrix is singular.
        private static func inverse(_ m: [[Double]]) -> [[Double]]? {
            func minor(_ row: Int, _ column: Int) -> Double {
                let (r, s, c, d) = ((row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3)
                return m[r][c] * m[s][d] - m[r][d] * m[s][c]
            }
            let determinant = m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2)
            guard determinant.isFinite, determinant != 0 else { return nil }
            return (0..<3).map { row in (0..<3).map { minor($0, row) / determinant } }
        }
    }
}

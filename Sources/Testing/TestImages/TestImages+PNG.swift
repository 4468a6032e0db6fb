extension TestImages {
    /// The colour type of a PNG file.
    package enum PNGColour: Int, CaseIterable, Sendable {
        case gray = 0
        case rgb = 2
        case palette = 3
        case grayAlpha = 4
        case rgba = 6

        /// The number of samples per pixel.
        package var channels: Int {
            switch self {
            case .gray, .palette: 1
            case .grayAlpha: 2
            case .rgb: 3
            case .rgba: 4
            }
        }

        /// The bit depths that PNG allows for the colour type.
        package var depths: [Int] {
            switch self {
            case .gray: [1, 2, 4, 8, 16]
            case .palette: [1, 2, 4, 8]
            case .rgb, .grayAlpha, .rgba: [8, 16]
            }
        }
    }

    /// Returns an 8-bit RGB PNG file.
    package static func png(
        width: Int, height: Int, isInterlaced: Bool = false, orientation: Int? = nil, pattern: Pattern = .scene
    ) -> [UInt8] {
        let pixels = pattern.pixels(width: width, height: height)
        let chunks = orientation.map { chunk("eXIf", tiff(orientation: $0)) } ?? []
        return png(width: width, height: height, colour: .rgb, isInterlaced: isInterlaced, chunks: chunks) {
            (x, y, channel) in Int(pixels[(y * width + x) * 3 + channel])
        }
    }

    /// Returns a PNG file of any colour type and depth. It is written without zlib or libpng, with stored blocks and
    /// all five filters in turn.
    ///
    /// - Parameters:
    ///   - palette: the entries' red, green and blue, one entry after the other.
    ///   - transparency: the data of a tRNS chunk; empty for no such chunk.
    ///   - chunks: whole chunks to insert before the image data.
    ///   - sample: returns the value of a channel of pixel (x, y), below 2 to the power of `depth`.
    package static func png(
        width: Int, height: Int, colour: PNGColour, depth: Int = 8, isInterlaced: Bool = false, palette: [UInt8] = [],
        transparency: [UInt8] = [], chunks: [UInt8] = [], sample: (_ x: Int, _ y: Int, _ channel: Int) -> Int
    ) -> [UInt8] {
        precondition(colour.depths.contains(depth))
        var rows: [UInt8] = []
        let unit = max(1, colour.channels * depth / 8)
        for pass in isInterlaced ? adam7 : [(0, 0, 1, 1)] {
            var above: [UInt8]?
            let columns = stride(from: pass.0, to: width, by: pass.2)
            for (index, y) in stride(from: pass.1, to: height, by: pass.3).enumerated() where pass.0 < width {
                var bits = BitWriter()
                for x in columns {
                    for channel in 0..<colour.channels { bits.append(sample(x, y, channel), depth) }
                }
                let row = bits.finished()
                rows += filtered(row, above: above ?? Array(repeating: 0, count: row.count), unit, type: index % 5)
                above = row
            }
        }
        return pngSignature
            + pngHeader(width: width, height: height, colour: colour, depth: depth, isInterlaced: isInterlaced)
            + (palette.isEmpty ? [] : chunk("PLTE", palette))
            + (transparency.isEmpty ? [] : chunk("tRNS", transparency))
            + chunks + imageData(zlib(rows)) + chunk("IEND", [])
    }

    package static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    /// Returns a header chunk, with any values.
    package static func pngHeader(
        width: Int, height: Int, colour: PNGColour = .rgb, depth: Int = 8, isInterlaced: Bool = false
    ) -> [UInt8] {
        let kind = [UInt8(depth), UInt8(colour.rawValue), 0, 0, isInterlaced ? 1 : 0]
        return chunk("IHDR", bigEndian(width) + bigEndian(height) + kind)
    }

    /// Returns a chunk with its length and checksum.
    package static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return bigEndian(data.count) + body + bigEndian(Int(crc32(body)))
    }

    /// Returns a zlib stream (RFC 1950) of stored blocks.
    package static func zlib(_ data: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var offset = 0
        repeat {
            let count = min(65_535, data.count - offset)
            let isLast: UInt8 = offset + count == data.count ? 1 : 0
            let (low, high) = (UInt8(count & 255), UInt8(count >> 8))
            stream += [isLast, low, high, ~low, ~high] + data[offset..<offset + count]
            offset += count
        } while offset < data.count
        var (a, b) = (1, 0)
        for byte in data {
            a = (a + Int(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return stream + bigEndian(b << 16 | a)
    }

    /// Returns image data chunks of at most 8 KiB, as most encoders write them.
    package static func imageData(_ stream: [UInt8]) -> [UInt8] {
        stride(from: 0, to: stream.count, by: 8192).flatMap {
            chunk("IDAT", Array(stream[$0..<min($0 + 8192, stream.count)]))
        }
    }

    private static let adam7 = [
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ]

    /// Returns a filtered row, preceded by its filter type (PNG third edition, 9.2).
    private static func filtered(_ row: [UInt8], above: [UInt8], _ unit: Int, type: Int) -> [UInt8] {
        [UInt8(type)]
            + row.indices.map { index in
                let (left, corner) = index < unit ? (0, 0) : (Int(row[index - unit]), Int(above[index - unit]))
                let up = Int(above[index])
                let predicted =
                    switch type {
                    case 0: 0
                    case 1: left
                    case 2: up
                    case 3: (left + up) / 2
                    default: paeth(left, up, corner)
                    }
                return row[index] &- UInt8(predicted)
            }
    }

    private static func paeth(_ left: Int, _ up: Int, _ corner: Int) -> Int {
        let estimate = left + up - corner
        let (a, b, c) = (abs(estimate - left), abs(estimate - up), abs(estimate - corner))
        return a <= b && a <= c ? left : b <= c ? up : corner
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(value >> $0 & 255) }
    }

    private static let crcTable: [UInt32] = (0..<256).map { start in
        (0..<8).reduce(UInt32(start)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1 }
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in crcTable[Int((crc ^ UInt32(byte)) & 255)] ^ crc >> 8 }
    }
}

/// Packs samples of 1 to 16 bits, the first into the highest bits.
private struct BitWriter {
    private var bytes: [UInt8] = []
    private var pending = 0
    private var pendingBits = 0

    mutating func append(_ value: Int, _ bits: Int) {
        pending = pending << bits | value
        pendingBits += bits
        while pendingBits >= 8 {
            pendingBits -= 8
            bytes.append(UInt8(pending >> pendingBits & 255))
        }
        pending &= 1 << pendingBits - 1
    }

    func finished() -> [UInt8] {
        pendingBits == 0 ? bytes : bytes + [UInt8(pending << (8 - pendingBits) & 255)]
    }
}

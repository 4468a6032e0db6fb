/// The orientation and the colour profile from a JPEG's header segments.
struct JPEGStructure {
    private(set) var orientation = Orientation.upright
    /// The ICC profile from the APP2 segments; nil if none is usable.
    private(set) var profile: ColourProfile?

    private static let icc = "ICC_PROFILE\0"

    /// Walks the segments before the first scan. Segments that make no sense are ignored.
    ///
    /// - Parameters:
    ///   - bytes: The whole file.
    ///   - largestProfile: The most bytes of a profile; a longer one is ignored.
    init(_ bytes: Bytes, largestProfile: Int) {
        var hasEXIF = false
        var parts: [Bytes] = []
        var offset = 2  // behind the start-of-image marker
        walk: while offset < bytes.count {
            guard bytes[offset] == 0xFF, let marker = bytes[offset + 1] else {
                offset += 1  // stray byte: libjpeg, too, skips to the next marker
                continue
            }
            switch marker {
            case 0xFF:  // padding
                offset += 1
            case 0x00, 0x01, 0xD0...0xD8:  // no length follows
                offset += 2
            case 0xD9, 0xDA:  // the end, or the first scan: the header is over
                break walk
            default:
                guard let length = bytes.uint16(at: offset + 2), length >= 2 else { break walk }
                let segment = bytes.slice(offset + 4..<offset + 2 + length)
                if marker == 0xE1, !hasEXIF, segment.has(Orientation.exifPrefix) {
                    hasEXIF = true  // only the first one counts
                    orientation = Orientation(exif: segment)
                } else if marker == 0xE2, segment.has(Self.icc) {
                    parts.append(segment.slice(Self.icc.utf8.count..<segment.count))
                }
                offset += 2 + length
            }
        }
        profile = Self.joined(parts, atMost: largestProfile)
    }

    /// Joins the parts of a profile. Each part begins with its number, from 1, and the number of parts (ICC.1, annex
    /// B.4). Returns nil if a part is missing, duplicated or inconsistent.
    private static func joined(_ parts: [Bytes], atMost most: Int) -> ColourProfile? {
        guard !parts.isEmpty, parts.reduce(0, { $0 + $1.count - 2 }) <= most else { return nil }
        var sorted = [Bytes?](repeating: nil, count: parts.count)
        for part in parts {
            guard let number = part[0], let count = part[1], Int(count) == parts.count,
                (1...parts.count).contains(Int(number)), sorted[Int(number) - 1] == nil
            else { return nil }
            sorted[Int(number) - 1] = part
        }
        let profile = sorted.reduce(into: [UInt8]()) { bytes, part in
            if let part { bytes += part.buffer[2...] }
        }
        return profile.withUnsafeBytes { ColourProfile(embedded: Bytes(buffer: $0)) }
    }
}

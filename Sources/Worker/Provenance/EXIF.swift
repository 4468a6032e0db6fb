/// The texts of an EXIF block (CIPA DC-008): those of its first directory, and the user's comment.
struct EXIF {
    enum Tag: Int {
        case description = 0x010E
        case make = 0x010F
        case model = 0x0110
        case software = 0x0131
        case userComment = 0x9286
    }

    private(set) var texts: [(tag: Tag, value: String)] = []

    private static let directoryOfEXIF = 0x8769
    /// The most bytes of a text that are kept.
    private static let longestText = 1 << 16
    /// The most entries of a directory that are read.
    private static let mostEntries = 512

    /// Reads a TIFF block. What makes no sense is ignored.
    init(_ tiff: ByteView, _ effort: Effort) throws(EvidenceError) {
        let bigEndian = tiff.has("MM\0*")
        guard bigEndian || tiff.has("II*\0"), let first = tiff.uint32(at: 4, bigEndian: bigEndian) else { return }
        // Only these two directories are read, each once, so that no chain of directories is followed in circles.
        if let further = try read(tiff, at: first, bigEndian, effort) {
            _ = try read(tiff, at: further, bigEndian, effort)
        }
    }

    /// Reads a directory; returns the offset of the directory of EXIF if it names one.
    private mutating func read(
        _ tiff: ByteView, at directory: Int, _ bigEndian: Bool, _ effort: Effort
    ) throws(EvidenceError) -> Int? {
        guard let entries = tiff.uint16(at: directory, bigEndian: bigEndian) else { return nil }
        var further: Int?
        for entry in 0..<min(entries, Self.mostEntries) {
            try effort.item()
            let offset = directory + 2 + entry * 12
            guard let name = tiff.uint16(at: offset, bigEndian: bigEndian),
                let type = tiff.uint16(at: offset + 2, bigEndian: bigEndian),
                let count = tiff.uint32(at: offset + 4, bigEndian: bigEndian),
                let value = tiff.uint32(at: offset + 8, bigEndian: bigEndian)
            else { break }
            if name == Self.directoryOfEXIF { further = value }
            // ASCII, UNDEFINED, BYTE, and UTF-8 of EXIF 3.0: one byte each.
            guard let tag = Tag(rawValue: name), [1, 2, 7, 129].contains(type),
                let bytes = tiff.slice(count <= 4 ? offset + 8 : value, count)
            else { continue }
            let kept = bytes.prefix(Self.longestText)
            let text = tag == .userComment ? Self.comment(kept, bigEndian) : Self.terminated(kept).text
            if !text.isEmpty { texts.append((tag, text)) }
        }
        return further
    }

    private static func terminated(_ bytes: ByteView) -> ByteView {
        bytes.firstOffset(of: 0).map { bytes.prefix($0) } ?? bytes
    }

    /// Returns the text behind the eight bytes that name its encoding. Programs write UTF-16 in either byte order,
    /// whatever the block's is: the order in which more of the characters are ASCII counts.
    private static func comment(_ bytes: ByteView, _ bigEndian: Bool) -> String {
        guard bytes.has("UNICODE\0") else {
            let isNamed = bytes.has("ASCII\0\0\0") || bytes.has("JIS\0\0\0\0\0") || bytes.has([0, 0, 0, 0, 0, 0, 0, 0])
            return terminated(isNamed ? bytes.dropping(8) : bytes).text
        }
        let text = bytes.dropping(8)
        var zeros = (even: 0, odd: 0)
        for index in text.buffer.indices.prefix(512) where text.buffer[index] == 0 {
            if index % 2 == 0 { zeros.even += 1 } else { zeros.odd += 1 }
        }
        let isBig = zeros.even == zeros.odd ? bigEndian : zeros.even > zeros.odd
        let units = (0..<text.count / 2).lazy.map { UInt16(text.uint16(at: $0 * 2, bigEndian: isBig) ?? 0) }
        return String(decoding: Array(units.prefix { $0 != 0 }), as: UTF16.self)
    }
}

import CPNG

/// A PNG's sequence of chunks, walked before libpng reads a byte. So the size is known before anything is allocated,
/// and a truncated file is told from a corrupt one, with the number of missing bytes.
///
/// Optional chunks with a wrong checksum are ignored.
struct PNGStructure {
    private(set) var width = 0
    private(set) var height = 0
    private(set) var isInterlaced = false
    private(set) var isGray = false
    /// Whether there are frames of an animation besides the image.
    private(set) var isAnimated = false
    private(set) var orientation = Orientation.upright
    /// The possible meanings of the colours, the most trusted first.
    private(set) var profiles: [ColourProfile] = []
    /// Where the file ends and the error message for that, if it has image data but no end chunk. The end may lie
    /// behind the last row.
    private(set) var cut: (offset: Int, message: String)?

    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// The bytes of a chunk before its data (length and type) and behind it (checksum).
    private static let chunkHead = 8
    private static let chunkTail = 4
    private static let headerData = 13

    /// The longest side in pixels that libpng accepts.
    private static let longestSide = 1_000_000

    private struct Chunk {
        let name: String
        /// The offsets of its first byte and of the byte behind its checksum.
        let offset, end: Int
        let data: Bytes
        /// Whether its checksum is correct; true for chunks whose checksum libpng verifies.
        let isSound: Bool
    }

    init(_ bytes: Bytes, limits: DecodeLimits) throws(DecodeError) {
        guard bytes.count >= Self.signature.count else {
            throw .truncated("PNG data ends after \(bytes.count) bytes, within its signature.")
        }
        guard bytes.has(Self.signature) else {
            throw .corrupt("PNG signature is damaged, as by a transfer in text mode.")
        }
        var colour = PNGColour()
        var offset = Self.signature.count
        var (hasPalette, hasData, hasEXIF) = (false, false, false)
        walk: while true {
            let chunk: Chunk
            switch try Self.chunk(of: bytes, at: offset) {
            case .whole(let whole): chunk = whole
            case .cut(let name, let message):
                guard hasData || name == "IDAT" else { throw .truncated(message) }
                cut = (offset, message)
                break walk
            }
            if offset == Self.signature.count {
                try readHeader(chunk)
                try Budget(limits).check(.png, width: width, height: height, longestSide: Self.longestSide)
            }
            switch chunk.name {
            case "PLTE":
                hasPalette = true
            case "IDAT":
                hasData = true
            case "eXIf" where !hasData && !hasEXIF && chunk.isSound:
                hasEXIF = true  // only the first one counts
                orientation = Orientation(exif: chunk.data)
            case "fdAT":
                isAnimated = true
            case "IEND":
                guard hasData else { throw .corrupt("PNG is corrupt: it has no image data.") }
                break walk
            default:
                if !hasPalette, !hasData, chunk.isSound { colour.read(chunk.name, chunk.data) }
            }
            offset = chunk.end
        }
        profiles = colour.profiles(largest: limits.profile)
    }

    private enum Found {
        case whole(Chunk)
        /// The data ends within the chunk. The name is empty if it is missing; the message is for the error.
        case cut(name: String, message: String)
    }

    private static func chunk(of bytes: Bytes, at offset: Int) throws(DecodeError) -> Found {
        guard let length = bytes.uint32(at: offset), bytes.count >= offset + chunkHead else {
            return .cut(name: "", message: "PNG data ends after \(bytes.count) bytes, without its end chunk.")
        }
        let type = bytes.slice(offset + 4..<offset + chunkHead)
        let isLetters = type.buffer.allSatisfy { 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 }
        guard isLetters, length <= Int32.max else {
            throw .corrupt("PNG is corrupt: no chunk begins at byte \(offset), where one should.")
        }
        let name = String(decoding: type.buffer, as: UTF8.self)
        let data = offset + chunkHead
        let end = data + length + chunkTail
        guard end <= bytes.count else {
            return .cut(
                name: name,
                message: "PNG data ends after \(bytes.count) of at least \(end) bytes, within its \(name) chunk.")
        }
        return .whole(
            Chunk(
                name: name, offset: offset, end: end, data: bytes.slice(data..<data + length),
                isSound: isSound(name, bytes.slice(offset + 4..<end))))
    }

    /// Returns whether the checksum is correct. Returns true for chunks whose checksum libpng verifies.
    ///
    /// - Parameter chunk: The chunk's type, data and checksum.
    private static func isSound(_ name: String, _ chunk: Bytes) -> Bool {
        guard ["IHDR", "cICP", "iCCP", "sRGB", "gAMA", "cHRM", "eXIf"].contains(name),
            let start = chunk.buffer.baseAddress
        else { return true }
        let count = chunk.count - chunkTail
        return chunk.uint32(at: count)
            == Int(bifrons_png_checksum(start.assumingMemoryBound(to: UInt8.self), count))
    }

    private mutating func readHeader(_ chunk: Chunk) throws(DecodeError) {
        guard chunk.name != "CgBI" else {
            throw .unsupported(
                "PNG is in Apple's own form for iOS applications (CgBI), which is not read: save it as an ordinary PNG."
            )
        }
        guard chunk.name == "IHDR", chunk.data.count == Self.headerData else {
            throw .corrupt("PNG is corrupt: it does not begin with a header chunk.")
        }
        guard chunk.isSound else {
            throw .corrupt("PNG is corrupt: the checksum of its header chunk is wrong.")
        }
        width = chunk.data.uint32(at: 0) ?? 0
        height = chunk.data.uint32(at: 4) ?? 0
        isGray = chunk.data[9] == 0 || chunk.data[9] == 4
        isInterlaced = chunk.data[12] == 1
    }
}

/// A pass over an interlaced image, or the single pass over a plain one: the pixels of every `stepX`-th column and
/// `stepY`-th row, beginning at (`firstX`, `firstY`).
struct PNGPass {
    let firstX, firstY, stepX, stepY: Int

    static let plain = [PNGPass(firstX: 0, firstY: 0, stepX: 1, stepY: 1)]

    /// The seven passes of Adam7 (PNG third edition, 8.2).
    static let interlaced = [
        PNGPass(firstX: 0, firstY: 0, stepX: 8, stepY: 8),
        PNGPass(firstX: 4, firstY: 0, stepX: 8, stepY: 8),
        PNGPass(firstX: 0, firstY: 4, stepX: 4, stepY: 8),
        PNGPass(firstX: 2, firstY: 0, stepX: 4, stepY: 4),
        PNGPass(firstX: 0, firstY: 2, stepX: 2, stepY: 4),
        PNGPass(firstX: 1, firstY: 0, stepX: 2, stepY: 2),
        PNGPass(firstX: 0, firstY: 1, stepX: 1, stepY: 2),
    ]

    func columns(of width: Int) -> Int { (width - firstX + stepX - 1) / stepX }
}

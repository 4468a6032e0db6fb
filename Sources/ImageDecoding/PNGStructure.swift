/// A PNG's frame of chunks, walked before libpng sees a byte: the size is known before anything is allocated, and a file
/// that ends early is told from one that is broken, with the number of bytes it lacks.
struct PNGStructure {
    private(set) var width = 0
    private(set) var height = 0
    private(set) var isInterlaced = false
    private(set) var orientation = Orientation.upright

    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// Bytes of a chunk before and behind its data: length and type, checksum.
    private static let chunkHead = 8
    private static let chunkTail = 4
    private static let headerData = 13

    /// libpng takes no longer sides.
    private static let longestSide = 1_000_000

    init(_ bytes: Bytes, limits: DecodeLimits) throws(DecodeError) {
        guard bytes.count >= Self.signature.count else {
            throw .truncated("PNG data ends after \(bytes.count) bytes, within its signature.")
        }
        guard bytes.has(Self.signature) else {
            throw .corrupt("PNG signature is damaged, as by a transfer in text mode.")
        }
        var offset = Self.signature.count
        var hasData = false
        while true {
            guard let length = bytes.uint32(at: offset), bytes.count >= offset + Self.chunkHead else {
                throw .truncated("PNG data ends after \(bytes.count) bytes, without its end chunk.")
            }
            let type = bytes.slice(offset + 4..<offset + Self.chunkHead)
            let isLetters = type.buffer.allSatisfy { 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 }
            guard isLetters, length <= Int32.max else {
                throw .corrupt("PNG is corrupt: no chunk begins at byte \(offset), where one should.")
            }
            let name = String(decoding: type.buffer, as: UTF8.self)
            let data = offset + Self.chunkHead
            let end = data + length + Self.chunkTail
            guard end <= bytes.count else {
                throw .truncated(
                    "PNG data ends after \(bytes.count) of at least \(end) bytes, within its \(name) chunk.")
            }
            if offset == Self.signature.count {
                guard name == "IHDR", length == Self.headerData else {
                    throw .corrupt("PNG is corrupt: it does not begin with a header chunk.")
                }
                try readHeader(bytes.slice(offset + 4..<end))
                try Budget(limits).check(.png, width: width, height: height, longestSide: Self.longestSide)
            }
            switch name {
            case "IDAT":
                hasData = true
            case "eXIf":
                orientation = Orientation(tiff: bytes.slice(data..<data + length))
            case "IEND":
                guard hasData else { throw .corrupt("PNG is corrupt: it has no image data.") }
                return
            default:
                break
            }
            offset = end
        }
    }

    /// - Parameter chunk: type, data and checksum of the header chunk.
    private mutating func readHeader(_ chunk: Bytes) throws(DecodeError) {
        let checked = 4 + Self.headerData
        guard let checksum = chunk.uint32(at: checked), checksum == Self.crc32(chunk.slice(0..<checked)) else {
            throw .corrupt("PNG is corrupt: the checksum of its header chunk is wrong.")
        }
        width = chunk.uint32(at: 4) ?? 0
        height = chunk.uint32(at: 8) ?? 0
        isInterlaced = chunk[16] == 1
    }

    /// The checksum of PNG (third edition, annex D), bit by bit: it is asked for 17 bytes.
    private static func crc32(_ bytes: Bytes) -> Int {
        var crc = UInt32.max
        for byte in bytes.buffer {
            crc ^= UInt32(byte)
            for _ in 0..<8 {
                crc = crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1
            }
        }
        return Int(~crc)
    }
}

/// A pass over an interlaced picture, or the only one over a plain picture: the pixels of every `stepX`-th column and
/// `stepY`-th row from (`firstX`, `firstY`) on.
struct PNGPass {
    let firstX, firstY, stepX, stepY: Int

    static let plain = [PNGPass(firstX: 0, firstY: 0, stepX: 1, stepY: 1)]

    /// Adam7 (PNG third edition, 8.2).
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

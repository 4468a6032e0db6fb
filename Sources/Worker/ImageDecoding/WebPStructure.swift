/// The chunks of a WebP, walked before libwebp reads a byte: where the image data is, its place on the canvas, and what
/// the chunks beside it say. Of an animation, the image data is that of the first frame.
///
/// Every chunk must be whole, because the orientation comes behind the image data. So a truncated file is told from a
/// corrupt one, with the number of missing bytes.
struct WebPStructure {
    /// The width of the canvas in pixels.
    private(set) var width = 0
    /// The height of the canvas in pixels.
    private(set) var height = 0
    private(set) var picture = WebPPicture()
    /// The column of the canvas where the picture begins.
    private(set) var left = 0
    /// The row of the canvas where the picture begins.
    private(set) var top = 0
    private(set) var orientation = Orientation.upright
    /// The ICC profile; nil if none is usable.
    private(set) var profile: ColourProfile?
    /// Whether there are further frames.
    private(set) var isAnimated = false

    /// The bytes before the first chunk: `RIFF`, the number of bytes that follow, `WEBP`.
    private static let head = 12
    /// The bytes of a frame before its own chunks: place, size, duration and flags.
    private static let frameHead = 16

    /// The flags of a VP8X chunk that are of use here. Like libwebp, this ignores chunks that no flag announces.
    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let animation = Flags(rawValue: 0x02)
        static let exif = Flags(rawValue: 0x08)
        static let profile = Flags(rawValue: 0x20)
    }

    init(_ bytes: Bytes, limits: DecodeLimits) throws(DecodeError) {
        guard let size = bytes.uint32(at: 4, bigEndian: false), bytes.count >= Self.head else {
            throw .truncated("WebP data ends after \(bytes.count) bytes, within its header.")
        }
        guard 8 + size <= bytes.count else {
            throw .truncated("WebP data ends after \(bytes.count) of at least \(8 + size) bytes.")
        }
        var chunks = WebPChunks(bytes, Self.head..<max(Self.head, 8 + size))
        guard let first = try chunks.next() else { throw .corrupt("WebP is corrupt: it has no chunks.") }
        if first.name == "VP8X" {
            try readExtended(first, &chunks, limits)
        } else {
            try picture.read(first)
            // Whatever follows, nothing has announced it. But it must be whole.
            while try chunks.next() != nil {}
            (width, height) = (picture.width, picture.height)
        }
        guard picture.isComplete else { throw .corrupt("WebP is corrupt: it has no image data.") }
        try Budget(limits).check(.webp, width: width, height: height)
        guard left + picture.width <= width, top + picture.height <= height else {
            throw .corrupt("WebP is corrupt: its first frame reaches beyond its canvas.")
        }
    }

    /// Whether the picture covers the whole canvas.
    var coversCanvas: Bool { picture.width == width && picture.height == height }

    private mutating func readExtended(
        _ header: WebPChunks.Chunk, _ chunks: inout WebPChunks, _ limits: DecodeLimits
    ) throws(DecodeError) {
        guard let flags = header.data[0].map(Flags.init(rawValue:)), let widthLessOne = header.data.uint24(at: 4),
            let heightLessOne = header.data.uint24(at: 7)
        else { throw .corrupt("WebP is corrupt: its VP8X chunk has only \(header.data.count) bytes.") }
        (width, height) = (widthLessOne + 1, heightLessOne + 1)
        var (hasEXIF, hasProfile, frames) = (false, false, 0)
        while let chunk = try chunks.next() {
            switch chunk.name {
            case "VP8X":
                throw .corrupt("WebP is corrupt: it has a second VP8X chunk, at byte \(chunk.offset).")
            case "ALPH", "VP8 ", "VP8L":
                guard !flags.contains(.animation) else {
                    throw .corrupt("WebP is corrupt: it is an animation and has an image outside of its frames.")
                }
                try picture.read(chunk)
            case "ANMF":
                guard flags.contains(.animation) else {
                    throw .corrupt("WebP is corrupt: it has frames and does not declare itself an animation.")
                }
                if frames == 0 { try readFrame(chunk) }
                frames += 1
            case "EXIF" where flags.contains(.exif) && !hasEXIF:
                hasEXIF = true  // only the first one counts
                orientation = Orientation(exif: chunk.data)
            case "ICCP" where flags.contains(.profile) && !hasProfile:
                hasProfile = true
                if chunk.data.count <= limits.profile { profile = ColourProfile(embedded: chunk.data) }
            default:
                break
            }
        }
        isAnimated = frames > 1
        guard flags.contains(.animation) || !picture.isComplete || coversCanvas else {
            throw .corrupt("WebP is corrupt: its image and its canvas differ in size.")
        }
    }

    /// Reads the chunks of a frame of an animation.
    private mutating func readFrame(_ frame: WebPChunks.Chunk) throws(DecodeError) {
        guard let x = frame.data.uint24(at: 0), let y = frame.data.uint24(at: 3),
            let widthLessOne = frame.data.uint24(at: 6), let heightLessOne = frame.data.uint24(at: 9),
            frame.data.count >= Self.frameHead
        else { throw .corrupt("WebP is corrupt: a frame has only \(frame.data.count) bytes.") }
        (left, top) = (2 * x, 2 * y)
        var chunks = frame.chunks(from: Self.frameHead)
        while let chunk = try chunks.next() { try picture.read(chunk) }
        guard picture.width == widthLessOne + 1, picture.height == heightLessOne + 1 else {
            throw .corrupt("WebP is corrupt: its first frame and the image in it differ in size.")
        }
    }
}

/// The chunks of a WebP, or of a frame in it, one after another (RFC 9649, 2.3).
struct WebPChunks {
    struct Chunk {
        let name: String
        /// The offset of its first byte in the file.
        let offset: Int
        let data: Bytes
        fileprivate let file: Bytes

        /// The offset in the file behind its last byte of data.
        var end: Int { offset + WebPChunks.head + data.count }

        /// The bytes of the file from another chunk's beginning to this one's end.
        func joined(from start: Chunk) -> Bytes { file.slice(start.offset..<end) }

        /// Returns the chunks that are stored in this one's data, from an offset in it.
        func chunks(from start: Int) -> WebPChunks { WebPChunks(file, offset + WebPChunks.head + start..<end) }
    }

    /// The bytes of a chunk before its data: name and length.
    private static let head = 8
    private let file: Bytes
    private var offset: Int
    private let end: Int

    init(_ file: Bytes, _ range: Range<Int>) {
        self.file = file
        offset = range.lowerBound
        end = range.upperBound
    }

    /// Returns the next chunk; nil at the end.
    ///
    /// - Throws: ``DecodeError`` if it reaches beyond the end.
    mutating func next() throws(DecodeError) -> Chunk? {
        guard offset < end else { return nil }
        guard let length = file.uint32(at: offset + 4, bigEndian: false), length <= end - offset - Self.head else {
            throw .corrupt("WebP is corrupt: the chunk at byte \(offset) reaches beyond the end.")
        }
        let start = offset + Self.head
        let chunk = Chunk(
            name: String(decoding: file.slice(offset..<offset + 4).buffer, as: UTF8.self), offset: offset,
            data: file.slice(start..<start + length), file: file)
        offset = start + length + length % 2  // padded to an even number of bytes
        return chunk
    }
}

/// The image data of a WebP or of a frame in it: lossy with or without alpha beside it, or lossless.
struct WebPPicture {
    /// In pixels; 0 as long as there is no image data.
    private(set) var width = 0
    /// In pixels; 0 as long as there is no image data.
    private(set) var height = 0
    private(set) var hasAlpha = false
    /// The chunks of alpha and of image data, as libwebp reads them.
    private(set) var bytes = Bytes(buffer: UnsafeRawBufferPointer(start: nil, count: 0))
    /// The lossless bitstream behind its header, if there is one: that of the image or that of its alpha.
    private(set) var lossless: Bytes?
    private(set) var isLossy = false
    private var alpha: WebPChunks.Chunk?
    private(set) var isComplete = false

    /// The first bytes of a lossless bitstream: signature, size, whether it has alpha, version.
    private static let losslessHead = 5
    private static let losslessSignature: UInt8 = 0x2F
    /// The first bytes of a lossy bitstream: the frame's tag, a signature, the size.
    private static let lossyHead = 10
    private static let lossySignature: [UInt8] = [0x9D, 0x01, 0x2A]

    /// Reads a chunk, if it belongs to the image data.
    ///
    /// - Throws: ``DecodeError`` if it does not fit the chunks before it, or its header is damaged.
    mutating func read(_ chunk: WebPChunks.Chunk) throws(DecodeError) {
        guard ["ALPH", "VP8 ", "VP8L"].contains(chunk.name) else { return }
        guard !isComplete, alpha == nil || chunk.name == "VP8 " else {
            throw .corrupt("WebP is corrupt: the chunk at byte \(chunk.offset) does not belong to its image.")
        }
        switch chunk.name {
        case "ALPH":
            alpha = chunk
            hasAlpha = true
            if let method = chunk.data[0], method & 3 == 1 { lossless = chunk.data.slice(1..<chunk.data.count) }
        case "VP8 ":
            try readLossy(chunk.data)
            bytes = chunk.joined(from: alpha ?? chunk)
            isComplete = true
        default:
            try readLossless(chunk.data)
            bytes = chunk.joined(from: chunk)
            isComplete = true
        }
    }

    /// Reads the frame header of a VP8 bitstream (RFC 6386, 9.1).
    private mutating func readLossy(_ data: Bytes) throws(DecodeError) {
        guard data.count >= Self.lossyHead, let tag = data[0],
            let storedWidth = data.uint16(at: 6, bigEndian: false),
            let storedHeight = data.uint16(at: 8, bigEndian: false)
        else { throw .truncated("WebP image data ends after \(data.count) bytes, within its header.") }
        guard tag & 1 == 0, data.has(Self.lossySignature, at: 3) else {
            throw .corrupt("WebP is corrupt: its image data begin without a key frame.")
        }
        isLossy = true
        (width, height) = (storedWidth & 0x3FFF, storedHeight & 0x3FFF)  // the upper bits are a hint for displays
    }

    /// Reads the header of a VP8L bitstream (RFC 9649, 3.4).
    private mutating func readLossless(_ data: Bytes) throws(DecodeError) {
        guard data.count >= Self.losslessHead, let numbers = data.uint32(at: 1, bigEndian: false) else {
            throw .truncated("WebP image data ends after \(data.count) bytes, within its header.")
        }
        guard data[0] == Self.losslessSignature, numbers >> 29 == 0 else {
            throw .corrupt("WebP is corrupt: its lossless image data begin without their signature.")
        }
        (width, height) = (numbers & 0x3FFF + 1, numbers >> 14 & 0x3FFF + 1)
        hasAlpha = numbers >> 28 & 1 == 1
        lossless = data.slice(Self.losslessHead..<data.count)
    }
}

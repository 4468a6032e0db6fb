/// The blocks of a GIF (GIF89a, W3C copy of 1990), walked before any pixel is decoded: the first frame, its place on the
/// canvas, and whether there are others.
///
/// Nothing behind the first frame is needed. So a file that ends there has its image, and whatever is no block there
/// counts as the end.
struct GIFStructure {
    /// The width of the canvas in pixels: that of the logical screen, or as much more as the first frame needs.
    private(set) var width = 0
    /// The height of the canvas in pixels: that of the logical screen, or as much more as the first frame needs.
    private(set) var height = 0
    /// The column of the canvas where the first frame begins.
    private(set) var left = 0
    /// The row of the canvas where the first frame begins.
    private(set) var top = 0
    private(set) var frameWidth = 0
    private(set) var frameHeight = 0
    private(set) var isInterlaced = false
    /// Red, green and blue of each colour of the first frame.
    private(set) var colours: Bytes?
    /// The number of the colour that stands for transparent; nil if none does.
    private(set) var transparent: UInt8?
    /// The compressed colour numbers of the first frame: the number of bits of a colour number, blocks of data that
    /// begin with their length, and whatever is behind them.
    private(set) var data = Bytes(buffer: UnsafeRawBufferPointer(start: nil, count: 0))
    /// Whether there are further frames.
    private(set) var isAnimated = false

    /// The bytes of the signature and of the logical screen.
    private static let head = 13
    private static let frameHead = 10
    private static let (extensionLabel, frameLabel, trailer): (UInt8, UInt8, UInt8) = (0x21, 0x2C, 0x3B)
    private static let graphicControl: UInt8 = 0xF9

    init(_ bytes: Bytes, limits: DecodeLimits) throws(DecodeError) {
        guard let screenWidth = bytes.uint16(at: 6, bigEndian: false),
            let screenHeight = bytes.uint16(at: 8, bigEndian: false), let flags = bytes[10], bytes.count >= Self.head
        else { throw Self.truncated(bytes) }
        var offset = Self.head
        colours = try Self.readColours(flags, of: bytes, at: &offset)
        walk: while true {
            switch bytes[offset] {
            case Self.extensionLabel:
                if bytes[offset + 1] == Self.graphicControl, let count = bytes[offset + 2], count >= 4,
                    let flags = bytes[offset + 3]
                {
                    transparent = flags & 1 == 1 ? bytes[offset + 6] : nil
                }
                guard let end = Self.end(ofBlocksAt: offset + 2, of: bytes) else { throw Self.truncated(bytes) }
                offset = end
            case Self.frameLabel: break walk
            case Self.trailer: throw .corrupt("GIF is corrupt: it has no image.")
            case nil: throw Self.truncated(bytes)
            default: throw .corrupt("GIF is corrupt: no block begins at byte \(offset), where one should.")
            }
        }
        try readFrame(of: bytes, at: &offset)
        (width, height) = (max(screenWidth, left + frameWidth), max(screenHeight, top + frameHeight))
        try Budget(limits).check(.gif, width: width, height: height)
        guard frameWidth > 0, frameHeight > 0 else {
            throw .zeroSized("GIF declares \(frameWidth) × \(frameHeight) pixels for its first image.")
        }
        data = bytes.slice(offset..<bytes.count)
        isAnimated = Self.hasFrame(bytes, behindBlocksAt: offset + 1)
    }

    /// Whether the frame covers the whole canvas.
    var coversCanvas: Bool { frameWidth == width && frameHeight == height }

    /// The rows of the frame in the order in which they are stored.
    var rows: [Int] {
        guard isInterlaced else { return Array(0..<frameHeight) }
        return [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { Array(stride(from: $0.0, to: frameHeight, by: $0.1)) }
    }

    private mutating func readFrame(of bytes: Bytes, at offset: inout Int) throws(DecodeError) {
        guard let left = bytes.uint16(at: offset + 1, bigEndian: false),
            let top = bytes.uint16(at: offset + 3, bigEndian: false),
            let width = bytes.uint16(at: offset + 5, bigEndian: false),
            let height = bytes.uint16(at: offset + 7, bigEndian: false), let flags = bytes[offset + 9]
        else { throw Self.truncated(bytes) }
        (self.left, self.top, frameWidth, frameHeight) = (left, top, width, height)
        isInterlaced = flags & 0x40 != 0
        offset += Self.frameHead
        if let own = try Self.readColours(flags, of: bytes, at: &offset) { colours = own }
    }

    /// Returns the table of colours that flags announce at an offset, which is moved behind it; nil if they announce none.
    private static func readColours(_ flags: UInt8, of bytes: Bytes, at offset: inout Int) throws(DecodeError) -> Bytes?
    {
        guard flags & 0x80 != 0 else { return nil }
        let table = bytes.slice(offset..<offset + 3 << (flags & 7 + 1))
        offset += 3 << (flags & 7 + 1)
        guard offset <= bytes.count else { throw truncated(bytes) }
        return table
    }

    /// Returns the offset behind blocks of data; nil if the file ends before.
    private static func end(ofBlocksAt start: Int, of bytes: Bytes) -> Int? {
        var offset = start
        while let length = bytes[offset] {
            offset += 1 + Int(length)
            if length == 0 { return offset }
        }
        return nil
    }

    /// Returns whether another frame comes behind blocks of data.
    private static func hasFrame(_ bytes: Bytes, behindBlocksAt start: Int) -> Bool {
        var offset = end(ofBlocksAt: start, of: bytes)
        while let place = offset, bytes[place] == extensionLabel { offset = end(ofBlocksAt: place + 2, of: bytes) }
        return offset.map { bytes[$0] == frameLabel } ?? false
    }

    private static func truncated(_ bytes: Bytes) -> DecodeError {
        .truncated("GIF data ends after \(bytes.count) bytes, before its first image.")
    }
}

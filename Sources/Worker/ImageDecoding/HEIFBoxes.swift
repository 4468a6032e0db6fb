/// The boxes of an AVIF or HEIC file, or of another box in it, one after another (ISO/IEC 14496-12, 4.2).
struct HEIFBoxes {
    struct Box {
        let type: String
        /// The offset of its data in the file.
        let start: Int
        let data: Bytes
    }

    private static let head = 8
    private let file: Bytes
    private var offset: Int
    private let end: Int
    private let format: ImageFormat

    init(_ file: Bytes, _ range: Range<Int>, _ format: ImageFormat) {
        self.file = file
        offset = range.lowerBound
        end = range.upperBound
        self.format = format
    }

    /// Creates the boxes in the data of another one, from an offset in it.
    init(in box: Box, from start: Int, of file: Bytes, _ format: ImageFormat) {
        self.init(file, min(box.start + start, box.start + box.data.count)..<box.start + box.data.count, format)
    }

    /// Returns the next box; nil at the end.
    ///
    /// - Throws: ``DecodeError`` if it is not whole: truncated at the end of the file, otherwise corrupt.
    mutating func next() throws(DecodeError) -> Box? {
        guard offset < end else { return nil }
        guard let short = file.uint32(at: offset), offset + Self.head <= end else { throw beyond(nil) }
        var (length, head) = (short, Self.head)
        if short == 0 {  // to the end
            length = end - offset
        } else if short == 1 {
            guard let high = file.uint32(at: offset + 8), let low = file.uint32(at: offset + 12) else {
                throw beyond(nil)
            }
            (length, head) = (high < 1 << 31 ? high << 32 | low : .max, 16)
        }
        guard length >= head else {
            throw .corrupt("\(format.title) is corrupt: the box at byte \(offset) has a length of \(length).")
        }
        guard length <= end - offset else { throw beyond(length) }
        defer { offset += length }
        return Box(
            type: String(decoding: file.slice(offset + 4..<offset + 8).buffer, as: UTF8.self), start: offset + head,
            data: file.slice(offset + head..<offset + length))
    }

    /// Returns the error for a box that reaches beyond the end, with its length if that is known.
    private func beyond(_ length: Int?) -> DecodeError {
        guard end == file.count else {
            return .corrupt("\(format.title) is corrupt: the box at byte \(offset) reaches beyond the one around it.")
        }
        let (least, isBeyond) = offset.addingReportingOverflow(length ?? Self.head)
        return .truncated(
            "\(format.title) data ends after \(file.count) of at least \(isBeyond ? .max : least) bytes.")
    }
}

/// Reads numbers from the data of a box, the highest byte first.
struct HEIFNumbers {
    private let data: Bytes
    private let format: ImageFormat
    private var offset: Int

    init(_ data: Bytes, from offset: Int = 0, _ format: ImageFormat) {
        self.data = data
        self.format = format
        self.offset = offset
    }

    /// Returns a number of up to 8 bytes; 0 for one of none.
    ///
    /// - Throws: ``DecodeError`` if the data ends before, or the number does not fit into 63 bits.
    mutating func read(_ bytes: Int) throws(DecodeError) -> Int {
        var value: UInt64 = 0
        for _ in 0..<bytes {
            guard let byte = data[offset] else {
                throw .corrupt("\(format.title) is corrupt: a box ends before its numbers do.")
            }
            value = value << 8 | UInt64(byte)
            offset += 1
        }
        guard let number = Int(exactly: value) else {
            throw .corrupt("\(format.title) is corrupt: a number is out of its range.")
        }
        return number
    }

    /// Whether all numbers are read.
    var isAtEnd: Bool { offset >= data.count }

    /// Returns the next bytes.
    ///
    /// - Throws: ``DecodeError`` if the data ends before.
    mutating func bytes(_ count: Int) throws(DecodeError) -> Bytes {
        guard count <= data.count - offset else {
            throw .truncated("\(format.title) image data ends within a part that should have \(count) bytes.")
        }
        defer { offset += count }
        return data.slice(offset..<offset + count)
    }
}

import Glibc

/// Untrusted bytes. Reading outside of them returns nil and never traps.
struct ByteView {
    let buffer: UnsafeRawBufferPointer

    var count: Int { buffer.count }

    subscript(offset: Int) -> UInt8? {
        offset >= 0 && offset < buffer.count ? buffer[offset] : nil
    }

    func uint16(at offset: Int, bigEndian: Bool = true) -> Int? {
        guard let first = self[offset], let second = self[offset + 1] else { return nil }
        return bigEndian ? Int(first) << 8 | Int(second) : Int(second) << 8 | Int(first)
    }

    func uint32(at offset: Int, bigEndian: Bool = true) -> Int? {
        guard let first = uint16(at: offset, bigEndian: bigEndian),
            let second = uint16(at: offset + 2, bigEndian: bigEndian)
        else { return nil }
        return bigEndian ? first << 16 | second : second << 16 | first
    }

    /// Returns a big-endian number; nil also if it is larger than `Int.max`.
    func uint64(at offset: Int) -> Int? {
        guard let high = uint32(at: offset), let low = uint32(at: offset + 4), high <= Int32.max else { return nil }
        return high << 32 | low
    }

    /// Returns the big-endian number in `size` bytes; nil if `size` is none of 0, 1, 2, 4 and 8.
    func number(at offset: Int, size: Int) -> Int? {
        switch size {
        case 0: 0
        case 1: self[offset].map(Int.init)
        case 2: uint16(at: offset)
        case 4: uint32(at: offset)
        case 8: uint64(at: offset)
        default: nil
        }
    }

    /// Returns `length` bytes from `offset`; nil if any of them lies outside.
    func slice(_ offset: Int, _ length: Int) -> ByteView? {
        guard offset >= 0, length >= 0, offset <= count, length <= count - offset else { return nil }
        return ByteView(buffer: UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + length]))
    }

    /// Returns the bytes from `offset`; none if there are not so many.
    func dropping(_ offset: Int) -> ByteView {
        ByteView(buffer: UnsafeRawBufferPointer(rebasing: buffer[min(max(offset, 0), count)...]))
    }

    /// Returns at most the first `length` bytes.
    func prefix(_ length: Int) -> ByteView {
        ByteView(buffer: UnsafeRawBufferPointer(rebasing: buffer[..<min(max(length, 0), count)]))
    }

    func has(_ expected: some Collection<UInt8>, at offset: Int = 0) -> Bool {
        offset >= 0 && expected.count <= count - offset
            && buffer[offset..<offset + expected.count].elementsEqual(expected)
    }

    func has(_ expected: String, at offset: Int = 0) -> Bool { has(expected.utf8, at: offset) }

    /// Whether these are exactly the bytes of a text.
    func equals(_ expected: String) -> Bool { count == expected.utf8.count && has(expected) }

    /// Returns the offset of the first such byte that is not before `start`.
    func firstOffset(of byte: UInt8, from start: Int = 0) -> Int? {
        guard start >= 0, start < count, let base = buffer.baseAddress,
            let found = memchr(base + start, Int32(byte), count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Returns the offset of the first such bytes that do not begin before `start`.
    func firstOffset(of text: String, from start: Int = 0) -> Int? {
        guard let first = text.utf8.first else { return nil }
        var offset = start
        while let found = firstOffset(of: first, from: offset) {
            if has(text, at: found) { return found }
            offset = found + 1
        }
        return nil
    }

    func contains(_ text: String) -> Bool { firstOffset(of: text) != nil }

    /// The bytes as text: UTF-8 if they are that, otherwise Latin-1.
    var text: String {
        if let text = String(validating: buffer, as: UTF8.self) { return text }
        return String(decoding: buffer.map { UInt16($0) }, as: UTF16.self)
    }
}

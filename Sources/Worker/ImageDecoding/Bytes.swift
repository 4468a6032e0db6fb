/// Untrusted bytes. Reading outside of them returns nil and never traps.
struct Bytes {
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

    /// Returns a number of three bytes, the lowest first.
    func uint24(at offset: Int) -> Int? {
        guard let low = uint16(at: offset, bigEndian: false), let high = self[offset + 2] else { return nil }
        return Int(high) << 16 | low
    }

    /// Returns the part of `range` that lies within the bytes.
    func slice(_ range: Range<Int>) -> Bytes {
        Bytes(buffer: UnsafeRawBufferPointer(rebasing: buffer[range.clamped(to: 0..<buffer.count)]))
    }

    func has(_ expected: some Collection<UInt8>, at offset: Int = 0) -> Bool {
        offset >= 0 && expected.count <= count - offset
            && buffer[offset..<offset + expected.count].elementsEqual(expected)
    }

    func has(_ expected: String, at offset: Int = 0) -> Bool { has(expected.utf8, at: offset) }
}

/// Reads JSON (RFC 8259). Any bytes give a value or nil.
struct JSON {
    private let bytes: ByteView
    private var offset = 0
    private var items = 0

    private static let deepest = 64
    private static let mostItems = 10_000

    /// Reads a value; nil if the bytes do not begin with one, or if it has more than 10,000 values or 64 levels.
    static func value(_ bytes: ByteView) -> Value? {
        var reader = JSON(bytes: bytes)
        return reader.read(depth: 1)
    }

    private mutating func read(depth: Int) -> Value? {
        items += 1
        guard depth <= Self.deepest, items <= Self.mostItems else { return nil }
        skipSpace()
        switch bytes[offset] {
        case UInt8(ascii: "{"): return readObject(depth: depth)
        case UInt8(ascii: "["): return readArray(depth: depth)
        case UInt8(ascii: "\""): return readString().map { .text($0) }
        case UInt8(ascii: "t"): return readWord("true", .bool(true))
        case UInt8(ascii: "f"): return readWord("false", .bool(false))
        case UInt8(ascii: "n"): return readWord("null", .null)
        default: return readNumber()
        }
    }

    private mutating func skipSpace() {
        while let byte = bytes[offset], [0x20, 0x09, 0x0A, 0x0D].contains(byte) { offset += 1 }
    }

    private mutating func readMark(_ mark: UInt8) -> Bool {
        skipSpace()
        guard bytes[offset] == mark else { return false }
        offset += 1
        return true
    }

    private mutating func readWord(_ word: String, _ value: Value) -> Value? {
        guard bytes.has(word, at: offset) else { return nil }
        offset += word.utf8.count
        return value
    }

    private mutating func readNumber() -> Value? {
        let start = offset
        while let byte = bytes[offset], "+-.0123456789Ee".utf8.contains(byte) { offset += 1 }
        guard offset - start <= 64, let text = bytes.slice(start, offset - start)?.text, let number = Double(text)
        else {
            return nil
        }
        return Int(text).map { .int($0) } ?? .float(number)
    }

    private mutating func readArray(depth: Int) -> Value? {
        offset += 1
        var values: [Value] = []
        if readMark(UInt8(ascii: "]")) { return .array(values) }
        repeat {
            guard let value = read(depth: depth + 1) else { return nil }
            values.append(value)
        } while readMark(UInt8(ascii: ","))
        return readMark(UInt8(ascii: "]")) ? .array(values) : nil
    }

    private mutating func readObject(depth: Int) -> Value? {
        offset += 1
        var entries: [(key: Value.Key, value: Value)] = []
        if readMark(UInt8(ascii: "}")) { return .map(entries) }
        repeat {
            skipSpace()
            guard bytes[offset] == UInt8(ascii: "\""), let key = readString(), readMark(UInt8(ascii: ":")),
                let value = read(depth: depth + 1)
            else { return nil }
            entries.append((.text(key), value))
        } while readMark(UInt8(ascii: ","))
        return readMark(UInt8(ascii: "}")) ? .map(entries) : nil
    }

    private mutating func readString() -> String? {
        offset += 1
        var text: [UInt8] = []
        while let byte = bytes[offset], byte != UInt8(ascii: "\"") {
            offset += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escape = bytes[offset] else { return nil }
            offset += 1
            switch escape {
            case UInt8(ascii: "b"): text.append(8)
            case UInt8(ascii: "f"): text.append(12)
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "u"):
                guard let scalar = readScalar() else { return nil }
                text += String(Character(scalar)).utf8
            default: text.append(escape)
            }
        }
        guard bytes[offset] != nil else { return nil }
        offset += 1
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads the digits of an escaped character, and the second half of a pair.
    private mutating func readScalar() -> Unicode.Scalar? {
        guard let first = readUnit() else { return nil }
        if (0xD800..<0xDC00).contains(first), bytes.has("\\u", at: offset) {
            offset += 2
            guard let second = readUnit() else { return nil }
            guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
            return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        }
        return Unicode.Scalar(first) ?? "\u{FFFD}"
    }

    private mutating func readUnit() -> UInt32? {
        defer { offset += 4 }
        return bytes.slice(offset, 4).flatMap { UInt32($0.text, radix: 16) }
    }
}

/// Reads CBOR (RFC 8949). Any bytes give a value or nil; what follows the value is ignored, as assertions are padded.
struct CBOR {
    private let bytes: ByteView
    private let effort: Effort
    private var offset = 0

    /// The most levels of nested values.
    static let deepest = 64

    /// Reads a value; nil if the bytes do not begin with one.
    static func value(_ bytes: ByteView, _ effort: Effort) throws(EvidenceError) -> Value? {
        var reader = CBOR(bytes: bytes, effort: effort)
        return try reader.read(depth: 1)
    }

    private mutating func read(depth: Int) throws(EvidenceError) -> Value? {
        try effort.item()
        try effort.level(depth, of: "The values of a manifest", atMost: Self.deepest)
        guard let first = bytes[offset] else { return nil }
        offset += 1
        let (major, short) = (first >> 5, first & 31)
        if major == 7 { return readSimple(short) }
        let isOpen = short == 31 && (2...5).contains(major)
        guard let argument = isOpen ? 0 : readArgument(short) else { return nil }
        switch major {
        case 0: return .int(argument)
        case 1: return .int(-1 - argument)
        case 2, 3: return isOpen ? try readPieces(major) : readString(major, argument)
        case 4: return try readArray(isOpen ? nil : argument, depth: depth)
        case 5: return try readMap(isOpen ? nil : argument, depth: depth)
        default: return try read(depth: depth + 1).map { .tagged(argument, $0) }
        }
    }

    /// Returns the number behind the first byte; nil if it is missing or larger than `Int.max`.
    private mutating func readArgument(_ short: UInt8) -> Int? {
        let size =
            switch short {
            case ..<24: 0
            case 24: 1
            case 25: 2
            case 26: 4
            case 27: 8
            default: -1
            }
        guard size != 0 else { return Int(short) }
        defer { offset += max(size, 0) }
        return bytes.number(at: offset, size: size)
    }

    private mutating func readSimple(_ short: UInt8) -> Value? {
        switch short {
        case 20, 21: return .bool(short == 21)
        case 25, 26, 27:
            guard let bits = readArgumentBits(short) else { return nil }
            return .float(
                short == 27
                    ? Double(bitPattern: bits)
                    : short == 26 ? Double(Float(bitPattern: UInt32(bits))) : Double(Float16(bitPattern: UInt16(bits))))
        case 24:
            offset += 1
            return .null
        case 31: return nil
        default: return .null
        }
    }

    private mutating func readArgumentBits(_ short: UInt8) -> UInt64? {
        let size = short == 27 ? 8 : short == 26 ? 4 : 2
        guard let field = bytes.slice(offset, size) else { return nil }
        offset += size
        return field.buffer.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }

    private mutating func readString(_ major: UInt8, _ length: Int) -> Value? {
        guard let string = bytes.slice(offset, length) else { return nil }
        offset += length
        return major == 2 ? .bytes(Array(string.buffer)) : .text(String(decoding: string.buffer, as: UTF8.self))
    }

    /// Reads the pieces of a string of unknown length.
    private mutating func readPieces(_ major: UInt8) throws(EvidenceError) -> Value? {
        var joined: [UInt8] = []
        while let first = bytes[offset], first != 0xFF {
            try effort.item()
            offset += 1
            guard first >> 5 == major, first & 31 != 31, let length = readArgument(first & 31),
                let piece = bytes.slice(offset, length)
            else { return nil }
            joined += piece.buffer
            offset += length
        }
        guard bytes[offset] == 0xFF else { return nil }
        offset += 1
        return major == 2 ? .bytes(joined) : .text(String(decoding: joined, as: UTF8.self))
    }

    /// Whether the end of a list of unknown length comes next, which is then skipped.
    private mutating func readEnd() -> Bool {
        guard bytes[offset] == 0xFF else { return false }
        offset += 1
        return true
    }

    private mutating func readArray(_ count: Int?, depth: Int) throws(EvidenceError) -> Value? {
        var values: [Value] = []
        while count.map({ values.count < $0 }) ?? !readEnd() {
            guard let value = try read(depth: depth + 1) else { return nil }
            values.append(value)
        }
        return .array(values)
    }

    private mutating func readMap(_ count: Int?, depth: Int) throws(EvidenceError) -> Value? {
        var entries: [(key: Value.Key, value: Value)] = []
        var read = 0
        while count.map({ read < $0 }) ?? !readEnd() {
            guard let key = try self.read(depth: depth + 1), let value = try self.read(depth: depth + 1) else {
                return nil
            }
            read += 1
            if let text = key.text { entries.append((.text(text), value)) }
            if let number = key.int { entries.append((.int(number), value)) }
        }
        return .map(entries)
    }
}

internal import Hexadecimal

/// A strict, allocation-free reader of one JSON text (RFC 8259) in memory.
///
/// The router decodes a header for every job on its only thread. Foundation's decoder costs more there than all the
/// rest of the router's work on a small job, and it cannot return `metadata` as the client wrote it.
struct JSONReader {
    /// The kind of a JSON value.
    enum Kind {
        case object, array, string, number, boolean, null
    }

    /// The text is not JSON.
    struct SyntaxError: Error {
        /// The number of bytes before the place where the text stops being JSON.
        var offset: Int
        /// What JSON would have there.
        var expected: String
    }

    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    /// - Parameter bytes: UTF-8 (see `isUTF8`) that outlives the reader.
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
    }

    // MARK: Structure

    /// Returns the kind of the next value, by its first byte.
    mutating func peek() throws(SyntaxError) -> Kind {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw expected("a value")
        }
    }

    /// Enters an object or array. Call `nextMember` until it returns nil, or `nextElement` until it returns false.
    mutating func open(_ kind: Kind) throws(SyntaxError) {
        skipSpace()
        try take(kind == .object ? UInt8(ascii: "{") : UInt8(ascii: "["), "an opening bracket")
    }

    /// Returns the next key of the open object and moves to its value, or returns nil at the object's end.
    mutating func nextMember(isFirst: Bool) throws(SyntaxError) -> String? {
        guard try hasNext(isFirst: isFirst, end: UInt8(ascii: "}")) else { return nil }
        skipSpace()
        let key = try string()
        skipSpace()
        try take(UInt8(ascii: ":"), "':'")
        return key
    }

    /// Returns whether the open array has another element, and moves to it.
    mutating func nextElement(isFirst: Bool) throws(SyntaxError) -> Bool {
        try hasNext(isFirst: isFirst, end: UInt8(ascii: "]"))
    }

    /// Checks that only white space is left.
    mutating func end() throws(SyntaxError) {
        skipSpace()
        if offset < bytes.count { throw expected("the end") }
    }

    // MARK: Values

    mutating func boolean() throws(SyntaxError) -> Bool {
        skipSpace()
        let value = current == UInt8(ascii: "t")
        try literal(value ? "true" : "false")
        return value
    }

    /// Returns the number if it is written as an integer that fits into an `Int`; nil for any other well-formed number.
    mutating func integer() throws(SyntaxError) -> Int? {
        skipSpace()
        let start = offset
        let isIntegral = try number()
        guard isIntegral else { return nil }
        return Int(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    mutating func string() throws(SyntaxError) -> String {
        skipSpace()
        let start = offset + 1
        let hasEscapes = try skipString()
        let raw = UnsafeRawBufferPointer(rebasing: bytes[start..<offset - 1])
        return hasEscapes ? Self.unescaped(raw) : String(decoding: raw, as: UTF8.self)
    }

    /// Skips a value of any kind and returns its bytes as written.
    ///
    /// - Parameter depth: the number of objects and arrays around the value.
    mutating func skipValue(depth: Int = 1) throws(SyntaxError) -> UnsafeRawBufferPointer {
        let kind = try peek()
        if kind == .object || kind == .array, depth >= Limits.headerDepth {
            throw expected("at most \(Limits.headerDepth) levels of nesting")
        }
        let start = offset
        switch kind {
        case .object:
            try open(.object)
            var isFirst = true
            while try hasNext(isFirst: isFirst, end: UInt8(ascii: "}")) {
                isFirst = false
                skipSpace()
                _ = try skipString()
                skipSpace()
                try take(UInt8(ascii: ":"), "':'")
                _ = try skipValue(depth: depth + 1)
            }
        case .array:
            try open(.array)
            var isFirst = true
            while try nextElement(isFirst: isFirst) {
                isFirst = false
                _ = try skipValue(depth: depth + 1)
            }
        case .string: _ = try skipString()
        case .number: _ = try number()
        case .boolean: _ = try boolean()
        case .null: try literal("null")
        }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    // MARK: Tokens

    /// The byte at the offset, or zero at the end: no JSON token begins with zero.
    private var current: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    private func expected(_ what: String) -> SyntaxError {
        SyntaxError(offset: offset, expected: what)
    }

    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8, _ what: String) throws(SyntaxError) {
        guard offset < bytes.count, bytes[offset] == byte else { throw expected(what) }
        offset += 1
    }

    private mutating func literal(_ text: StaticString) throws(SyntaxError) {
        for byte in UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount) {
            try take(byte, "\(text)")
        }
    }

    private mutating func hasNext(isFirst: Bool, end: UInt8) throws(SyntaxError) -> Bool {
        skipSpace()
        if current == end {
            offset += 1
            return false
        }
        if !isFirst { try take(UInt8(ascii: ","), "',' or the closing bracket") }
        return true
    }

    /// Skips a number and returns whether it has neither fraction nor exponent.
    private mutating func number() throws(SyntaxError) -> Bool {
        if current == UInt8(ascii: "-") { offset += 1 }
        if current == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits()
        }
        var isIntegral = true
        if current == UInt8(ascii: ".") {
            isIntegral = false
            offset += 1
            try digits()
        }
        if current | 0x20 == UInt8(ascii: "e") {
            isIntegral = false
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        return isIntegral
    }

    private mutating func digits() throws(SyntaxError) {
        let start = offset
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(current) { offset += 1 }
        if offset == start { throw expected("a digit") }
    }

    /// Skips a string and returns whether it has escapes.
    private mutating func skipString() throws(SyntaxError) -> Bool {
        try take(UInt8(ascii: "\""), "a string")
        var hasEscapes = false
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return hasEscapes
            case 0..<0x20:
                offset -= 1
                throw expected("no bare control character in a string")
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            default: break
            }
        }
        throw expected("the end of a string")
    }

    private mutating func skipEscape() throws(SyntaxError) {
        let byte = current
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        case UInt8(ascii: "u"):
            for _ in 0..<4 {
                guard current.hexadecimalValue != nil else { throw expected("four hexadecimal digits") }
                offset += 1
            }
        default:
            offset -= 1
            throw expected("an escape")
        }
    }

    /// Returns the text of a string whose escapes are well formed. A lone surrogate becomes U+FFFD.
    private static func unescaped(_ raw: UnsafeRawBufferPointer) -> String {
        var units: [UInt16] = []
        var plain: [UInt8] = []
        var text = ""
        func flush() {
            text += String(decoding: plain, as: UTF8.self)
            text += String(decoding: units, as: UTF16.self)
            plain.removeAll()
            units.removeAll()
        }
        var index = 0
        while index < raw.count {
            guard raw[index] == UInt8(ascii: "\\") else {
                if !units.isEmpty { flush() }
                plain.append(raw[index])
                index += 1
                continue
            }
            if !plain.isEmpty { flush() }
            switch raw[index + 1] {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"):
                units.append(raw[index + 2..<index + 6].reduce(0) { $0 << 4 | UInt16($1.hexadecimalValue ?? 0) })
                index += 4
            case let byte: units.append(UInt16(byte))
            }
            index += 2
        }
        flush()
        return text
    }
}

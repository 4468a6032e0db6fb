import Hexadecimal

/// The parameters after a header field's first word: `name=value; name="value"; name*=charset'language'value`.
///
/// Works on bytes, because clients may send text that is not UTF-8. As characters, a quote could merge with a combining
/// mark after it.
struct Parameters {
    /// Parameter names are in lower case, without the asterisk of extended ones.
    private var plain: [(name: String, value: [UInt8])] = []
    private var extended: [(name: String, value: [UInt8])] = []

    /// Parses parameters. In a quoted value, a backslash escapes a quote or a backslash. Before any other byte it
    /// stands for itself, because some browsers send a file's path.
    init(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
            // Words without a value may precede the name.
            let words = rest[..<equals].split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            let name = String(decoding: words[words.count - 1].trimmed(), as: UTF8.self).lowercased()
            rest = rest[(equals + 1)...].trimmedAtStart()
            var value: [UInt8] = []
            if rest.first == UInt8(ascii: "\"") {
                rest = rest.dropFirst()
                while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
                    if byte == UInt8(ascii: "\\"), let next = rest.first, Self.isEscapable(next) {
                        value.append(next)
                        rest = rest.dropFirst()
                    } else {
                        value.append(byte)
                    }
                }
                rest = rest.drop { $0 != UInt8(ascii: ";") }
            } else {
                let end = rest.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
                value = Array(rest[..<end].trimmed())
                rest = rest[end...]
            }
            if let star = name.firstIndex(of: "*") {
                extended.append((String(name[..<star]), value))
            } else {
                plain.append((name, value))
            }
        }
    }

    /// Returns the raw value of the first parameter of a name, without the extended ones.
    func bytes(_ name: String) -> [UInt8]? {
        plain.first { $0.name == name }?.value
    }

    /// Returns a parameter's value as text. The extended form takes precedence over the plain one (RFC 6266, 4.3) if it
    /// can be decoded. Bytes that are not UTF-8 are read as Latin-1, so every parameter that exists gives some text.
    func text(_ name: String) -> String? {
        let star = extended.first { $0.name == name }?.value
        return star.flatMap(Self.decodeExtended) ?? (bytes(name) ?? star).map(Self.text)
    }

    private static func isEscapable(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? latin1(bytes)
    }

    private static func latin1(_ bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: bytes.map { Unicode.Scalar($0) })
        return String(text)
    }

    /// Decodes `charset'language'percent-encoded bytes` (RFC 8187); returns nil if the value is malformed or in another
    /// charset than UTF-8 and ISO 8859-1.
    private static func decodeExtended(_ value: [UInt8]) -> String? {
        let parts = value.split(separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = percentDecoded(parts[2]) else { return nil }
        return switch String(decoding: parts[0], as: UTF8.self).lowercased() {
        case "utf-8": String(validating: bytes, as: UTF8.self)
        case "iso-8859-1": latin1(bytes)
        default: nil
        }
    }

    private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalValue, let low = rest.popFirst()?.hexadecimalValue else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

extension ArraySlice<UInt8> {
    /// Whether a byte is a space, a tab, or part of a folded line's break.
    private static func isSpace(_ byte: UInt8) -> Bool { " \t\r\n".utf8.contains(byte) }

    /// Returns the bytes without leading white space.
    func trimmedAtStart() -> ArraySlice<UInt8> { drop(while: Self.isSpace) }

    /// Returns the bytes without leading and trailing white space.
    func trimmed() -> ArraySlice<UInt8> {
        var bytes = trimmedAtStart()
        while let last = bytes.last, Self.isSpace(last) { bytes.removeLast() }
        return bytes
    }
}

import Hexadecimal

/// The parameters behind a header field's first word: `name=value; name="value"; name*=charset'language'value`.
///
/// Works on bytes: what clients put there need not be UTF-8, and a quote stays one whatever stands beside it.
struct Parameters {
    /// Names in lower case, without the star of an extended one.
    private var plain: [(name: String, value: [UInt8])] = []
    private var extended: [(name: String, value: [UInt8])] = []

    /// In quotes a backslash stands for the quote or backslash behind it, and for itself otherwise: some browsers put a file's
    /// path there.
    init(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
            // A word without a value may stand in front.
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

    /// The first parameter of a name, as it stands there.
    func bytes(_ name: String) -> [UInt8]? {
        plain.first { $0.name == name }?.value
    }

    /// What a parameter says to people. The extended form wins over the plain one (RFC 6266, 4.3) if it can be read; bytes that
    /// are not UTF-8 are Latin-1, so that there is always some text.
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

    /// `charset'language'percent-encoded bytes` (RFC 8187); nil if it is not that, or of another charset.
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
    /// Spaces, tabs and the ends of folded lines.
    private static func isSpace(_ byte: UInt8) -> Bool { " \t\r\n".utf8.contains(byte) }

    /// Without white space at the beginning.
    func trimmedAtStart() -> ArraySlice<UInt8> { drop(while: Self.isSpace) }

    /// Without white space at either end.
    func trimmed() -> ArraySlice<UInt8> {
        var bytes = trimmedAtStart()
        while let last = bytes.last, Self.isSpace(last) { bytes.removeLast() }
        return bytes
    }
}

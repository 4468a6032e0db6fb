internal import Hexadecimal

/// Percent-encoding of URLs (RFC 3986), which FoundationEssentials does not offer.
enum PercentEncoding {
    /// Returns the decoded text; nil if a `%` is not followed by two hexadecimal digits, or if the result is not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next()?.hexadecimalValue, let low = rest.next()?.hexadecimalValue else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Returns the text with every byte encoded except the unreserved characters.
    static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { encoded, byte in
            let scalar = Character(Unicode.Scalar(byte))
            if byte < 0x80, scalar.isLetter || scalar.isNumber || "-._~".contains(scalar) {
                encoded.append(scalar)
            } else {
                encoded += "%" + [byte].hexadecimal.uppercased()
            }
        }
    }
}

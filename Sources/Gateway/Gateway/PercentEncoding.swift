internal import Hexadecimal

/// Percent-encoding of URLs (RFC 3986), which FoundationEssentials does not have.
enum PercentEncoding {
    /// The text that an encoded one stands for; nil if a `%` has no two hexadecimal digits behind it, or if it is not UTF-8.
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

    /// Everything encoded but what is unreserved.
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

// Conversion of bytes to hexadecimal digits and back.

extension UInt8 {
    /// The value, 0 to 15, of an ASCII character as a hexadecimal digit of either case; nil if it is not one.
    @inlinable
    package var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension Sequence<UInt8> {
    /// The bytes as hexadecimal digits: two lower-case digits for each byte.
    package var hexadecimal: String {
        var digits: [UInt8] = []
        for byte in self { digits.append(hexadecimal: byte) }
        return String(decoding: digits, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends the two lower-case digits of a byte.
    @inlinable
    package mutating func append(hexadecimal byte: UInt8) {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10 }
        append(digit(byte >> 4))
        append(digit(byte & 15))
    }

    /// Creates the bytes that hexadecimal digits of either case represent, two for each byte; nil if the text contains
    /// any other character or an odd number of digits.
    package init?(hexadecimal digits: some StringProtocol) {
        let values = digits.utf8.compactMap(\.hexadecimalValue)
        guard values.count == digits.utf8.count, values.count.isMultiple(of: 2) else { return nil }
        self = stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }
}

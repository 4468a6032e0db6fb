// Bytes as hexadecimal digits, and back.

extension UInt8 {
    /// What an ASCII character is worth as a hexadecimal digit of either case, 0 to 15; nil if it is none.
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
    /// Two lower-case digits a byte.
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

    /// The bytes that digits of either case stand for, two a byte; nil if anything else is among them, or one is over.
    package init?(hexadecimal digits: some StringProtocol) {
        let values = digits.utf8.compactMap(\.hexadecimalValue)
        guard values.count == digits.utf8.count, values.count.isMultiple(of: 2) else { return nil }
        self = stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }
}

/// Ids for requests that come without one: UUIDs of version 7 (RFC 9562, section 5.7), which sort by time.
enum RequestID {
    /// - Parameter milliseconds: since 1970.
    static func make(milliseconds: UInt64, random: inout some RandomNumberGenerator) -> String {
        let versionAndRandom: UInt64 = 0x7 << 12 | random.next() & 0xFFF
        let high = milliseconds << 16 | versionAndRandom
        let low: UInt64 = 0b10 << 62 | random.next() & ~(0b11 << 62)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (value, dashesAfter) in [(high, [8, 12, 16]), (low, [4])] {
            for digit in 0..<16 {
                let nibble = UInt8(value >> (60 - UInt64(digit) * 4) & 0xF)
                text.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
                if dashesAfter.contains(digit + 1) { text.append(UInt8(ascii: "-")) }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

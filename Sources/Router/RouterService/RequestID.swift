internal import Glibc

/// Makes ids for requests that come without one: UUIDs of version 7 (RFC 9562, section 5.7), which sort by time.
enum RequestID {
    /// Returns a new id.
    ///
    /// - Parameter nanoseconds: the time since 1970. Its fraction of a millisecond replaces the first random bits
    ///   (method 3 of section 6.2), so that ids of the same millisecond sort too.
    static func make(nanoseconds: UInt64, random: inout some RandomNumberGenerator) -> String {
        let (milliseconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let high = milliseconds << 16 | 0x7 << 12 | rest * 4096 / 1_000_000
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

/// The system's random numbers, fetched in blocks: one system call per number would cost more than the rest of an id.
struct BufferedRandom: RandomNumberGenerator {
    /// The numbers in 256 bytes, the most that one call of `getentropy` returns.
    private static let capacity = 256 / MemoryLayout<UInt64>.size

    private var numbers: [UInt64] = []

    mutating func next() -> UInt64 {
        if numbers.isEmpty {
            numbers = Array(repeating: 0, count: Self.capacity)
            let isFilled = numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
            precondition(isFilled, "the system has no random numbers")
        }
        return numbers.removeLast()
    }
}

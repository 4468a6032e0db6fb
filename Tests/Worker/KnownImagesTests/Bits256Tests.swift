import TestKit
import Testing

@testable import KnownImages

struct Bits256Tests {
    private static let digits = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"

    @Test func bytesAndDigitsGiveTheSameBits() throws {
        let bits = try #require(Bits256(hexadecimal: Self.digits))
        #expect(bits.description == Self.digits)
        #expect(Bits256(bytes: bits.bytes) == bits)
        #expect(bits.bytes.count == 32 && bits.bytes[0] == 0xF8 && bits.bytes[31] == 0x22)
        #expect(Bits256(hexadecimal: Self.digits.uppercased()) == bits)
    }

    @Test func whatIsNot256BitsIsNil() {
        #expect(Bits256(hexadecimal: Self.digits.dropLast()) == nil)
        #expect(Bits256(hexadecimal: Self.digits + "0") == nil)
        #expect(Bits256(hexadecimal: Self.digits + "00") == nil)
        #expect(Bits256(hexadecimal: Self.digits.dropLast() + "g") == nil)
        #expect(Bits256(bytes: [UInt8](repeating: 1, count: 31)) == nil)
    }

    @Test func distanceCountsTheBitsThatDiffer() {
        var random = SeededGenerator(seed: 1)
        for count in [0, 1, 31, 32, 128, 256] {
            let bits = random.bits()
            let other = bits.flipping(count, using: &random)
            #expect(bits.distance(to: other) == count)
            #expect(other.distance(to: bits) == count)
        }
    }
}

import Hexadecimal

/// 256 bits: a PDQ hash or a SHA-256 digest.
package struct Bits256: Hashable, Sendable, CustomStringConvertible {
    package static let byteCount = 32

    /// The bits, the least significant 64 first.
    let words: SIMD4<UInt64>

    package init(words: SIMD4<UInt64>) {
        self.words = words
    }

    /// Creates the bits from 32 bytes, the most significant first; nil if there are more or fewer.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words = SIMD4<UInt64>.zero
        for (index, byte) in bytes.enumerated() {
            words[3 - index / 8] = words[3 - index / 8] << 8 | UInt64(byte)
        }
        self.words = words
    }

    /// Creates the bits from 64 hexadecimal digits of either case; nil if the text is anything else.
    package init?(hexadecimal digits: some StringProtocol) {
        guard let bytes = [UInt8](hexadecimal: digits) else { return nil }
        self.init(bytes: bytes)
    }

    /// The 32 bytes, the most significant first.
    package var bytes: [UInt8] {
        (0..<Self.byteCount).map { index in
            let shift = 56 - index % 8 * 8
            return UInt8(truncatingIfNeeded: words[3 - index / 8] >> UInt64(shift))
        }
    }

    /// The 64 lower-case hexadecimal digits.
    package var description: String { bytes.hexadecimal }

    /// Returns the Hamming distance: the number of bits, 0 to 256, that differ.
    package func distance(to other: Bits256) -> Int {
        let difference = words ^ other.words
        return difference[0].nonzeroBitCount + difference[1].nonzeroBitCount + difference[2].nonzeroBitCount
            + difference[3].nonzeroBitCount
    }
}

/// An entry of a bank: the PDQ hash of an image or the SHA-256 of an image file.
package struct Signal: Hashable, Sendable {
    /// The type of a signal. The raw values are python-threatexchange's names.
    package enum Kind: String, CaseIterable, Sendable {
        /// A PDQ hash, which similar images share up to a few bits.
        case pdq
        /// The SHA-256 digest of one file.
        case sha256
    }

    package let kind: Kind
    package let bits: Bits256

    package init(_ kind: Kind, _ bits: Bits256) {
        self.kind = kind
        self.bits = bits
    }
}

/// Decompresses the colour numbers of a GIF's frame (GIF89a, appendix F: LZW with codes of growing length).
///
/// A string of the table is the previous string and the byte behind it in the output, so it is kept as its place there.
struct GIFDecompressor: ~Copyable {
    private static let mostCodes = 4096
    private static let longestCode = 12
    /// The number of codes between two looks at the processor time.
    private static let portion = 1 << 16

    private let data: Bytes
    /// The number of bits of a colour number.
    private let numberBits: Int
    /// Where the string of each code begins in the output, and its length.
    private let starts: UnsafeMutablePointer<UInt32>
    private let lengths: UnsafeMutablePointer<UInt32>
    private var offset = 1
    /// The bytes that are left of the current block.
    private var left = 0
    private var pending = 0
    private var pendingBits = 0

    /// - Parameter data: The number of bits of a colour number, then blocks of data that begin with their length.
    /// - Throws: ``DecodeError`` if the number of bits is missing or not from 2 to 8.
    init(_ data: Bytes) throws(DecodeError) {
        guard let bits = data[0] else { throw .truncated("GIF data ends before the pixels of its first image.") }
        guard 2...8 ~= bits else { throw .corrupt("GIF is corrupt: its colour numbers have \(bits) bits.") }
        self.data = data
        numberBits = Int(bits)
        starts = .allocate(capacity: Self.mostCodes)
        lengths = .allocate(capacity: Self.mostCodes)
    }

    deinit {
        starts.deallocate()
        lengths.deallocate()
    }

    /// Fills memory with colour numbers.
    ///
    /// - Parameters:
    ///   - output: Memory for `count` bytes, below 2³².
    ///   - limits: The limits for decoding, of which the time is used.
    /// - Throws: ``DecodeError`` if the data ends before, or a code is undefined.
    mutating func fill(
        _ output: UnsafeMutablePointer<UInt8>, count: Int, within limits: DecodeLimits
    ) throws(DecodeError) {
        let time = ProcessorTime(limits)
        let clear = 1 << numberBits
        var (next, codeBits, codes) = (clear + 2, numberBits + 1, 0)
        var (previous, previousLength, written) = (0, 0, 0)
        while written < count {
            if codes % Self.portion == 0 { try time.check(.gif) }
            codes += 1
            guard let code = readCode(codeBits), code != clear + 1 else {
                throw .truncated("GIF image data ends after \(written) of \(count) pixels.")
            }
            if code == clear {
                (next, codeBits, previousLength) = (clear + 2, numberBits + 1, 0)
                continue
            }
            if previousLength > 0, next < Self.mostCodes {
                starts[next] = UInt32(previous)
                lengths[next] = UInt32(previousLength + 1)
                next += 1
                if next == 1 << codeBits, codeBits < Self.longestCode { codeBits += 1 }
            }
            if code < clear {
                output[written] = UInt8(code)
                previousLength = 1
            } else {
                guard code < next, previousLength > 0 else {
                    throw .corrupt("GIF is corrupt: a code at pixel \(written) of \(count) has no meaning.")
                }
                previousLength = min(Int(lengths[code]), count - written)
                // Forwards and one by one: the string may end with its own first byte.
                var (from, to) = (output + Int(starts[code]), output + written)
                for _ in 0..<previousLength {
                    to.pointee = from.pointee
                    from += 1
                    to += 1
                }
            }
            previous = written
            written += previousLength
        }
    }

    /// Returns the next code, lowest bits first; nil at the end of the data.
    private mutating func readCode(_ bits: Int) -> Int? {
        while pendingBits < bits {
            if left == 0 {
                guard let length = data[offset], length > 0 else { return nil }
                left = Int(length)
                offset += 1
            }
            guard let byte = data[offset] else { return nil }
            pending |= Int(byte) << pendingBits
            pendingBits += 8
            offset += 1
            left -= 1
        }
        let code = pending & (1 << bits - 1)
        pending >>= bits
        pendingBits -= bits
        return code
    }
}

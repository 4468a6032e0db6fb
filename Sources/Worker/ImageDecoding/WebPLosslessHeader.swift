/// The part of a lossless WebP bitstream (VP8L; RFC 9649, 3) that comes before the codes of its pixels. A few bits in it
/// decide whether libwebp allocates a thousand megabytes for tables, so they are read before libwebp reads any.
struct WebPLosslessHeader {
    private var bits: WebPBits
    private var width: Int
    private let height: Int

    /// The most groups of prefix codes: their number in the entropy image has 16 bits.
    private static let mostGroups = 1 << 16
    /// The entries of a group's tables in libwebp without a colour cache, and what each size of cache adds
    /// (`kTableSize` in its `vp8l_dec.c`).
    private static let entries = 2300
    private static let cacheEntries = [654, 656, 658, 662, 670, 686, 718, 782, 912, 1168, 1680, 2704]
    /// The bytes of an entry, and the other bytes of a group.
    private static let entryBytes = 4
    private static let groupBytes = 640

    /// - Parameters:
    ///   - data: The bitstream behind its signature and size.
    ///   - width: The width of the image in pixels.
    ///   - height: The height of the image in pixels.
    init(_ data: Bytes, width: Int, height: Int) {
        bits = WebPBits(data)
        self.width = width
        self.height = height
    }

    /// Returns an upper bound of the bytes of libwebp's tables. It counts a group of prefix codes for each square of the
    /// entropy image; encoders write few enough squares.
    ///
    /// - Throws: ``DecodeError`` if the bitstream is damaged, or reading it exceeds the time.
    mutating func tableBytes(within time: ProcessorTime) throws(DecodeError) -> Int {
        var seen = 0
        while try bits.read(1) == 1 {
            let kind = try bits.read(2)
            guard seen & 1 << kind == 0 else { throw .corrupt("WebP is corrupt: it has a transform twice.") }
            seen |= 1 << kind
            switch kind {
            case 0, 1:  // prediction, colour: an image with a pixel for each square
                let side = try 2 + bits.read(3)
                try skipImage(width: Self.squares(width, side), height: Self.squares(height, side), time)
            case 3:  // a palette, whose short indices share pixels
                let colours = try bits.read(8) + 1
                try skipImage(width: colours, height: 1, time)
                width = Self.squares(width, colours > 16 ? 0 : colours > 4 ? 1 : colours > 2 ? 2 : 3)
            default: break
            }
        }
        let cache = try readCacheBits()
        guard try bits.read(1) == 1 else { return Self.tableBytes(groups: 1, cache) }
        let side = try 2 + bits.read(3)
        return Self.tableBytes(groups: Self.squares(width, side) * Self.squares(height, side), cache)
    }

    private static func tableBytes(groups: Int, _ cache: Int) -> Int {
        min(groups, mostGroups) * (groupBytes + entryBytes * (entries + cacheEntries[cache]))
    }

    /// Returns into how many parts of 2 to the power of `bits` pixels a side is divided, the last of which may be less.
    private static func squares(_ side: Int, _ bits: Int) -> Int { (side + 1 << bits - 1) >> bits }

    /// Reads the size of the colour cache, as its binary logarithm; 0 without a cache.
    private mutating func readCacheBits() throws(DecodeError) -> Int {
        guard try bits.read(1) == 1 else { return 0 }
        let cache = try bits.read(4)
        guard 1...11 ~= cache else { throw .corrupt("WebP is corrupt: it has a colour cache of \(cache) bits.") }
        return cache
    }

    /// Reads an image that belongs to a transform, without keeping its pixels.
    private mutating func skipImage(width: Int, height: Int, _ time: ProcessorTime) throws(DecodeError) {
        let cache = try readCacheBits()
        let green = try WebPPrefixCode(&bits, symbols: 280 + (cache == 0 ? 0 : 1 << cache))
        let red = try WebPPrefixCode(&bits, symbols: 256)
        let blue = try WebPPrefixCode(&bits, symbols: 256)
        let alpha = try WebPPrefixCode(&bits, symbols: 256)
        let distance = try WebPPrefixCode(&bits, symbols: 40)
        var pixels = width * height
        var codes = 0
        while pixels > 0 {
            codes += 1
            if codes & 0xFFFF == 0 { try time.check(.webp) }
            let symbol = try green.read(&bits)
            if symbol < 256 {
                _ = try red.read(&bits)
                _ = try blue.read(&bits)
                _ = try alpha.read(&bits)
                pixels -= 1
            } else if symbol < 280 {
                pixels -= try bits.readLength(symbol - 256)
                _ = try bits.readLength(distance.read(&bits))
            } else {
                pixels -= 1
            }
        }
    }
}

/// The bits of a lossless WebP bitstream, the lowest of each byte first.
struct WebPBits {
    private let data: Bytes
    private var offset = 0
    private var pending = 0
    private var pendingBits = 0

    init(_ data: Bytes) {
        self.data = data
    }

    /// Returns a number of up to 24 bits.
    ///
    /// - Throws: ``DecodeError`` if the data ends before.
    mutating func read(_ count: Int) throws(DecodeError) -> Int {
        while pendingBits < count {
            guard let byte = data[offset] else {
                throw .truncated("WebP image data ends after \(data.count) bytes, before its pixels.")
            }
            pending |= Int(byte) << pendingBits
            pendingBits += 8
            offset += 1
        }
        defer {
            pending >>= count
            pendingBits -= count
        }
        return pending & (1 << count - 1)
    }

    /// Returns a length or a distance, from its prefix symbol and the bits that follow.
    mutating func readLength(_ symbol: Int) throws(DecodeError) -> Int {
        guard symbol >= 4 else { return symbol + 1 }
        let extra = (symbol - 2) >> 1
        return (2 + symbol & 1) << extra + (try read(extra)) + 1
    }
}

/// A canonical prefix code of a lossless WebP bitstream (RFC 9649, 3.7.2).
struct WebPPrefixCode {
    /// The number of codes of each length, from 0 on.
    private var counts: [Int]
    /// The symbols in the order of their codes.
    private var symbols: [UInt16]

    private static let longest = 15
    /// The order in which the lengths of the codes for lengths are stored.
    private static let order = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]

    /// Reads the lengths of a code's symbols.
    ///
    /// - Throws: ``DecodeError`` if they are damaged, or no complete code has them.
    init(_ bits: inout WebPBits, symbols count: Int) throws(DecodeError) {
        var lengths = [UInt8](repeating: 0, count: max(count, 256))
        if try bits.read(1) == 1 {
            let isPair = try bits.read(1) == 1
            let first = try bits.read(bits.read(1) == 1 ? 8 : 1)
            lengths[first] = 1
            if isPair { lengths[try bits.read(8)] = 1 }
            lengths.removeLast(lengths.count - count)
        } else {
            lengths = try Self.lengths(&bits, count)
        }
        try self.init(lengths: lengths)
    }

    private init(lengths: [UInt8]) throws(DecodeError) {
        counts = Array(repeating: 0, count: Self.longest + 1)
        for length in lengths { counts[Int(length)] += 1 }
        counts[0] = 0
        symbols = (1...Self.longest).flatMap { length in
            lengths.indices.filter { lengths[$0] == length }.map { UInt16($0) }
        }
        if symbols.count == 1 {
            counts = []  // a single symbol takes no bits
            return
        }
        let used = (1...Self.longest).reduce(0) { $0 + counts[$1] << (Self.longest - $1) }
        guard used == 1 << Self.longest else { throw .corrupt("WebP is corrupt: a prefix code is not complete.") }
    }

    private static func lengths(_ bits: inout WebPBits, _ count: Int) throws(DecodeError) -> [UInt8] {
        var ofLengths = [UInt8](repeating: 0, count: order.count)
        for index in 0..<(try bits.read(4) + 4) { ofLengths[order[index]] = UInt8(try bits.read(3)) }
        let code = try WebPPrefixCode(lengths: ofLengths)
        var left = count
        if try bits.read(1) == 1 {
            left = try 2 + bits.read(2 + 2 * bits.read(3))
            guard left <= count else { throw .corrupt("WebP is corrupt: a prefix code has too many symbols.") }
        }
        var lengths: [UInt8] = []
        var previous: UInt8 = 8
        while lengths.count < count, left > 0 {
            left -= 1
            let symbol = try code.read(&bits)
            let (length, times): (UInt8, Int)
            switch symbol {
            case 16: (length, times) = (previous, try bits.read(2) + 3)
            case 17: (length, times) = (0, try bits.read(3) + 3)
            case 18: (length, times) = (0, try bits.read(7) + 11)
            default: (length, times) = (UInt8(symbol), 1)
            }
            guard times <= count - lengths.count else {
                throw .corrupt("WebP is corrupt: a prefix code has too many symbols.")
            }
            lengths += repeatElement(length, count: times)
            if length != 0 { previous = length }
        }
        return lengths + repeatElement(0, count: count - lengths.count)
    }

    /// Returns the next symbol.
    func read(_ bits: inout WebPBits) throws(DecodeError) -> Int {
        guard !counts.isEmpty else { return Int(symbols[0]) }
        var (code, first, index) = (0, 0, 0)
        for length in 1...Self.longest {
            code |= try bits.read(1)
            if code - counts[length] < first { return Int(symbols[index + code - first]) }
            index += counts[length]
            first = (first + counts[length]) << 1
            code <<= 1
        }
        throw .corrupt("WebP is corrupt: a code has no meaning.")
    }
}

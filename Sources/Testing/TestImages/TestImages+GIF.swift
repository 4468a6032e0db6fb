extension TestImages {
    /// Returns a GIF file whose colour numbers are a grainy gradient. It is compressed by codes of growing length.
    ///
    /// - Parameters:
    ///   - bits: the bits of a colour number, 2 to 8.
    ///   - transparent: the number of the colour that stands for transparent; nil for none.
    ///   - canvas: width and height of the logical screen; nil for that of the frame.
    ///   - clearsWhenFull: whether the table of strings begins anew when it is full, or stays as it is.
    ///   - others: the number of further frames.
    package static func gif(
        width: Int, height: Int, bits: Int = 8, isInterlaced: Bool = false, transparent: UInt8? = nil,
        left: Int = 0, top: Int = 0, canvas: (Int, Int)? = nil, clearsWhenFull: Bool = true,
        others: Int = 0
    ) -> [UInt8] {
        let numbers = gifNumbers(width: width, height: height, bits: bits)
        let rows = isInterlaced ? interlacedRows(height) : Array(0..<height)
        let stored = rows.flatMap { numbers[$0 * width..<($0 + 1) * width] }
        let frame = gifFrame(
            left: left, top: top, width: width, height: height, flags: isInterlaced ? 0x40 : 0,
            gifData(stored, bits: bits, clearsWhenFull: clearsWhenFull))
        var file = gifHeader(width: canvas?.0 ?? width, height: canvas?.1 ?? height, gifColours(bits: bits))
        if let transparent { file += gifControl(transparent: transparent) }
        file += frame
        for _ in 0..<others { file += gifControl() + frame }
        return file + [0x3B]
    }

    /// Returns the colour numbers of the GIF files, row by row.
    package static func gifNumbers(width: Int, height: Int, bits: Int) -> [UInt8] {
        let pixels = Pattern.scene.pixels(width: width, height: height)
        return stride(from: 0, to: pixels.count, by: 3).map { pixels[$0] >> (8 - bits) }
    }

    /// Returns red, green and blue of each colour of the GIF files.
    package static func gifColours(bits: Int) -> [UInt8] {
        (0..<1 << bits).flatMap { (number: Int) -> [UInt8] in
            [UInt8(number), UInt8(255 - number), UInt8(number * 7 & 255)]
        }
    }

    /// Returns the signature, the logical screen and a table of 2 to 256 colours, or none if it is empty.
    package static func gifHeader(width: Int, height: Int, _ colours: [UInt8] = []) -> [UInt8] {
        let size = littleEndian(width, 2) + littleEndian(height, 2)
        let flags: [UInt8] = [tableFlags(colours), 0, 0]
        return Array("GIF89a".utf8) + size + flags + colours
    }

    /// Returns the flags for a table of colours; 0 for none.
    package static func tableFlags(_ colours: [UInt8]) -> UInt8 {
        colours.isEmpty ? 0 : 0x80 | UInt8((colours.count / 3).trailingZeroBitCount - 1)
    }

    /// Returns an extension that names the transparent colour of the next frame, if any.
    package static func gifControl(transparent: UInt8? = nil) -> [UInt8] {
        [0x21, 0xF9, 4, transparent == nil ? 0 : 1, 10, 0, transparent ?? 0, 0]
    }

    /// Returns a frame with its data, which may begin with a table of colours that the flags announce.
    package static func gifFrame(
        left: Int = 0, top: Int = 0, width: Int, height: Int, flags: UInt8 = 0, _ data: [UInt8]
    ) -> [UInt8] {
        let place = [left, top, width, height].flatMap { littleEndian($0, 2) }
        return [0x2C] + place + [flags] + data
    }

    /// Returns colour numbers compressed (GIF89a, appendix F), in blocks, with the bits of a number before them.
    package static func gifData(_ numbers: [UInt8], bits: Int, clearsWhenFull: Bool = true) -> [UInt8] {
        let clear = 1 << bits
        var (codes, next, codeBits) = (LowBits(), clear + 2, bits + 1)
        var strings: [Int: Int] = [:]  // by the code of the string without its last number, and that number
        codes.append(clear, codeBits)
        var current: Int?
        for number in numbers {
            guard let before = current else {
                current = Int(number)
                continue
            }
            if let longer = strings[before << 8 | Int(number)] {
                current = longer
                continue
            }
            codes.append(before, codeBits)
            if next < 4096 {
                strings[before << 8 | Int(number)] = next
                if next == 1 << codeBits { codeBits += 1 }
                next += 1
            } else if clearsWhenFull {
                codes.append(clear, codeBits)
                (strings, next, codeBits) = ([:], clear + 2, bits + 1)
            }
            current = Int(number)
        }
        if let current { codes.append(current, codeBits) }
        if next == 1 << codeBits, codeBits < 12 { codeBits += 1 }
        codes.append(clear + 1, codeBits)
        return [UInt8(bits)] + gifBlocks(codes.finished())
    }

    /// Returns data in blocks of at most 255 bytes, and the empty block behind them.
    package static func gifBlocks(_ data: [UInt8]) -> [UInt8] {
        var blocks: [UInt8] = []
        for start in stride(from: 0, to: data.count, by: 255) {
            let block = data[start..<min(start + 255, data.count)]
            blocks.append(UInt8(block.count))
            blocks += block
        }
        return blocks + [0]
    }

    private static func interlacedRows(_ height: Int) -> [Int] {
        [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { Array(stride(from: $0.0, to: height, by: $0.1)) }
    }
}

/// Packs numbers of up to 12 bits, the first into the lowest bits.
private struct LowBits {
    private var bytes: [UInt8] = []
    private var pending = 0
    private var pendingBits = 0

    mutating func append(_ value: Int, _ bits: Int) {
        pending |= value << pendingBits
        pendingBits += bits
        while pendingBits >= 8 {
            bytes.append(UInt8(pending & 255))
            pending >>= 8
            pendingBits -= 8
        }
    }

    func finished() -> [UInt8] { pendingBits == 0 ? bytes : bytes + [UInt8(pending & 255)] }
}

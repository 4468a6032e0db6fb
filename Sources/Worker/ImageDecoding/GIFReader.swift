/// The decoding of one GIF file: of its first frame, on the transparent canvas.
struct GIFReader {
    private let structure: GIFStructure
    private let limits: DecodeLimits

    /// Walks the file's structure and checks its size.
    ///
    /// - Throws: ``DecodeError`` if the file is broken or exceeds a limit.
    init(_ bytes: Bytes, limits: DecodeLimits) throws(DecodeError) {
        structure = try GIFStructure(bytes, limits: limits)
        self.limits = limits
        // The frame's colour numbers, a row of it, the tables.
        let working = structure.frameWidth * (structure.frameHeight + 3) + (1 << 17)
        try Budget(limits).check(.gif, width: structure.width, height: structure.height, workingMemory: working)
    }

    /// Decodes the first frame.
    func decode() throws(DecodeError) -> DecodedImage {
        guard let colours = structure.colours else {
            throw .corrupt("GIF is corrupt: its first image has no table of colours.")
        }
        let image = try RGBImage.filled(
            storedWidth: structure.width, storedHeight: structure.height, orientation: .upright
        ) { canvas throws(DecodeError) in
            let count = structure.frameWidth * structure.frameHeight
            let numbers = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
            defer { numbers.deallocate() }
            var decompressor = try GIFDecompressor(structure.data)
            try decompressor.fill(numbers, count: count, within: limits)
            if !structure.coversCanvas { canvas.whiten() }
            try place(numbers, GIFColours(colours, transparent: structure.transparent), onto: canvas)
        }
        return DecodedImage(
            format: .gif, width: image.width, height: image.height, reduction: 1, isAnimated: structure.isAnimated,
            image: image)
    }

    private func place(
        _ numbers: UnsafeMutablePointer<UInt8>, _ colours: GIFColours, onto canvas: Canvas
    ) throws(DecodeError) {
        let row = UnsafeMutablePointer<UInt8>.allocate(capacity: structure.frameWidth * 3)
        defer { row.deallocate() }
        var from = numbers
        for y in structure.rows {
            try colours.look(up: from, count: structure.frameWidth, into: row)
            canvas.place(
                row, as: RGBLayout.self, y: structure.top + y,
                Canvas.Run(first: structure.left, count: structure.frameWidth))
            from += structure.frameWidth
        }
    }
}

/// The colours of a GIF's frame, by their numbers; transparent is white.
private struct GIFColours {
    /// Red, green and blue of each of 256 numbers.
    private var bytes = [UInt8](repeating: 255, count: 3 * 256)
    private var isKnown = [Bool](repeating: false, count: 256)
    private let count: Int

    init(_ table: Bytes, transparent: UInt8?) {
        count = table.count / 3
        for number in 0..<count { isKnown[number] = true }
        for (index, byte) in table.buffer.enumerated() { bytes[index] = byte }
        if let transparent {
            let index = Int(transparent)
            isKnown[index] = true
            for channel in 0..<3 { bytes[3 * index + channel] = 255 }
        }
    }

    /// Writes the colours of `count` numbers to a row.
    ///
    /// - Throws: ``DecodeError`` if the table lacks one of them.
    func look(
        up numbers: UnsafePointer<UInt8>, count: Int, into row: UnsafeMutablePointer<UInt8>
    ) throws(DecodeError) {
        let unknown = bytes.withUnsafeBufferPointer { bytes in
            isKnown.withUnsafeBufferPointer { isKnown -> UInt8? in
                for index in 0..<count {
                    let number = Int(numbers[index])
                    guard isKnown[number] else { return numbers[index] }
                    for channel in 0..<3 { row[3 * index + channel] = bytes[3 * number + channel] }
                }
                return nil
            }
        }
        if let unknown { throw .corrupt("GIF is corrupt: it uses colour \(unknown) of a table of \(self.count).") }
    }
}

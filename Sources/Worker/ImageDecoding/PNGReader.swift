import CPNG

/// The decoding of one PNG file. No other code touches libpng's handle.
struct PNGReader: ~Copyable {
    private let handle: OpaquePointer
    private let structure: PNGStructure
    private let limits: DecodeLimits
    private let transforms: ColourTransforms

    /// Walks the file's structure and checks its size.
    ///
    /// - Throws: ``DecodeError`` if the file is broken or exceeds a limit.
    init(_ bytes: Bytes, limits: DecodeLimits, _ transforms: ColourTransforms) throws(DecodeError) {
        let structure = try PNGStructure(bytes, limits: limits)
        // One decoded row, libpng's two rows of up to 8 bytes per pixel, zlib's state, and the copies of the largest
        // profile.
        let profile = structure.profiles.max { $0.bytes.count < $1.bytes.count }
        let working = structure.width * (4 + 2 * 8) + (1 << 16) + ColourTransforms.memory(profile)
        try Budget(limits).check(.png, width: structure.width, height: structure.height, workingMemory: working)
        guard let base = bytes.buffer.baseAddress,
            let handle = bifrons_png_open(
                base.assumingMemoryBound(to: UInt8.self), bytes.count, structure.cut != nil,
                structure.cut?.offset ?? bytes.count, limits.nanoseconds)
        else {
            throw .tooLarge("PNG finds no memory to be decoded in: try again later.")
        }
        self.handle = handle
        self.structure = structure
        self.limits = limits
        self.transforms = transforms
    }

    deinit { bifrons_png_close(handle) }

    /// Decodes the whole image.
    consuming func decode() throws(DecodeError) -> DecodedImage {
        var channels: UInt32 = 0
        try check(bifrons_png_read_header(handle, &channels), "in its header")
        let image = try RGBImage.filled(
            storedWidth: structure.width, storedHeight: structure.height, orientation: structure.orientation
        ) { canvas throws(DecodeError) in
            switch channels {
            case 3: try readRows(.rgb, onto: canvas, as: RGBLayout.self)
            case 4: try readRows(.rgba, onto: canvas, as: RGBAOnWhiteLayout.self)
            default: throw .corrupt("PNG is corrupt: it has \(channels) channels.")
            }
        }
        return DecodedImage(
            format: .png, width: image.width, height: image.height, reduction: 1, isAnimated: structure.isAnimated,
            image: image)
    }

    private func readRows<Layout: PixelLayout>(
        _ rows: RowFormat, onto canvas: Canvas, as layout: Layout.Type
    ) throws(DecodeError) {
        let height = structure.height
        let colours = transforms.transform(structure.profiles, rows: rows, isGray: structure.isGray)
        let row = UnsafeMutablePointer<UInt8>.allocate(capacity: structure.width * layout.channels)
        defer { row.deallocate() }
        for pass in structure.isInterlaced ? PNGPass.interlaced : PNGPass.plain {
            let run = Canvas.Run(first: pass.firstX, step: pass.stepX, count: pass.columns(of: structure.width))
            guard run.count > 0 else { continue }
            for y in stride(from: pass.firstY, to: height, by: pass.stepY) {
                try check(bifrons_png_read_row(handle, row), "at row \(y) of \(height)")
                colours?.convert(row, count: run.count)
                canvas.place(row, as: layout, y: y, run)
            }
        }
        try check(bifrons_png_finish(handle), "behind its last row")
    }

    private func check(_ outcome: bifrons_png_outcome, _ place: @autoclosure () -> String) throws(DecodeError) {
        switch outcome {
        case .ok: return
        case .truncated: throw .truncated(structure.cut?.message ?? "PNG image data ends early, \(place()).")
        case .corrupt:
            throw .corrupt("PNG is corrupt \(place()): \(String(cString: bifrons_png_message(handle))).")
        case .outOfTime: throw .outOfTime(.png, limits)
        case .outOfMemory:
            throw .tooLarge("PNG takes more memory to decode than its limit of \(limits.memory): send it smaller.")
        }
    }
}

import CJPEG

/// The decoding of one JPEG file. No other code touches libjpeg's handle.
struct JPEGReader: ~Copyable {
    private let handle: OpaquePointer
    private let byteCount: Int
    private let limits: DecodeLimits
    private let structure: JPEGStructure
    private let transforms: ColourTransforms

    init(_ bytes: Bytes, limits: DecodeLimits, _ transforms: ColourTransforms) throws(DecodeError) {
        guard let base = bytes.buffer.baseAddress,
            let handle = bifrons_jpeg_open(base.assumingMemoryBound(to: UInt8.self), bytes.count)
        else {
            throw .tooLarge("JPEG finds no memory to be decoded in: try again later.")
        }
        self.handle = handle
        self.limits = limits
        self.transforms = transforms
        byteCount = bytes.count
        structure = JPEGStructure(bytes, largestProfile: limits.profile)
    }

    deinit { bifrons_jpeg_close(handle) }

    /// Decodes the whole image at 1/1, 1/2, 1/4 or 1/8 of its size. `reduction` is given the upright width and height
    /// and returns 1, 2, 4 or 8: libjpeg has fast code for these, and other programs decode to these sizes.
    consuming func decode(reduction: (Int, Int) -> Int) throws(DecodeError) -> DecodedImage {
        var header = bifrons_jpeg_header()
        try check(bifrons_jpeg_read_header(handle, &header), "in its header")
        let (fullWidth, fullHeight) = (Int(header.width), Int(header.height))
        try Budget(limits).check(.jpeg, width: fullWidth, height: fullHeight)

        let orientation = structure.orientation
        let (uprightWidth, uprightHeight) = orientation.swapsSides ? (fullHeight, fullWidth) : (fullWidth, fullHeight)
        let reduction = reduction(uprightWidth, uprightHeight)
        precondition([1, 2, 4, 8].contains(reduction), "a JPEG cannot come out \(reduction) times smaller")
        let (width, height) = ((fullWidth + reduction - 1) / reduction, (fullHeight + reduction - 1) / reduction)
        // In addition to the coefficients: libjpeg's sample rows, our rows, and the copies of the profile.
        let working =
            Int(header.coefficient_bytes) + fullWidth * Int(header.channels) * 64 + (1 << 18)
            + ColourTransforms.memory(structure.profile)
        let memory = try Budget(limits).check(.jpeg, width: width, height: height, workingMemory: working)
        let image = try RGBImage.filled(
            storedWidth: width, storedHeight: height, orientation: orientation
        ) { canvas throws(DecodeError) in
            try start(reduction, memory: memory, width, height)
            let rows = header.channels == 3 ? RowFormat.rgb : .invertedCMYK
            let colours = transforms.transform(
                structure.profile.map { [$0] } ?? [], rows: rows, isGray: header.is_gray)
            if rows == .rgb || colours != nil {
                try readRows(width, height, rows, colours, onto: canvas, as: RGBLayout.self)
            } else {
                try readRows(width, height, rows, nil, onto: canvas, as: InvertedCMYKLayout.self)
            }
        }
        return DecodedImage(
            format: .jpeg, width: uprightWidth, height: uprightHeight, reduction: reduction, image: image)
    }

    private func start(_ reduction: Int, memory: Int, _ width: Int, _ height: Int) throws(DecodeError) {
        let budget = bifrons_jpeg_limits(
            reduction: UInt32(reduction), scans: UInt32(clamping: limits.scans), memory: UInt64(memory),
            time: limits.nanoseconds)
        var (readWidth, readHeight) = (UInt32(0), UInt32(0))
        try check(bifrons_jpeg_start(handle, budget, &readWidth, &readHeight), "before its first row")
        // The canvas has exactly this size.
        guard readWidth == width, readHeight == height else {
            throw .corrupt("JPEG is corrupt: it decodes to \(readWidth) × \(readHeight) pixels.")
        }
    }

    /// Decodes all rows onto the canvas.
    ///
    /// - Parameter layout: The layout of the rows after colour conversion.
    private func readRows<Layout: PixelLayout>(
        _ width: Int, _ height: Int, _ rows: RowFormat, _ colours: ColourTransform?, onto canvas: Canvas,
        as layout: Layout.Type
    ) throws(DecodeError) {
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: width * rows.channels)
        defer { scratch.deallocate() }
        for y in 0..<height {
            let target = rows == .rgb ? canvas.row(y) : nil
            try check(bifrons_jpeg_read_row(handle, target ?? scratch), "at row \(y) of \(height)")
            colours?.convert(target ?? scratch, count: width)
            if target == nil {
                canvas.place(scratch, as: layout, y: y, Canvas.Run(count: width))
            }
        }
        try check(bifrons_jpeg_finish(handle), "behind its last row")
    }

    private func check(
        _ outcome: bifrons_jpeg_outcome, _ place: @autoclosure () -> String
    ) throws(DecodeError) {
        if outcome == .ok { return }
        let said = String(cString: bifrons_jpeg_message(handle))
        switch outcome {
        case .ok: return
        case .truncated: throw .truncated(truncation(said, place()))
        case .corrupt: throw .corrupt("JPEG is corrupt \(place()): \(said).")
        case .zeroSized: throw .zeroSized("JPEG declares a width or a height of 0 pixels.")
        case .tooLarge: throw .tooLarge("JPEG declares a side that is too long: \(said).")
        case .unsupported: throw .unsupported("JPEG is of a kind that is not read: \(said).")
        case .tooManyScans:
            throw .tooComplex("JPEG has more scans than the limit of \(limits.scans): save it with fewer.")
        case .outOfTime: throw .outOfTime(.jpeg, limits)
        case .outOfMemory:
            throw .tooLarge("JPEG takes more memory to decode than its limit of \(limits.memory): send it smaller.")
        }
    }

    private func truncation(_ said: String, _ place: String) -> String {
        let position = bifrons_jpeg_where(handle)
        if position.missing > 0 {
            return "JPEG data ends after \(byteCount) of at least \(byteCount + Int(position.missing)) bytes, \(place)."
        }
        return position.scan > 1
            ? "JPEG data ends after \(byteCount) bytes, in scan \(position.scan): \(said)."
            : "JPEG data ends after \(byteCount) bytes, \(place): \(said)."
    }
}

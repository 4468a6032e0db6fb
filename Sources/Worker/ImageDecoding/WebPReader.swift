import CWebP

/// The decoding of one WebP file; of an animation, of its first frame on the transparent canvas. Only this file uses
/// libwebp.
struct WebPReader {
    private let structure: WebPStructure
    private let time: ProcessorTime
    private let transforms: ColourTransforms

    /// Walks the file's structure and checks its size.
    ///
    /// - Throws: ``DecodeError`` if the file is broken or exceeds a limit.
    init(_ bytes: Bytes, limits: DecodeLimits, _ transforms: ColourTransforms) throws(DecodeError) {
        time = ProcessorTime(limits)
        structure = try WebPStructure(bytes, limits: limits)
        self.transforms = transforms
        let picture = structure.picture
        let pixels = picture.width * picture.height
        // libwebp's rows, the picture if it is not decoded into the image itself, and the copies of the profile.
        var working = picture.width * 128 + (1 << 18) + ColourTransforms.memory(structure.profile)
        if !isDecodedInPlace { working += pixels * rows.channels }
        if picture.isLossy, picture.hasAlpha { working += pixels }
        if let lossless = picture.lossless {
            // Checked once before, because finding out the size of the tables takes time.
            try Budget(limits).check(
                .webp, width: structure.width, height: structure.height, workingMemory: working + pixels * 5)
            var header = WebPLosslessHeader(lossless, width: picture.width, height: picture.height)
            // Four bytes for each pixel, and up to three images of at least 4 × 4 times fewer pixels.
            working += pixels * 5 + (try header.tableBytes(within: time))
        }
        try Budget(limits).check(.webp, width: structure.width, height: structure.height, workingMemory: working)
    }

    private var rows: RowFormat { structure.picture.hasAlpha ? .rgba : .rgb }

    /// Whether libwebp writes its pixels where they stay.
    private var isDecodedInPlace: Bool {
        rows == .rgb && structure.orientation == .upright && structure.coversCanvas
    }

    /// Decodes the whole image.
    func decode() throws(DecodeError) -> DecodedImage {
        let image = try RGBImage.filled(
            storedWidth: structure.width, storedHeight: structure.height, orientation: structure.orientation
        ) { canvas throws(DecodeError) in
            let colours = transforms.transform(
                structure.profile.map { [$0] } ?? [], rows: rows, isGray: false)
            if isDecodedInPlace, let pixels = canvas.row(0) {
                try decode(into: pixels)
                for y in 0..<structure.height { colours?.convert(pixels + y * stride, count: structure.width) }
            } else {
                try decode(onto: canvas, colours)
            }
        }
        return DecodedImage(
            format: .webp, width: image.width, height: image.height, reduction: 1, isAnimated: structure.isAnimated,
            image: image)
    }

    /// The bytes of a row of the picture.
    private var stride: Int { structure.picture.width * rows.channels }

    /// Decodes the picture, and places it on the canvas.
    private func decode(onto canvas: Canvas, _ colours: ColourTransform?) throws(DecodeError) {
        let picture = structure.picture
        let pixels = UnsafeMutablePointer<UInt8>.allocate(capacity: stride * picture.height)
        defer { pixels.deallocate() }
        try decode(into: pixels)
        if !structure.coversCanvas { canvas.whiten() }
        let run = Canvas.Run(first: structure.left, count: picture.width)
        for y in 0..<picture.height {
            let row = pixels + y * stride
            colours?.convert(row, count: picture.width)
            if rows == .rgb {
                canvas.place(row, as: RGBLayout.self, y: structure.top + y, run)
            } else {
                canvas.place(row, as: RGBAOnWhiteLayout.self, y: structure.top + y, run)
            }
        }
    }

    /// The bytes that libwebp gets between two looks at the processor time.
    private static let portion = 1 << 16

    /// Decodes the picture into memory for its rows.
    private func decode(into pixels: UnsafeMutablePointer<UInt8>) throws(DecodeError) {
        let bytes = structure.picture.bytes
        guard let start = bytes.buffer.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let decoder = WebPINewRGB(
                rows == .rgb ? MODE_RGB : MODE_RGBA, pixels, stride * structure.picture.height, Int32(stride))
        else {
            throw .tooLarge("WebP finds no memory to be decoded in: try again later.")
        }
        defer { WebPIDelete(decoder) }
        var status = VP8_STATUS_SUSPENDED
        var count = 0
        while status == VP8_STATUS_SUSPENDED, count < bytes.count {
            try time.check(.webp)
            count = min(count + Self.portion, bytes.count)
            status = WebPIUpdate(decoder, start, count)
        }
        try time.check(.webp)
        switch status {
        case VP8_STATUS_OK: return
        case VP8_STATUS_SUSPENDED, VP8_STATUS_NOT_ENOUGH_DATA:
            throw .truncated("WebP image data ends after \(bytes.count) bytes, before its last row.")
        case VP8_STATUS_OUT_OF_MEMORY:
            throw .tooLarge("WebP finds no memory to be decoded in: try again later.")
        case VP8_STATUS_UNSUPPORTED_FEATURE:
            throw .unsupported("WebP is of a kind that is not read.")
        default: throw .corrupt("WebP is corrupt in its image data.")
        }
    }
}

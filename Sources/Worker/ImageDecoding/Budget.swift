/// Checks image sizes and memory needs of every format against the limits.
struct Budget {
    private let limits: DecodeLimits

    init(_ limits: DecodeLimits) {
        self.limits = limits
    }

    /// Checks the full size that an image's header declares.
    ///
    /// - Throws: ``DecodeError`` if a side is zero or longer than `longestSide`, or the image has too many pixels.
    func check(_ format: ImageFormat, width: Int, height: Int, longestSide: Int = .max) throws(DecodeError) {
        guard width > 0, height > 0 else {
            throw .zeroSized("\(format.title) declares \(width) × \(height) pixels.")
        }
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= limits.pixels else {
            throw .tooLarge(
                "\(format.title) of \(width) × \(height) pixels is over the limit of \(limits.pixels): send it smaller."
            )
        }
        guard max(width, height) <= longestSide else {
            throw .tooLarge(
                "\(format.title) of \(width) × \(height) pixels has a side over \(longestSide): send it smaller."
            )
        }
    }

    /// Checks the memory for decoding to `width` × `height` pixels with `workingMemory` more bytes for the decoder.
    ///
    /// - Returns: The number of bytes left for the decoder's working memory.
    /// - Throws: ``DecodeError`` if the sum exceeds the memory limit.
    @discardableResult
    func check(
        _ format: ImageFormat, width: Int, height: Int, workingMemory: Int
    ) throws(DecodeError) -> Int {
        let pixels = width * height * 3
        guard pixels + workingMemory <= limits.memory else {
            throw .tooLarge(
                "\(format.title) takes \(pixels + workingMemory) bytes of memory to decode, over the limit of "
                    + "\(limits.memory): send it smaller.")
        }
        return limits.memory - pixels
    }
}

extension RGBImage {
    /// Returns the upright image whose every pixel `fill` writes to a canvas.
    static func filled(
        storedWidth: Int, storedHeight: Int, orientation: Orientation,
        _ fill: (Canvas) throws(DecodeError) -> Void
    ) throws(DecodeError) -> RGBImage {
        let count = storedWidth * storedHeight * 3
        let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized throws(DecodeError) in
            guard let base = buffer.baseAddress else { return }
            try fill(
                Canvas(base, storedWidth: storedWidth, storedHeight: storedHeight, orientation: orientation))
            initialized = count
        }
        return orientation.swapsSides
            ? RGBImage(width: storedHeight, height: storedWidth, pixels: pixels)
            : RGBImage(width: storedWidth, height: storedHeight, pixels: pixels)
    }
}

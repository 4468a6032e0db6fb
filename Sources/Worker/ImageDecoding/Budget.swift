/// The checks of size that both formats share.
struct Budget {
    private let limits: DecodeLimits

    init(_ limits: DecodeLimits) {
        self.limits = limits
    }

    /// The picture's full size, as its header declares it.
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

    /// What decoding to `width` × `height` pixels takes, with `workingMemory` bytes beside the pixels.
    ///
    /// - Returns: the bytes that are left for the decoder's working memory.
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
    /// The upright picture that `fill` puts on a canvas, every pixel of it.
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

/// Decodes a JPEG, PNG, WebP, GIF, AVIF or HEIC file to an upright RGB image, or explains in one sentence why it cannot.
///
/// The steps: check the number of bytes → recognise the `Signature` (a 415 names any other format) → read the header
/// and check the size → decode row by row (`JPEGReader`, `PNGReader`) or at once (`WebPReader`, `GIFReader`,
/// `HEIFReader`), convert colours to sRGB (`ColourTransform`) and write each pixel to its upright position (`Canvas`) →
/// check the end of the file. A file that lacks a pixel or contradicts itself is always an error. Broken metadata is
/// ignored. Of an animation, only the first frame is decoded. Equal bytes give equal pixels on every machine. All memory
/// is freed on every path.
package struct ImageDecoder: Sendable {
    package let limits: DecodeLimits
    private let transforms = ColourTransforms()

    package init(limits: DecodeLimits = .init()) {
        self.limits = limits
    }

    /// Decodes a file.
    ///
    /// - Parameters:
    ///   - bytes: The whole file; read only during the call.
    ///   - reduction: Given the upright image's width and height, returns the factor by which a JPEG is to come out
    ///     smaller: 1, 2, 4 or 8. Decoding smaller is several times faster. Other formats always come out at full size.
    /// - Returns: The upright image in sRGB, with its format and full size.
    /// - Throws: ``DecodeError`` with status 413, 415 or 422.
    package func decode(
        _ bytes: UnsafeRawBufferPointer, reduction: (_ width: Int, _ height: Int) -> Int = { _, _ in 1 }
    ) throws(DecodeError) -> DecodedImage {
        guard bytes.count <= limits.bytes else {
            throw .tooLarge("File of \(bytes.count) bytes is over the limit of \(limits.bytes): send it smaller.")
        }
        let bytes = Bytes(buffer: bytes)
        switch Signature(bytes) {
        case .read(.jpeg): return try JPEGReader(bytes, limits: limits, transforms).decode(reduction: reduction)
        case .read(.png): return try PNGReader(bytes, limits: limits, transforms).decode()
        case .read(.webp): return try WebPReader(bytes, limits: limits, transforms).decode()
        case .read(.gif): return try GIFReader(bytes, limits: limits).decode()
        case .read(let format):
            #if HEIF
                return try HEIFReader(bytes, format, limits: limits, transforms).decode()
            #else
                throw .unknownFormat(
                    "\(format.title) is not read by this build of Bifrons, made without its trait HEIF: \(Self.advice)."
                )
            #endif
        case .notRead(let found): throw .unknownFormat("This is \(found): \(Self.advice).")
        }
    }

    /// What to do with a file of another format.
    private static let advice: String = {
        let titles = ImageFormat.read.map(\.title)
        return "send a \(titles.dropLast().joined(separator: ", ")) or \(titles[titles.count - 1])"
    }()

    /// Decodes a file from an array. See the other overload for `reduction`.
    ///
    /// - Throws: ``DecodeError`` with status 413, 415 or 422.
    package func decode(
        _ bytes: [UInt8], reduction: (_ width: Int, _ height: Int) -> Int = { _, _ in 1 }
    ) throws(DecodeError) -> DecodedImage {
        try bytes.withUnsafeBufferPointer { bytes throws(DecodeError) in
            try decode(UnsafeRawBufferPointer(bytes), reduction: reduction)
        }
    }
}

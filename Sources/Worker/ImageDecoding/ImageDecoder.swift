/// Turns the bytes of a JPEG or PNG file into the upright RGB picture, or says in one sentence why it cannot.
///
/// The way of a picture: the number of bytes → its `Signature` (or a 415 that names what it is instead) → its header and
/// size → `JPEGReader` or `PNGReader`, row by row, its colours converted to sRGB by a `ColourTransform`, straight to their
/// upright places on a `Canvas` → the file's end. Nothing is guessed: a file that any pixel is missing from, or that
/// contradicts itself, is an error and never a picture. What is broken beside the pixels is ignored.
/// The same bytes give the same pixels on every machine. All memory is given back on every path.
package struct ImageDecoder: Sendable {
    package let limits: DecodeLimits
    private let transforms = ColourTransforms()

    package init(limits: DecodeLimits = .init()) {
        self.limits = limits
    }

    /// Decodes one file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file; only looked at during the call.
    ///   - reduction: told the upright picture's width and height, how many times smaller a JPEG shall come out: 1, 2, 4 or
    ///     8, which is several times faster. A PNG always comes out at full size.
    /// - Throws: `DecodeError` with status 413, 415 or 422.
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
        case .notRead(let found): throw .unknownFormat("This is \(found): send a JPEG or a PNG.")
        }
    }

    /// Decodes one file.
    ///
    /// - Throws: `DecodeError` with status 413, 415 or 422.
    package func decode(
        _ bytes: [UInt8], reduction: (_ width: Int, _ height: Int) -> Int = { _, _ in 1 }
    ) throws(DecodeError) -> DecodedImage {
        try bytes.withUnsafeBufferPointer { bytes throws(DecodeError) in
            try decode(UnsafeRawBufferPointer(bytes), reduction: reduction)
        }
    }
}

import ImageDecoding
import TestImages
import Testing

/// Returns the error of decoding a file; nil if it is decoded.
func failure(_ bytes: [UInt8], limits: DecodeLimits = .init(), reduction: Int = 1) -> DecodeError? {
    do {
        _ = try ImageDecoder(limits: limits).decode(bytes) { _, _ in reduction }
        return nil
    } catch {
        return error
    }
}

/// Returns a small file of a format.
func imageFile(_ format: ImageFormat, width: Int, height: Int) -> [UInt8] {
    switch format {
    case .jpeg: TestImages.jpeg(width: width, height: height)
    case .png: TestImages.png(width: width, height: height)
    case .webp: TestImages.webp(width: width, height: height)
    case .gif: TestImages.gif(width: width, height: height)
    case .avif, .heic:
        #if HEIF
            TestImages.heif(width: width, height: height, isHEVC: format == .heic)
        #else
            preconditionFailure("this build cannot write \(format)")
        #endif
    }
}

/// Expects that a file gives an image or an error after any of its bytes was flipped, and the same one twice.
///
/// - Parameters:
///   - file: The undamaged file.
///   - isReproducible: Whether a damaged file must give the same result twice.
///   - isSignature: Whether a file with another byte at an offset is of no known format; nil: it may be.
func expectAnImageOrAnError(
    whenAnyByteIsFlippedIn file: [UInt8], isReproducible: Bool = true, isSignature: (_ offset: Int) -> Bool?
) {
    let decoder = ImageDecoder(limits: DecodeLimits(pixels: 1_000_000))
    for offset in file.indices {
        for mask: UInt8 in [0xFF, 0x80, 0x01] {
            let damaged = file.replacing(offset, with: file[offset] ^ mask)
            let results = (0..<(isReproducible ? 2 : 1)).map { _ in
                Result { () throws(DecodeError) in try decoder.decode(damaged).image }
            }
            #expect(results.first == results.last)
            if case .failure(let error) = results[0] {
                let isExpected = error.status == 415 ? isSignature(offset) != false : isSignature(offset) != true
                #expect(isExpected && [413, 415, 422].contains(error.status), "byte \(offset): \(error)")
            }
        }
    }
}

func decoded(_ bytes: [UInt8], reduction: Int = 1) throws -> DecodedImage {
    try ImageDecoder().decode(bytes) { _, _ in reduction }
}

/// Returns the mean absolute difference of two images' bytes.
func distance(_ first: [UInt8], _ second: [UInt8]) -> Double {
    guard first.count == second.count else { return .infinity }
    let sum = zip(first, second).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    return Double(sum) / Double(max(first.count, 1))
}

extension RGBImage {
    subscript(x: Int, y: Int) -> [UInt8] {
        Array(pixels[(y * width + x) * 3..<(y * width + x) * 3 + 3])
    }
}

extension [UInt8] {
    /// Returns the offset of the first occurrence of the bytes; nil if there is none.
    func firstOffset(of pattern: [UInt8]) -> Int? {
        indices.first { $0 + pattern.count <= count && Array(self[$0..<$0 + pattern.count]) == pattern }
    }

    func replacing(_ offset: Int, with byte: UInt8) -> [UInt8] {
        var copy = self
        copy[offset] = byte
        return copy
    }
}

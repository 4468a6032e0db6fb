internal import CJPEG
internal import CPNG
import Glibc
package import ImageDecoding

/// Encodes images as JPEG or PNG files.
package enum ImageEncoder {
    /// The formats that are written.
    package enum Format: String, CaseIterable, Sendable {
        case jpeg, png
    }

    /// The image is too large for its format or for the available memory.
    package struct EncodeError: Error, CustomStringConvertible {
        package let description: String
    }

    /// The JPEG quality on libjpeg's scale of 0 to 100; high, so that text stays sharp.
    private static let quality: Int32 = 92

    /// Encodes an image.
    ///
    /// - Throws: ``EncodeError`` with the image's size and what to do.
    package static func encode(_ image: RGBImage, as format: Format) throws(EncodeError) -> [UInt8] {
        var (file, count): (UnsafeMutablePointer<UInt8>?, Int) = (nil, 0)
        let (width, height) = (UInt32(clamping: image.width), UInt32(clamping: image.height))
        let isWritten = image.pixels.withUnsafeBufferPointer { pixels in
            guard let pixels = pixels.baseAddress else { return false }
            switch format {
            case .jpeg: return bifrons_jpeg_write(pixels, width, height, quality, &file, &count)
            case .png: return bifrons_png_write(pixels, width, height, &file, &count)
            }
        }
        guard isWritten, let file else {
            throw EncodeError(
                description: "\(image.width) × \(image.height) pixels cannot be written as \(format.rawValue): "
                    + "take the other format, or a smaller image")
        }
        defer { free(file) }
        return Array(UnsafeBufferPointer(start: file, count: count))
    }
}

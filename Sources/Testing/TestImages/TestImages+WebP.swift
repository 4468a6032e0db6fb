import CTestImages
import Glibc

extension TestImages {
    /// How the pixels of a WebP file are stored.
    package enum WebPKind: CaseIterable, Sendable {
        case lossy, lossless
        /// With alpha in a chunk of its own.
        case lossyAlpha
        case losslessAlpha

        package var isLossless: Bool { self == .lossless || self == .losslessAlpha }
        package var hasAlpha: Bool { self == .lossyAlpha || self == .losslessAlpha }
    }

    /// Returns a WebP file, with the orientation of an EXIF chunk if one is given. Alpha falls from the left to the right.
    package static func webp(
        width: Int, height: Int, _ kind: WebPKind = .lossy, quality: Float = 90, orientation: Int? = nil,
        pattern: Pattern = .scene
    ) -> [UInt8] {
        let pixels = pattern.pixels(width: width, height: height)
        let file = webp(width: width, height: height, kind, quality: quality, pixels: pixels)
        guard let orientation else { return file }
        let header = webpHeader(flags: kind.hasAlpha ? 0x18 : 0x08, width: width, height: height)
        return riff([header] + pictureChunks(of: file) + [webpChunk("EXIF", tiff(orientation: orientation))])
    }

    /// Returns a WebP file of `width * height * 3` bytes of RGB.
    package static func webp(
        width: Int, height: Int, _ kind: WebPKind = .lossy, quality: Float = 90, pixels: [UInt8]
    ) -> [UInt8] {
        precondition(pixels.count == width * height * 3)
        var samples: [UInt8] = []
        samples.reserveCapacity(width * height * 4)
        for pixel in 0..<width * height {
            samples += pixels[3 * pixel..<3 * pixel + 3]
            samples.append(kind.hasAlpha ? webpAlpha(pixel % width, width: width) : 255)
        }
        var file: UnsafeMutablePointer<UInt8>?
        let count = test_webp_encode(
            samples, UInt32(width), UInt32(height), kind.isLossless ? -1 : quality, &file)
        precondition(count > 0)
        defer { free(file) }
        return Array(UnsafeBufferPointer(start: file, count: count))
    }

    /// Returns the alpha in a column of the WebP files that have one.
    package static func webpAlpha(_ x: Int, width: Int) -> UInt8 { UInt8(255 - x * 200 / width) }

    /// Returns the pixels, RGBA, of a WebP file as one call of libwebp decodes them; nil if it cannot.
    package static func decodedByLibwebp(_ file: [UInt8]) -> [UInt8]? {
        var (width, height): (Int32, Int32) = (0, 0)
        guard let pixels = test_webp_decode(file, file.count, &width, &height) else { return nil }
        defer { free(pixels) }
        return Array(UnsafeBufferPointer(start: pixels, count: Int(width) * Int(height) * 4))
    }

    /// Returns a WebP file of chunks, without a look at them.
    package static func riff(_ chunks: [[UInt8]]) -> [UInt8] {
        let body = Array("WEBP".utf8) + chunks.flatMap { $0 }
        return Array("RIFF".utf8) + littleEndian(body.count, 4) + body
    }

    package static func webpChunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: data.count % 2)
        return Array(name.utf8) + littleEndian(data.count, 4) + data + padding
    }

    /// Returns a VP8X chunk. Flags: 0x02 an animation, 0x08 EXIF, 0x10 alpha, 0x20 a profile.
    package static func webpHeader(flags: UInt8, width: Int, height: Int) -> [UInt8] {
        webpChunk("VP8X", [flags, 0, 0, 0] + littleEndian(width - 1, 3) + littleEndian(height - 1, 3))
    }

    /// Returns the chunk of a frame. The coordinates are even.
    package static func webpFrame(x: Int, y: Int, width: Int, height: Int, _ chunks: [[UInt8]]) -> [UInt8] {
        let numbers = [x / 2, y / 2, width - 1, height - 1, 100].flatMap { littleEndian($0, 3) }
        return webpChunk("ANMF", numbers + [0] + chunks.flatMap { $0 })
    }

    /// Returns the chunks of image data and alpha of a sound WebP file that is no animation.
    package static func pictureChunks(of file: [UInt8]) -> [[UInt8]] {
        var chunks: [[UInt8]] = []
        var offset = 12
        while offset < file.count {
            let length = file[offset + 4..<offset + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
            let end = offset + 8 + length + length % 2
            let name = String(decoding: file[offset..<offset + 4], as: UTF8.self)
            if ["ALPH", "VP8 ", "VP8L"].contains(name) { chunks.append(Array(file[offset..<end])) }
            offset = end
        }
        return chunks
    }

    package static func littleEndian(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(value >> (8 * $0) & 255) }
    }
}

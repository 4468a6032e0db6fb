#if HEIF
    import CTestImages
    import Glibc

    extension TestImages {
        /// Returns an AVIF or HEIC file of 8, 10 or 12 bits.
        ///
        /// - Parameters:
        ///   - chroma: 420, 422 or 444: the chroma planes have half the width and height, half the width, or neither.
        ///     Debian's libheif writes an AVIF of 10 bits only in 422, and without alpha.
        ///   - hasAlpha: whether alpha falls from the left to the right, as in ``webp(width:height:_:quality:pixels:)``.
        package static func heif(
            width: Int, height: Int, isHEVC: Bool, bits: Int = 8, chroma: Int = 420, hasAlpha: Bool = false,
            quality: Int = 95, profile: [UInt8] = [], pixels: [UInt8]
        ) -> [UInt8] {
            precondition(pixels.count == width * height * 3)
            var samples: [UInt8] = []
            for pixel in 0..<width * height {
                var values = Array(pixels[3 * pixel..<3 * pixel + 3])
                if hasAlpha { values.append(webpAlpha(pixel % width, width: width)) }
                for value in values {
                    let wide = (Int(value) * (1 << bits - 1) + 127) / 255
                    samples += bits == 8 ? [value] : littleEndian(wide, 2)
                }
            }
            var file: UnsafeMutablePointer<UInt8>?
            let count = profile.withUnsafeBufferPointer { profile in
                test_heif_encode(
                    test_heif_request(
                        width: UInt32(width), height: UInt32(height), has_alpha: hasAlpha, is_hevc: isHEVC,
                        bits: Int32(bits), chroma: Int32(chroma), quality: Int32(quality),
                        profile: profile.isEmpty ? nil : profile.baseAddress, profile_length: profile.count),
                    samples, &file)
            }
            precondition(count > 0)
            defer { free(file) }
            return Array(UnsafeBufferPointer(start: file, count: count))
        }

        /// Returns an AVIF or HEIC file of a pattern.
        package static func heif(
            width: Int, height: Int, isHEVC: Bool, bits: Int = 8, chroma: Int = 420, hasAlpha: Bool = false,
            pattern: Pattern = .scene
        ) -> [UInt8] {
            heif(
                width: width, height: height, isHEVC: isHEVC, bits: bits, chroma: chroma, hasAlpha: hasAlpha,
                pixels: pattern.pixels(width: width, height: height))
        }
    }
#endif

#if HEIF
    import ImageDecoding
    import TestImages
    import Testing

    @Suite struct HEIFReaderTests {
        private static let (width, height) = (48, 40)
        /// A pattern whose chroma changes slowly, so that interpolating it hardly changes it.
        private static let smooth = Pattern { x, y, width, height in
            (UInt8(40 + 180 * x / width), UInt8(200 - 150 * y / height), UInt8(60 + 90 * (x + y) / (width + height)))
        }

        private static func file(
            _ format: ImageFormat, bits: Int = 8, chroma: Int = 420, hasAlpha: Bool = false, width: Int = width,
            height: Int = height
        ) -> [UInt8] {
            TestImages.heif(
                width: width, height: height, isHEVC: format == .heic, bits: bits, chroma: chroma, hasAlpha: hasAlpha,
                pattern: smooth)
        }

        @Test(arguments: [ImageFormat.avif, .heic], [8, 10, 12])
        func everyDepthComesOutInEightBits(format: ImageFormat, bits: Int) throws {
            guard format == .avif || bits < 12 else { return }  // Debian's x265 writes at most 10
            // Debian's libheif writes AVIF of 10 bits only in 4:2:2.
            for chroma in format == .avif && bits == 10 ? [422] : [420, 422, 444] {
                for (width, height) in [(Self.width, Self.height), (47, 39), (16, 17)] {
                    let image = try decoded(
                        Self.file(format, bits: bits, chroma: chroma, width: width, height: height), reduction: 8)
                    #expect((image.format, image.width, image.height) == (format, width, height))
                    #expect(image.reduction == 1 && !image.isAnimated)
                    let expected = Self.smooth.pixels(width: width, height: height)
                    #expect(distance(image.image.pixels, expected) < 2.5, "\(chroma), \(width) × \(height)")
                }
            }
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func alphaIsPutOnWhite(format: ImageFormat) throws {
            let image = try decoded(Self.file(format, hasAlpha: true)).image
            let pixels = Self.smooth.pixels(width: Self.width, height: Self.height)
            let expected = pixels.indices.map { index -> UInt8 in
                let alpha = Int(TestImages.webpAlpha(index / 3 % Self.width, width: Self.width))
                return UInt8((Int(pixels[index]) * alpha + 255 * (255 - alpha) + 127) / 255)
            }
            #expect(distance(image.pixels, expected) < 2.5)
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func aProfileRestoresTheColours(format: ImageFormat) throws {
            let original = Self.smooth.pixels(width: Self.width, height: Self.height)
            for encoding in ColourEncoding.all {
                func image(_ profile: [UInt8]) throws -> [UInt8] {
                    try decoded(
                        TestImages.heif(
                            width: Self.width, height: Self.height, isHEVC: format == .heic, chroma: 444, quality: 100,
                            profile: profile, pixels: encoding.bytes(original))
                    ).image.pixels
                }
                let restored = try distance(image(encoding.profile), original)
                #expect(restored < 6, "\(encoding.testDescription)")
                #expect(try distance(image([]), original) > restored)
            }
        }

        /// The bytes of the transform box, in the file whose boxes have the usual order.
        @Test(arguments: [ImageFormat.avif, .heic]) func truncatedAnywhereIsAnError(format: ImageFormat) throws {
            for hasAlpha in [false, true] {
                let file = Self.file(format, hasAlpha: hasAlpha)
                for count in 16..<file.count {
                    let error = try #require(failure(Array(file[..<count])), "\(count) of \(file.count)")
                    #expect(error.status == 422 || error.status == 415, "\(count) of \(file.count): \(error)")
                    #expect(count < 40 || error.code == "image_truncated", "\(count) of \(file.count): \(error)")
                }
            }
        }

        @Test(arguments: [ImageFormat.avif, .heic]) func aFlippedByteGivesAnImageOrAnError(format: ImageFormat) throws {
            // A changed brand may be one of the same kind.
            let file = Self.file(format, width: 16, height: 16)
            // libde265 1.0 decodes some damaged pictures with memory that it has not written, and does not warn of it.
            expectAnImageOrAnError(whenAnyByteIsFlippedIn: file, isReproducible: format != .heic) {
                $0 < 64 ? nil : false
            }
        }

        @Test func aSequenceWithoutAnImageIsNamed() throws {
            let file: [UInt8] = [0, 0, 0, 16] + Array("ftypavis\0\0\0\0".utf8) + [0, 0, 0, 8] + Array("moov".utf8)
            let error = try #require(failure(file))
            #expect(error.status == 422 && error.code == "image_unsupported")
        }

        @Test func boxesOfImpossibleLengthsAreErrors() throws {
            let start: [UInt8] = [0, 0, 0, 16] + Array("ftypheic\0\0\0\0".utf8)
            for (length, code) in [
                ([0, 0, 0, 7], "image_corrupt"), ([0, 0, 0, 9], "image_truncated"),
                ([0xFF, 0xFF, 0xFF, 0xFF], "image_truncated"),
            ] as [([UInt8], String)] {
                #expect(failure(start + length + Array("meta".utf8))?.code == code)
            }
            let long: [UInt8] = [0, 0, 0, 1] + Array("meta".utf8)
            for high: UInt8 in [0x7F, 0xFF] {
                let error = failure(start + long + [high] + [UInt8](repeating: 0xFF, count: 7))
                #expect(error?.status == 422)
            }
        }
    }
#endif

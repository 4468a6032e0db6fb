import ImageDecoding
import TestImages
import Testing

@Suite struct ImageDecoderTests {
    @Test func aFileOverTheSizeLimitIsRefusedWithoutBeingParsed() {
        let file = [UInt8](repeating: 0, count: 20_000_001)
        #expect(failure(file)?.status == 413)
        #expect(failure(file)?.code == "image_too_large")
        #expect(failure(Array(file.dropLast()))?.status == 415)
    }

    @Test func aFileAtTheSizeLimitIsRead() throws {
        let file = TestImages.jpeg(width: 20, height: 10)
        #expect(failure(file, limits: DecodeLimits(bytes: file.count)) == nil)
        #expect(failure(file, limits: DecodeLimits(bytes: file.count - 1))?.status == 413)
    }

    @Test(arguments: ImageFormat.read)
    func anImageOverThePixelLimitIsRefused(format: ImageFormat) throws {
        let file = imageFile(format, width: 80, height: 64)
        #expect(failure(file, limits: DecodeLimits(pixels: 5120)) == nil)
        let error = try #require(failure(file, limits: DecodeLimits(pixels: 5119)))
        #expect(error.status == 413)
        #expect(error.message.contains("80 × 64 pixels"))
    }

    @Test(arguments: ImageFormat.read)
    func anImageOverTheTimeLimitIsRefused(format: ImageFormat) throws {
        let file = imageFile(format, width: 40, height: 30)
        for time in [Duration.zero, .seconds(-1)] {
            let error = try #require(failure(file, limits: DecodeLimits(time: time)))
            #expect(error.status == 413)
            #expect(error.code == "image_too_complex")
        }
    }

    @Test(arguments: ImageFormat.read)
    func anImageOverTheMemoryLimitIsRefused(format: ImageFormat) throws {
        let file = imageFile(format, width: 400, height: 300)
        #expect(failure(file, limits: DecodeLimits(memory: 6_000_000)) == nil)
        let error = try #require(failure(file, limits: DecodeLimits(memory: 350_000)))
        #expect(error.status == 413)
        #expect(error.code == "image_too_large")
    }

    @Test func theSameBytesGiveTheSamePixelsOnEveryThread() async throws {
        let files = [
            TestImages.jpeg(width: 123, height: 77, subsampled: true),
            TestImages.jpeg(width: 123, height: 77, scans: .progressive, orientation: 7),
            TestImages.png(width: 77, height: 123, isInterlaced: true),
            TestImages.webp(width: 77, height: 123), TestImages.webp(width: 77, height: 123, .losslessAlpha),
            TestImages.gif(width: 77, height: 123, isInterlaced: true),
        ]
        let expected = try files.map { try decoded($0, reduction: 2).image }
        try await withThrowingTaskGroup(of: [RGBImage].self) { group in
            for _ in 0..<8 {
                group.addTask { try files.map { try decoded($0, reduction: 2).image } }
            }
            for try await images in group { #expect(images == expected) }
        }
    }

    @Test func aSliceOfALargerBufferIsDecoded() throws {
        let file = TestImages.png(width: 5, height: 4)
        let within = [1, 2, 3] + file + [4, 5]
        let image = try within.withUnsafeBytes {
            try ImageDecoder().decode(UnsafeRawBufferPointer(rebasing: $0[3..<3 + file.count]))
        }
        #expect(image.image.pixels == Pattern.scene.pixels(width: 5, height: 4))
    }
}

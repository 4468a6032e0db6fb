import ImageDecoding
import TestImages
import Testing

/// Tests WebP files that are damaged, contradict themselves or exceed a limit.
@Suite struct WebPDamageTests {
    private static let header = TestImages.webpHeader(flags: 0, width: 20, height: 10)
    private static let animation = TestImages.webpHeader(flags: WebPReaderTests.animation, width: 20, height: 10)
    private static let picture = TestImages.pictureChunks(of: TestImages.webp(width: 20, height: 10))
    private static let frame = TestImages.webpFrame(x: 0, y: 0, width: 20, height: 10, picture)

    static let files: [(String, [UInt8])] =
        TestImages.WebPKind.allCases.flatMap { kind in
            [
                ("\(kind)", TestImages.webp(width: 16, height: 12, kind)),
                ("\(kind), oriented", TestImages.webp(width: 16, height: 12, kind, orientation: 8)),
            ]
        } + [
            (
                "animation",
                TestImages.riff([animation, TestImages.webpChunk("ANIM", [0, 0, 0, 0, 0, 0]), frame, frame])
            )
        ]

    @Test(arguments: files) func truncatedAnywhereIsAnError(name: String, file: [UInt8]) throws {
        for count in 12..<file.count {
            let error = try #require(failure(Array(file[..<count])), "\(count) of \(file.count)")
            #expect(error.status == 422 && error.code == "image_truncated", "\(count) of \(file.count): \(error)")
        }
        let message = try #require(failure(Array(file.dropLast(7)))).message
        #expect(message.contains("\(file.count - 7) of at least \(file.count) bytes"))
    }

    /// The chunks around them say that nothing is missing.
    @Test(arguments: TestImages.WebPKind.allCases)
    func imageDataThatEndEarlyAreAnErrorOrTheWholeImage(kind: TestImages.WebPKind) throws {
        let file = TestImages.webp(width: 16, height: 12, kind)
        let whole = try decoded(file).image
        let chunks = TestImages.pictureChunks(of: file)
        for (index, chunk) in chunks.enumerated() {
            let name = String(decoding: chunk[..<4], as: UTF8.self)
            for count in 0..<chunk.count - 8 {
                var parts = chunks
                parts[index] = TestImages.webpChunk(name, Array(chunk[8..<8 + count]))
                let cut = TestImages.riff(
                    [TestImages.webpHeader(flags: kind.hasAlpha ? 0x10 : 0, width: 16, height: 12)] + parts)
                if let error = failure(cut) {
                    #expect(error.status == 422, "\(count) of \(chunk.count): \(error)")
                } else {
                    #expect(try decoded(cut).image == whole, "\(count) of \(chunk.count)")
                    #expect(count >= chunk.count - 8 - 3)
                }
            }
        }
    }

    @Test func whatContradictsItselfIsCorrupt() throws {
        let lossless = TestImages.pictureChunks(of: TestImages.webp(width: 20, height: 10, .lossless))
        let alpha = TestImages.webpChunk("ALPH", [UInt8](repeating: 0, count: 201))
        let broken: [(String, [[UInt8]])] = [
            ("no chunks", []),
            ("no image", [Self.header]),
            ("an unknown chunk first", [TestImages.webpChunk("abcd", [1])] + Self.picture),
            ("alpha first", [alpha] + Self.picture),
            ("two headers", [Self.header, Self.header] + Self.picture),
            ("a short header", [TestImages.webpChunk("VP8X", [0, 0, 0, 0, 19, 0, 0, 9, 0])] + Self.picture),
            ("two images", [Self.header] + Self.picture + Self.picture),
            ("two alphas", [Self.header, alpha, alpha] + Self.picture),
            ("alpha beside lossless", [Self.header, alpha] + lossless),
            ("another canvas", [TestImages.webpHeader(flags: 0, width: 21, height: 10)] + Self.picture),
            ("a frame that nothing announces", [Self.header, Self.frame]),
            ("an image beside frames", [Self.animation] + Self.picture + [Self.frame]),
            ("an animation without frames", [Self.animation]),
            ("a short frame", [Self.animation, TestImages.webpChunk("ANMF", [0, 0, 0])]),
            ("an empty frame", [Self.animation, TestImages.webpFrame(x: 0, y: 0, width: 20, height: 10, [])]),
            ("another frame", [Self.animation, TestImages.webpFrame(x: 0, y: 0, width: 19, height: 10, Self.picture)]),
            (
                "beyond the canvas",
                [Self.animation, TestImages.webpFrame(x: 2, y: 0, width: 20, height: 10, Self.picture)]
            ),
            ("a chunk beyond the end", [Self.header] + Self.picture + [Array("abcd".utf8) + [9, 0, 0, 0, 1]]),
            ("half a chunk", [Self.header] + Self.picture + [[1, 2, 3]]),
        ]
        for (name, chunks) in broken {
            let error = failure(TestImages.riff(chunks))
            #expect(error?.status == 422 && error?.code == "image_corrupt", "\(name): \(String(describing: error))")
        }
    }

    @Test func zeroSizedIsAnError() throws {
        let file = TestImages.webp(width: 20, height: 10)
        for offset in [26, 28] {
            let empty = file.replacing(offset, with: 0).replacing(offset + 1, with: 0)
            #expect(failure(empty)?.code == "image_zero_sized")
        }
    }

    /// A flipped byte changes the image, or is noticed. Never is an image of another size returned.
    @Test(arguments: files) func aFlippedByteGivesAnImageOrAnError(name: String, file: [UInt8]) {
        expectAnImageOrAnError(whenAnyByteIsFlippedIn: file) { $0 < 4 || (8..<12).contains($0) }
    }

    /// Half a kilobyte that would make libwebp allocate several hundred megabytes of tables.
    @Test(arguments: [false, true]) func tablesOfPrefixCodesCountAsMemory(isAlpha: Bool) throws {
        // No transform, no colour cache, and an entropy image with a pixel for each 4 × 4 pixels.
        let bits: [UInt8] = [0b000_1_0_0] + [UInt8](repeating: 0, count: 500)
        let size = 1023 | 1023 << 14
        let chunks =
            isAlpha
            ? [
                TestImages.webpHeader(flags: 0x10, width: 1024, height: 1024), TestImages.webpChunk("ALPH", [1] + bits),
                TestImages.webpChunk("VP8 ", [0, 0, 0, 0x9D, 0x01, 0x2A, 0, 4, 0, 4]),
            ]
            : [TestImages.webpChunk("VP8L", [0x2F] + TestImages.littleEndian(size, 4) + bits)]
        let error = try #require(failure(TestImages.riff(chunks)))
        #expect(error.status == 413 && error.code == "image_too_large", "\(error)")
        #expect(failure(TestImages.riff(chunks), limits: DecodeLimits(memory: 2 << 30))?.status == 422)
    }

    @Test func memoryIsCheckedForWhatIsDecoded() {
        let limits = DecodeLimits(memory: 1_000_000)
        #expect(failure(TestImages.webp(width: 400, height: 400), limits: limits) == nil)
        for file in [
            TestImages.webp(width: 400, height: 400, .lossless), TestImages.webp(width: 400, height: 400, .lossyAlpha),
            TestImages.webp(width: 400, height: 400, orientation: 2),
        ] { #expect(failure(file, limits: limits)?.code == "image_too_large") }
    }

    @Test func aCanvasOverTheLimitIsTooLarge() throws {
        let huge = TestImages.riff([
            TestImages.webpHeader(flags: WebPReaderTests.animation, width: 1 << 24, height: 1 << 24), Self.frame,
        ])
        let error = try #require(failure(huge))
        #expect(error.status == 413 && error.message.contains("16777216 × 16777216 pixels"))
    }

    @Test func moreThanOneProfileOrATooLargeOneIsNotRead() throws {
        let plain = try decoded(TestImages.riff(Self.picture)).image
        let inverted = TestImages.webpChunk("ICCP", TestImages.Profile.rgb(.inverted))
        let file = TestImages.riff(
            [
                TestImages.webpHeader(flags: WebPReaderTests.profile, width: 20, height: 10),
                TestImages.webpChunk("ICCP", [1, 2, 3]), inverted,
            ] + Self.picture)
        #expect(try decoded(file).image == plain)
        let applied = TestImages.riff(
            [TestImages.webpHeader(flags: WebPReaderTests.profile, width: 20, height: 10), inverted] + Self.picture)
        #expect(try decoded(applied).image != plain)
        #expect(try ImageDecoder(limits: DecodeLimits(profile: 100)).decode(applied).image == plain)
    }
}

import BifronsWire
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests files that are not intact images, with the real workers.
    @Suite(.serialized) struct BadImageTests {
        static let jpeg = TestImages.jpeg(width: 200, height: 160)
        static let png = TestImages.png(width: 120, height: 100)
        static let webp = TestImages.webp(width: 160, height: 120)
        /// An intact file of each format that this build reads.
        static let intact = {
            var files = [jpeg, png, webp, TestImages.gif(width: 80, height: 60)]
            #if HEIF
                files += [false, true].map { TestImages.heif(width: 96, height: 80, isHEVC: $0) }
            #endif
            return files
        }()

        /// The statuses that a damaged file may get: an error, or a score if only pixels are damaged.
        static let answersToDamage: Set<Int> = [200, 413, 415, 422]

        @Test func everyBadFileGetsItsStatusAndLaterJobsAreAnswered() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let client = try cluster.client()
                func expect(
                    _ what: String, _ image: [UInt8], _ status: Int, _ code: String, _ words: String = "",
                    sourceLocation: SourceLocation = #_sourceLocation
                ) throws {
                    let reply = try client.ask(Frames.classify(image))
                    #expect(reply.status == status, "\(what)", sourceLocation: sourceLocation)
                    #expect(reply.code == code, "\(what)", sourceLocation: sourceLocation)
                    let message = reply.document.error?.message ?? ""
                    #expect(
                        words.isEmpty || message.contains(words), "\(what): \(message)", sourceLocation: sourceLocation)
                    #expect(reply.document.models.count == 2, "\(what)", sourceLocation: sourceLocation)
                }
                try expect("text", Array("This is no image.".utf8), 415, "image_unknown_format")
                try expect("TIFF", Array("II*\0".utf8) + [8, 0, 0, 0], 415, "image_unknown_format", "TIFF")
                try expect(
                    "GIF without an image", Array("GIF89a".utf8) + [1, 0, 1, 0, 0, 0, 0, 0x3B], 422, "image_corrupt")
                try expect("PDF", Array("%PDF-1.7\n".utf8), 415, "image_unknown_format", "PDF")
                let enormous =
                    TestImages.pngSignature + TestImages.pngHeader(width: 100_000, height: 100_000)
                    + TestImages.imageData(TestImages.zlib([])) + TestImages.chunk("IEND", [])
                try expect("PNG of 100,000 x 100,000", enormous, 413, "image_too_large")
                try expect(
                    "PNG of 0 x 0", TestImages.pngSignature + TestImages.pngHeader(width: 0, height: 0), 422,
                    "image_zero_sized")
                for tenth in 1...9 {
                    try expect(
                        "JPEG cut at \(tenth)0 %", Array(Self.jpeg.prefix(Self.jpeg.count * tenth / 10)), 422,
                        "image_truncated")
                    try expect(
                        "PNG cut at \(tenth)0 %", Array(Self.png.prefix(Self.png.count * tenth / 10)), 422,
                        "image_truncated")
                    try expect(
                        "WebP cut at \(tenth)0 %", Array(Self.webp.prefix(Self.webp.count * tenth / 10)), 422,
                        "image_truncated")
                }
                let signature = TestImages.pngSignature
                let apple = signature + TestImages.chunk("CgBI", [0, 0, 0, 0]) + Self.png.dropFirst(signature.count)
                try expect("Apple's PNG", apple, 422, "image_unsupported", "CgBI")
                let withoutEnds = [Array(Self.jpeg.dropLast(2)), Array(Self.png.dropLast(12))]
                for good in Self.intact + withoutEnds {
                    let reply = try client.ask(Frames.classify(good))
                    #expect(reply.status == 200)
                    #expect(reply.document.verdict != nil)
                    #expect(reply.document.models.map(\.status.rawValue) == [200, 200])
                }
                #expect(try client.status().counters.workersLost == 0)
            }
        }

        @Test func anAnimationsResultSaysThatOnlyItsFirstFrameWasLookedAt() throws {
            let picture = TestImages.pictureChunks(of: Self.webp)
            let frame = TestImages.webpFrame(x: 0, y: 0, width: 160, height: 120, picture)
            let file = TestImages.riff([
                TestImages.webpHeader(flags: 0x02, width: 200, height: 130),
                TestImages.webpChunk("ANIM", [0, 0, 0, 0, 0, 0]), frame, frame,
            ])
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                for (image, isAnimated, width) in [(file, true, 200), (Self.webp, false, 160)] {
                    let reply = try client.ask(Frames.classify(image, #""models":["resnet"],"budget_ms":25000"#))
                    let information = try #require(reply.document.image)
                    #expect(information.format == .webp && information.width == width)
                    #expect(information.isAnimated == isAnimated)
                }
            }
        }

        @Test func oneFlippedByteIsAnsweredAndKillsNoWorker() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                var random = SeededGenerator(seed: 3)
                for round in 0..<60 {
                    var image = Self.intact[round % Self.intact.count]
                    let place = Int.random(in: image.indices, using: &random)
                    image[place] ^= UInt8.random(in: 1...255, using: &random)
                    let reply = try client.ask(Frames.classify(image, #""models":["resnet"],"budget_ms":25000"#))
                    #expect(Self.answersToDamage.contains(reply.status), "byte \(place), round \(round)")
                }
                #expect(try client.status().counters.workersLost == 0)
            }
        }
    }
}

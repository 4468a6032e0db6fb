import Glibc
import ImageDecoding
import TestImages
import Testing

/// Tests damaged files.
@Suite struct DamageTests {
    static let jpegs: [(String, [UInt8])] = [
        ("baseline", TestImages.jpeg(width: 48, height: 40)),
        ("subsampled", TestImages.jpeg(width: 48, height: 40, subsampled: true)),
        ("restarts", TestImages.jpeg(width: 48, height: 40, restartRows: 1)),
        ("progressive", TestImages.jpeg(width: 48, height: 40, scans: .progressive)),
        ("gray", TestImages.jpeg(width: 48, height: 40, colour: .gray)),
        ("oriented", TestImages.jpeg(width: 48, height: 40, orientation: 6)),
        ("YCCK", TestImages.jpeg(width: 24, height: 20, scans: .progressive, colour: .adobeYCCK)),
        ("separate", TestImages.jpeg(width: 48, height: 40, scans: .oneAComponent)),
    ]

    static let pngs: [(String, [UInt8])] = [
        ("plain", TestImages.png(width: 16, height: 14)),
        ("interlaced", TestImages.png(width: 16, height: 14, isInterlaced: true)),
        ("oriented", TestImages.png(width: 16, height: 14, orientation: 5)),
        (
            "translucent palette",
            TestImages.png(
                width: 16, height: 14, colour: .palette, depth: 2, palette: [0, 0, 0, 9, 9, 9, 80, 80, 80, 255, 0, 0],
                transparency: [0, 128]
            ) { x, y, _ in (x + y) % 4 }
        ),
    ]

    /// A file cut behind the last bit of the last row still gives the whole image.
    @Test(arguments: jpegs)
    func aTruncatedJPEGIsAnErrorUnlessAllRowsAreThere(name: String, file: [UInt8]) throws {
        let whole = try decoded(file).image
        for count in 2..<file.count {
            let cut = Array(file[..<count])
            if let error = failure(cut) {
                #expect(error.status == 422 && error.code == "image_truncated", "\(count) of \(file.count): \(error)")
                #expect(count < file.count - 2, "nothing but the end marker is missing")
            } else {
                #expect(try decoded(cut).image == whole, "\(count) of \(file.count)")
                #expect(count > file.count - 8)
            }
        }
    }

    @Test func aFileTruncatedAtAnyTenthIsAnErrorAtEveryReduction() {
        let files = [
            TestImages.jpeg(width: 500, height: 400), TestImages.jpeg(width: 500, height: 400, scans: .progressive),
            TestImages.png(width: 200, height: 150), TestImages.png(width: 200, height: 150, isInterlaced: true),
        ]
        for file in files {
            for tenth in 1..<10 {
                for reduction in [1, 8] {
                    let cut = Array(file[..<(file.count * tenth / 10)])
                    #expect(failure(cut, reduction: reduction)?.code == "image_truncated")
                }
            }
        }
    }

    /// Behind the last row come the end of the compressed data, its checksum, the chunk's checksum, and the end chunk.
    @Test(arguments: pngs)
    func aTruncatedPNGIsAnErrorUnlessAllRowsAreThere(name: String, file: [UInt8]) throws {
        let whole = try decoded(file).image
        for count in 4..<file.count {
            let cut = Array(file[..<count])
            if let error = failure(cut) {
                #expect(error.status == 422 && error.code == "image_truncated", "\(count) of \(file.count)")
                #expect(count < file.count - 20, "no row is missing")
            } else {
                #expect(try decoded(cut).image == whole, "\(count) of \(file.count)")
                #expect(count >= file.count - 21)
            }
        }
    }

    @Test(arguments: ["baseline", "subsampled", "restarts", "gray", "separate"])
    func aTruncatedJPEGWithAnEndMarkerIsStillAnError(name: String) throws {
        let file = try #require(Self.jpegs.first { $0.0 == name }).1
        let scan = try #require(file.firstOffset(of: [0xFF, 0xDA])) + 20
        for count in scan..<file.count - 10 {
            let error = failure(file[..<count] + [0xFF, 0xD9])
            #expect(error?.status == 422, "\(count) of \(file.count)")
        }
    }

    @Test(arguments: jpegs)
    func aFlippedByteOfAJPEGGivesAnImageOrAnError(name: String, file: [UInt8]) {
        let plausible: Set<Int?> = [nil, 413, 422]
        for offset in file.indices {
            for mask: UInt8 in [0xFF, 0x80, 0x01] {
                let error = failure(file.replacing(offset, with: file[offset] ^ mask))
                if offset < 2 {
                    #expect(error?.status == 415)
                } else {
                    #expect(plausible.contains(error?.status), "byte \(offset): \(String(describing: error))")
                }
            }
        }
    }

    /// A damaged optional chunk is dropped as a whole. The last two chunks may claim to be longer than the file.
    @Test(arguments: pngs)
    func aFlippedByteOfAPNGIsDetectedOrItsChunkIsIgnored(name: String, file: [UInt8]) throws {
        let whole = try decoded(file).image
        let optional = try ["eXIf", "tRNS"].compactMap { try chunk($0, of: file) }.first
        let without = try optional.map { try decoded(Array(file[..<$0.lowerBound] + file[$0.upperBound...])).image }
        let data = try #require(file.firstOffset(of: Array("IDAT".utf8)))
        let lengths = [data - 4..<data, file.count - 12..<file.count - 8]
        for offset in file.indices {
            for mask: UInt8 in [0xFF, 0x80, 0x01] {
                let damaged = file.replacing(offset, with: file[offset] ^ mask)
                if let error = failure(damaged) {
                    #expect(error.status == (offset < 4 ? 415 : 422), "byte \(offset): \(error)")
                } else if let optional, optional.contains(offset) {
                    #expect(try decoded(damaged).image == without, "byte \(offset)")
                } else {
                    #expect(lengths.contains { $0.contains(offset) }, "byte \(offset)")
                    #expect(try decoded(damaged).image == whole)
                }
            }
        }
    }

    /// Returns the range of a chunk, including its length and checksum.
    private func chunk(_ name: String, of file: [UInt8]) throws -> Range<Int>? {
        guard let type = file.firstOffset(of: Array(name.utf8)) else { return nil }
        return type - 4..<type + 8 + (Int(file[type - 2]) << 8 | Int(file[type - 1]))
    }

    @Test func manyFlippedBytesGiveAnImageOrAnErrorDeterministically() {
        var state: UInt64 = 7
        func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let decoder = ImageDecoder(limits: DecodeLimits(pixels: 1_000_000))
        for (_, file) in Self.jpegs + Self.pngs {
            for _ in 0..<300 {
                var damaged = file
                for _ in 0..<1 + next() % 8 {
                    damaged[2 + next() % (damaged.count - 2)] = UInt8(next() & 255)
                }
                let reduction = [1, 4, 8][next() % 3]
                let results = (0..<2).map { _ in
                    Result { () throws(DecodeError) in try decoder.decode(damaged) { _, _ in reduction }.image }
                }
                #expect(results[0] == results[1])
            }
        }
    }

    @Test func wellFormedChunksOfRandomContentGiveAnImageOrAnError() {
        var state: UInt64 = 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(next(256)) } }
        var images = 0
        for _ in 0..<4000 {
            let colour = TestImages.PNGColour.allCases[next(5)]
            let depth = next(8) == 0 ? next(20) : colour.depths[next(colour.depths.count)]
            var file = TestImages.pngSignature
            file += TestImages.pngHeader(
                width: 1 + next(12), height: 1 + next(12), colour: colour, depth: depth, isInterlaced: next(2) == 0)
            for _ in 0..<next(4) {
                let type = ["PLTE", "tRNS", "gAMA", "eXIf", "iCCP", "sBIT", "hIST", "bKGD", "IHDR", "IDAT"][next(10)]
                file += TestImages.chunk(type, bytes(type == "PLTE" ? 3 * next(300) : next(40)))
            }
            // Most filter types are valid, so that some rows can be decoded.
            let rows = bytes(1300).map { next(3) == 0 ? $0 : $0 & 3 }
            file += TestImages.imageData(TestImages.zlib(rows)) + TestImages.chunk("IEND", [])
            switch failure(file)?.status {
            case nil: images += 1
            case let status: #expect(status == 422)
            }
        }
        #expect(images > 50)
    }

    @Test func failedDecodesReleaseTheirMemory() throws {
        let jpeg = TestImages.jpeg(width: 500, height: 400)
        let progressive = TestImages.jpeg(width: 500, height: 400, scans: .progressive)
        let png = TestImages.png(width: 500, height: 400)
        let files = [jpeg, progressive, png].map { Array($0[..<($0.count * 9 / 10)]) }
        let picture = TestImages.pictureChunks(of: TestImages.webp(width: 500, height: 400))[0]
        let webp = TestImages.riff([TestImages.webpChunk("VP8 ", Array(picture[8..<picture.count / 2]))])
        let gif = TestImages.gif(width: 500, height: 400)
        // Most of the damage to their image data gives wrong pixels, not errors.
        let heif = ImageFormat.read.filter { $0 == .avif || $0 == .heic }.map { format in
            let file = imageFile(format, width: 500, height: 400)
            return file.replacing(file.count * 3 / 4, with: ~file[file.count * 3 / 4])
        }
        let corrupt = png.replacing(png.count - 40, with: png[png.count - 40] ^ 1)
        func decodeAll() {
            for file in files + [webp, Array(gif[..<(gif.count / 2)]), corrupt] { #expect(failure(file) != nil) }
            for file in heif { _ = failure(file) }
        }
        for _ in 0..<20 { decodeAll() }
        let before = try residentBytes()
        for _ in 0..<200 { decodeAll() }
        // If each call kept one image, that would be 480 MB.
        #expect(try residentBytes() - before < 100_000_000)
    }

    private func residentBytes() throws -> Int {
        let file = try #require(fopen("/proc/self/statm", "r"))
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        try #require(fgets(&line, 128, file) != nil)
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return try #require(fields.count > 1 ? Int(fields[1]) : nil) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

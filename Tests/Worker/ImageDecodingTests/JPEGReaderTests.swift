import ImageDecoding
import TestImages
import Testing

@Suite struct JPEGReaderTests {
    private let width = 90
    private let height = 61
    private var original: [UInt8] { Pattern.scene.pixels(width: width, height: height) }

    @Test(arguments: TestImages.JPEGColour.allCases, TestImages.JPEGScans.allCases)
    func everyColourSpaceIsReadInEveryKindOfScan(colour: TestImages.JPEGColour, scans: TestImages.JPEGScans) throws {
        let file = TestImages.jpeg(width: width, height: height, quality: 97, scans: scans, colour: colour)
        let image = try ImageDecoder(limits: DecodeLimits(scans: 300)).decode(file)
        #expect(image.format == .jpeg)
        #expect((image.width, image.height, image.reduction) == (width, height, 1))
        var expected = original
        if colour == .gray {
            for offset in stride(from: 0, to: expected.count, by: 3) {
                let (red, green, blue) = (Int(expected[offset]), Int(expected[offset + 1]), Int(expected[offset + 2]))
                let luma = UInt8((red * 299 + green * 587 + blue * 114) / 1000)
                expected.replaceSubrange(offset..<offset + 3, with: [luma, luma, luma])
            }
        }
        #expect(distance(image.image.pixels, expected) < 4)
    }

    @Test func theKindOfScanDoesNotAffectThePixels() throws {
        for subsampled in [false, true] {
            let plain = try decoded(TestImages.jpeg(width: width, height: height, subsampled: subsampled))
            let limits = DecodeLimits(scans: 300)
            for scans in TestImages.JPEGScans.allCases {
                for restartRows in [0, 1, 3] {
                    let file = TestImages.jpeg(
                        width: width, height: height, scans: scans, subsampled: subsampled, restartRows: restartRows)
                    #expect(try ImageDecoder(limits: limits).decode(file).image == plain.image)
                }
            }
        }
    }

    @Test func cmykIsReadCorrectlyWithAndWithoutTheAdobeMarker() throws {
        for colour in [TestImages.JPEGColour.cmyk, .adobeCMYK, .adobeYCCK] {
            let cyan = Pattern.plain(0, 255, 255)
            let file = TestImages.jpeg(width: 16, height: 16, quality: 100, colour: colour, pattern: cyan)
            let pixel = try decoded(file).image[8, 8]
            #expect(pixel[0] < 5 && pixel[1] > 250 && pixel[2] > 250, "\(colour): \(pixel)")
        }
    }

    @Test(arguments: [(1, 1), (1, 70), (65, 1), (7, 9), (8, 8), (17, 33)])
    func oddSizesAreRead(width: Int, height: Int) throws {
        for scans in [TestImages.JPEGScans.baseline, .progressive] {
            for reduction in [1, 2, 8] {
                let file = TestImages.jpeg(width: width, height: height, scans: scans, subsampled: true)
                let image = try decoded(file, reduction: reduction)
                #expect(image.reduction == reduction)
                #expect((image.width, image.height) == (width, height))
                #expect(image.image.width == (width + image.reduction - 1) / image.reduction)
                #expect(image.image.height == (height + image.reduction - 1) / image.reduction)
            }
        }
    }

    @Test func theReductionIsChosenByTheUprightSize() throws {
        // The image is stored on its side.
        let file = TestImages.jpeg(width: 400, height: 300, orientation: 6)
        var told: [Int] = []
        let image = try ImageDecoder().decode(file) { width, height in
            told = [width, height]
            return 4
        }
        #expect(told == [300, 400])
        #expect((image.width, image.height, image.reduction) == (300, 400, 4))
        #expect((image.image.width, image.image.height) == (75, 100))
    }

    @Test func aReducedImageAveragesTheFullImage() throws {
        let file = TestImages.jpeg(width: 160, height: 128, quality: 95)
        let full = try decoded(file).image
        for side in [2, 4, 8] {
            let reduced = try decoded(file, reduction: side).image
            var means: [UInt8] = []
            for y in 0..<reduced.height {
                for x in 0..<reduced.width {
                    for channel in 0..<3 {
                        var sum = 0
                        for v in 0..<side {
                            for u in 0..<side { sum += Int(full[x * side + u, y * side + v][channel]) }
                        }
                        means.append(UInt8(sum / (side * side)))
                    }
                }
            }
            #expect(distance(reduced.pixels, means) < 3)
        }
    }

    @Test func tooManyScansAreRefused() throws {
        let file = TestImages.jpeg(width: 40, height: 30, scans: .oneACoefficient)
        let error = try #require(failure(file))
        #expect(error.status == 413)
        #expect(error.code == "image_too_complex")
        #expect(error.message.contains("100"))
        #expect(failure(file, limits: DecodeLimits(scans: 190)) == nil)
        #expect(failure(file, limits: DecodeLimits(scans: 189))?.status == 413)
    }

    @Test func theCoefficientsOfAProgressiveImageCountTowardsTheMemoryLimit() {
        let limits = DecodeLimits(memory: 1_000_000)
        #expect(failure(TestImages.jpeg(width: 400, height: 300), limits: limits) == nil)
        let progressive = TestImages.jpeg(width: 400, height: 300, scans: .progressive)
        #expect(failure(progressive, limits: limits)?.code == "image_too_large")
        #expect(failure(progressive) == nil)
    }

    @Test func aSideOf65500PixelsIsRead() throws {
        let image = try decoded(TestImages.jpeg(width: 65_500, height: 2, pattern: .plain(9, 9, 9)))
        #expect(image.width == 65_500)
    }

    /// Returns the offset of the frame header's fields.
    private func frame(_ file: [UInt8]) throws -> Int {
        try #require(file.firstOffset(of: [0xFF, 0xC0])) + 4
    }

    @Test func aZeroSizedImageIsAnError() throws {
        let file = TestImages.jpeg(width: 40, height: 30)
        for offset in [1, 3] {
            let side = try frame(file) + offset
            let broken = file.replacing(side, with: 0).replacing(side + 1, with: 0)
            #expect(failure(broken)?.status == 422)
            #expect(failure(broken)?.code == "image_zero_sized")
        }
    }

    @Test func aSideTooLongForJPEGIsTooLarge() throws {
        let file = TestImages.jpeg(width: 40, height: 30)
        let long = file.replacing(try frame(file) + 1, with: 0xFF).replacing(try frame(file) + 2, with: 0xFF)
        #expect(failure(long)?.status == 413)
    }

    @Test func unsupportedKindsOfJPEGAreNamed() throws {
        let file = TestImages.jpeg(width: 40, height: 30)
        let twelveBits = file.replacing(try frame(file), with: 12)
        let lossless = file.replacing(try frame(file) - 3, with: 0xC3)
        let arithmetic = TestImages.jpeg(width: 40, height: 30, arithmetic: true)
        for file in [twelveBits, lossless, arithmetic] {
            let error = try #require(failure(file))
            #expect(error.status == 422)
            #expect(error.code == "image_unsupported")
        }
        #expect(failure(arithmetic)?.message.contains("Arithmetic") == true)
    }

    @Test func paddingBetweenSegmentsAndAroundTheEndIsTolerated() throws {
        let file = TestImages.jpeg(width: 40, height: 30)
        let plain = try decoded(file).image
        let beforeTheEnd = file.dropLast(2) + [0, 0, 0] + file.suffix(2)
        let betweenSegments = file[..<2] + [1, 2, 3] + file[2...]
        let behindTheEnd = file + [UInt8](repeating: 0xAB, count: 5000)
        for padded in [Array(beforeTheEnd), Array(betweenSegments), behindTheEnd] {
            #expect(try decoded(padded).image == plain)
        }
    }

    @Test func aHeightAfterTheFirstScanIsReportedAsUnsupported() throws {
        let file = TestImages.jpeg(width: 40, height: 30)
        let height = try frame(file) + 1
        let late = file.replacing(height + 1, with: 0).dropLast(2) + TestImages.segment(0xDC, [0, 30]) + [0xFF, 0xD9]
        let error = try #require(failure(Array(late)))
        #expect(error.status == 422 && error.code == "image_unsupported")
        #expect(error.message.contains("DNL"))
    }

    /// libjpeg-turbo's programs show such files too.
    @Test func surplusBytesBeforeAMarkerAreTolerated() throws {
        for subsampled in [false, true] {
            let file = TestImages.jpeg(width: 90, height: 61, subsampled: subsampled, restartRows: 1)
            let plain = try decoded(file).image
            let restarts = file.indices.dropLast().filter { file[$0] == 0xFF && 0xD0...0xD7 ~= file[$0 + 1] }
            try #require(restarts.count > 2)
            for surplus: [UInt8] in [[0], [0x55, 0xAA, 0], [UInt8](repeating: 7, count: 700)] {
                var padded = file
                for restart in restarts.reversed() { padded.insert(contentsOf: surplus, at: restart) }
                #expect(try decoded(padded).image == plain)
            }
            // A missing or repeated marker has moved pixels.
            #expect(failure(Array(file[..<restarts[1]] + file[(restarts[1] + 2)...]))?.status == 422)
        }
        let scans = TestImages.jpeg(width: 90, height: 61, scans: .progressive)
        let last = try #require(scans.indices.last { scans[$0...].starts(with: [0xFF, 0xDA]) })
        #expect(try decoded(scans[..<last] + [1, 2, 3] + scans[last...]).image == decoded(scans).image)
    }

    /// The sizes leave different parts of the last blocks unused.
    @Test(arguments: [(8, 8), (17, 33), (90, 61), (1, 1)])
    func aMissingEndMarkerIsTolerated(width: Int, height: Int) throws {
        for scans in [TestImages.JPEGScans.baseline, .progressive, .oneAComponent] {
            for restartRows in [0, 1] {
                let file = TestImages.jpeg(
                    width: width, height: height, scans: scans, subsampled: true, restartRows: restartRows)
                for reduction in [1, 8] {
                    let whole = try decoded(file, reduction: reduction).image
                    let comment = TestImages.segment(0xFE, [1, 2, 3, 4])
                    for ended in [file.dropLast(2), file.dropLast(), file.dropLast(2) + comment.dropLast(2)] {
                        #expect(try decoded(Array(ended), reduction: reduction).image == whole)
                    }
                }
            }
        }
    }

    /// Between two scans the file looks intact, but some bits of some coefficients are missing.
    @Test(arguments: [TestImages.JPEGScans.progressive, .oneACoefficient])
    func missingScansAreAnError(scans: TestImages.JPEGScans) throws {
        for colour in [TestImages.JPEGColour.ycbcr, .gray, .adobeYCCK] {
            let file = TestImages.jpeg(width: 40, height: 30, scans: scans, colour: colour)
            let starts = file.indices.filter { file[$0...].starts(with: [0xFF, 0xDA]) }
            let limits = DecodeLimits(scans: 300)
            #expect(failure(file, limits: limits) == nil)
            for start in [1, 2, starts.count / 2, starts.count - 1].map({ starts[$0] }) {
                for end: [UInt8] in [[0xFF, 0xD9], []] {
                    let error = failure(file[..<start] + end, limits: limits)
                    #expect(error?.code == "image_truncated", "\(String(describing: error))")
                }
            }
        }
    }

    @Test func aMissingColourComponentIsAnError() throws {
        let file = TestImages.jpeg(width: 40, height: 30, scans: .oneAComponent)
        let scans = file.indices.filter { $0 + 1 < file.count && file[$0] == 0xFF && file[$0 + 1] == 0xDA }
        try #require(scans.count == 3)
        let error = try #require(failure(file[..<scans[1]] + [0xFF, 0xD9]))
        #expect(error.code == "image_truncated")
    }

    @Test func theErrorOfATruncatedFileSaysHowManyBytesThereAre() throws {
        let comment = TestImages.segment(0xFE, [UInt8](repeating: 7, count: 998))
        let file = TestImages.insert(comment, into: TestImages.jpeg(width: 40, height: 30))
        let error = try #require(failure(Array(file[..<502])))
        #expect(error.message.contains("502 of at least 1004 bytes"))
        #expect(failure(Array(file.dropLast(40)))?.message.contains("after \(file.count - 40) bytes, at row") == true)
    }
}

import TestImages
import Testing

@testable import ImageDecoding

@Suite struct OrientationTests {
    /// Returns the stored position of the upright image's pixel (x, y). Each case has EXIF's own words: the visual side
    /// of the stored row 0, and that of the stored column 0.
    private static func source(_ x: Int, _ y: Int, _ orientation: Int, stored: (width: Int, height: Int)) -> (Int, Int)
    {
        let (right, bottom) = (stored.width - 1, stored.height - 1)
        return switch orientation {
        case 1: (x, y)  // row 0 top, column 0 left
        case 2: (right - x, y)  // top, right
        case 3: (right - x, bottom - y)  // bottom, right
        case 4: (x, bottom - y)  // bottom, left
        case 5: (y, x)  // row 0 left, column 0 top
        case 6: (y, bottom - x)  // right, top
        case 7: (right - y, bottom - x)  // right, bottom
        default: (right - y, x)  // left, bottom
        }
    }

    private static func turned(_ stored: RGBImage, _ orientation: Int) -> RGBImage {
        let (width, height) =
            orientation < 5 ? (stored.width, stored.height) : (stored.height, stored.width)
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let (u, v) = source(x, y, orientation, stored: (stored.width, stored.height))
                pixels += stored[u, v]
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    @Test(arguments: 1...8)
    func everyEXIFOrientationIsTurnedUpright(orientation: Int) throws {
        let (width, height) = (37, 22)
        for colour in [TestImages.JPEGColour.ycbcr, .adobeCMYK] {
            for reduction in [1, 4] {
                let plain = TestImages.jpeg(width: width, height: height, colour: colour)
                let stored = try decoded(plain, reduction: reduction)
                let file = TestImages.jpeg(width: width, height: height, colour: colour, orientation: orientation)
                let image = try decoded(file, reduction: reduction)
                #expect(image.image == Self.turned(stored.image, orientation))
                #expect((image.width, image.height) == (orientation < 5 ? (width, height) : (height, width)))
            }
        }
        for isInterlaced in [false, true] {
            let stored = try decoded(TestImages.png(width: width, height: height))
            let file = TestImages.png(
                width: width, height: height, isInterlaced: isInterlaced, orientation: orientation)
            #expect(try decoded(file).image == Self.turned(stored.image, orientation))
        }
    }

    @Test func anImageOfOrientation6IsTurnedClockwise() throws {
        // Such a phone stores the scene on its left side and declares orientation 6: turn it clockwise.
        let file = TestImages.jpeg(width: 32, height: 64, orientation: 6, pattern: .quadrants)
        let image = try decoded(file).image
        #expect((image.width, image.height) == (64, 32))
        #expect(image[2, 2][2] > 200 && image[2, 2][0] < 60)  // stored at the bottom left: blue
        #expect(image[60, 2][0] > 200 && image[60, 2][2] < 60)  // stored at the top left: red
    }

    @Test func exifIsReadInBothByteOrders() {
        for bigEndian in [true, false] {
            let block = TestImages.tiff(orientation: 8, bigEndian: bigEndian)
            #expect(block.withUnsafeBytes { Orientation(tiff: Bytes(buffer: $0)) } == .rotated270)
        }
    }

    @Test func invalidEXIFIsIgnored() throws {
        let sound = TestImages.tiff(orientation: 6)
        var blocks: [[UInt8]] = [[], Array("MM".utf8)]
        blocks += ["XX\0*", "MM\0+", "II\0*"].map { Array($0.utf8) + sound[4...] }
        blocks += (0..<sound.count).map { Array(sound[..<$0]) }.filter { $0.count < 30 }
        blocks += [0, 9, 255, 65_535].map { TestImages.tiff(orientation: $0) }
        for offset in [0, 1, 0x7FFF_FFFF, 0xFFFF_FFF0, 0xFFFF_FFFF] {  // offset of the directory
            blocks.append(sound[..<4] + [24, 16, 8, 0].map { UInt8(offset >> $0 & 255) } + sound[8...])
        }
        blocks.append(sound.replacing(9, with: 1))  // the directory ends before the tag
        blocks.append(sound.replacing(25, with: 2))  // a string
        blocks.append(sound.replacing(29, with: 2))  // two values
        let plain = try decoded(TestImages.jpeg(width: 12, height: 20)).image
        for block in blocks {
            let file = TestImages.insert(TestImages.exifSegment(block), into: TestImages.jpeg(width: 12, height: 20))
            #expect(try decoded(file).image == plain, "\(block)")
        }
    }

    @Test func anEXIFDirectoryMayClaimMoreEntriesThanItHas() throws {
        let block = TestImages.tiff(orientation: 6).replacing(8, with: 0xFF).replacing(9, with: 0xFF)
        let file = TestImages.insert(TestImages.exifSegment(block), into: TestImages.jpeg(width: 12, height: 20))
        #expect(try decoded(file).width == 20)
    }

    @Test func damagedEXIFNeverTraps() {
        var state: UInt64 = 42
        func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        let file = Array(TestImages.jpeg(width: 8, height: 8, orientation: 3)[..<120])
        for _ in 0..<20_000 {
            var damaged = file
            for _ in 0..<1 + next() % 6 { damaged[next() % damaged.count] = UInt8(next() & 255) }
            damaged.removeLast(next() % 60)
            _ = damaged.withUnsafeBytes { JPEGStructure(Bytes(buffer: $0), largestProfile: 1000).orientation }
            _ = damaged.withUnsafeBytes { Orientation(tiff: Bytes(buffer: $0).slice(12..<100)) }
        }
    }

    @Test func onlyTheFirstEXIFSegmentCounts() throws {
        let first = TestImages.exifSegment(TestImages.tiff(orientation: 1))
        let empty = TestImages.exifSegment([])
        let other = TestImages.segment(0xE1, Array("http://ns.adobe.com/xap/1.0/\0<x/>".utf8))
        for segments in [first, other + first, first + other, other + empty, first + first] {
            let file = TestImages.insert(segments, into: TestImages.jpeg(width: 12, height: 20, orientation: 6))
            #expect(try decoded(file).width == 12)
        }
        let file = TestImages.insert(other, into: TestImages.jpeg(width: 12, height: 20, orientation: 6))
        #expect(try decoded(file).width == 20)
    }

    @Test func anEXIFSegmentAfterTheFirstScanIsIgnored() throws {
        let segment = TestImages.exifSegment(TestImages.tiff(orientation: 6))
        for scans in [TestImages.JPEGScans.baseline, .oneAComponent, .progressive] {
            let plain = TestImages.jpeg(width: 12, height: 20, scans: scans)
            var files = [plain.dropLast(2) + segment + plain.suffix(2), plain + segment]
            if scans != .baseline {
                let last = try #require(plain.indices.last { plain[$0...].starts(with: [0xFF, 0xDA]) })
                files.append(plain[..<last] + segment + plain[last...])
            }
            for file in files { #expect(try decoded(Array(file)).image == decoded(plain).image) }
        }
    }

    /// Only an eXIf chunk before the image data counts, only the first one, and only with a correct checksum.
    @Test func onlyTheFirstIntactEXIFChunkBeforeTheDataOfAPNGCounts() throws {
        let pixels = Pattern.scene.pixels(width: 12, height: 20)
        func exif(_ orientation: Int, prefix: String = "", bigEndian: Bool = true) -> [UInt8] {
            TestImages.chunk(
                "eXIf", Array(prefix.utf8) + TestImages.tiff(orientation: orientation, bigEndian: bigEndian))
        }
        func file(_ before: [UInt8], behind: [UInt8] = []) -> [UInt8] {
            let plain = TestImages.png(width: 12, height: 20, pixels: pixels, chunks: before)
            return plain.dropLast(12) + behind + plain.suffix(12)
        }
        let turned = try decoded(file(exif(6))).image
        #expect(turned.width == 20)
        for bigEndian in [true, false] {
            #expect(try decoded(file(exif(6, prefix: "Exif\0\0", bigEndian: bigEndian))).image == turned)
        }
        #expect(try decoded(file(exif(6) + exif(3), behind: exif(8))).image == turned)
        let damaged = Array(exif(3).dropLast() + [exif(3).last! ^ 1])
        #expect(try decoded(file(damaged + exif(6))).image == turned)
        let unturned = [
            file([]), file([], behind: exif(6)), file(damaged), file(exif(1) + exif(6)),
            file(TestImages.chunk("eXIf", []) + exif(6)), file(exif(6, prefix: "Exif\0")),
            file(exif(6, prefix: "Exif\0\0Exif\0\0")), file([]) + exif(6),
        ]
        for file in unturned { #expect(try decoded(file).image.pixels == pixels) }
    }

    @Test func theOrderOfEXIFEntriesDoesNotMatter() throws {
        let sound = TestImages.tiff(orientation: 6)
        let exchanged = sound[..<10] + sound[22..<34] + sound[10..<22] + sound[34...]
        #expect(exchanged.withUnsafeBytes { Orientation(tiff: Bytes(buffer: $0)) } == .rotated90)
    }
}

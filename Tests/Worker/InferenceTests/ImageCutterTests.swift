import ImageDecoding
import TestImages
import Testing

@testable import Inference

@Suite struct ImageCutterTests {
    /// Crops of 8 × 8 pixels around faces, for which squares of at least 16 pixels are needed.
    private static let faces = CropGeometry(kind: .face(margin: 1.6), width: 8, height: 8)
    private static let centre = CropGeometry(kind: .centralSquare, width: 8, height: 8)

    /// Returns a cutter whose locator finds the given boxes.
    private static func cutter(_ boxes: [FaceBox]) -> ImageCutter {
        ImageCutter { _ in boxes.map { Face(box: $0, logit: 1, landmarks: []) } }
    }

    private static func cut(
        _ file: [UInt8], _ boxes: [FaceBox], as specifications: [CropGeometry] = [faces]
    ) throws -> LocatedImage {
        try file.withUnsafeBytes { try cutter(boxes).cut($0, as: specifications) }
    }

    /// Returns the crop of a square from the file decoded to 1/`reduction`.
    private static func crop(
        _ file: [UInt8], _ square: Framing.Square, reducedBy reduction: Int, as specification: CropGeometry = faces
    ) throws -> [UInt8] {
        let image = try ImageDecoder().decode(file) { _, _ in reduction }
        return ResamplerTests.resize(
            image.image, square.region(reducedBy: image.reduction), width: specification.width,
            height: specification.height)
    }

    /// A file that is decoded to a quarter of its size for finding faces.
    private static let file = TestImages.jpeg(width: 2600, height: 1800, quality: 80)

    @Test func aFaceThatIsLargeInTheFrameIsCutFromTheReducedImage() throws {
        let box = FaceBox(x: 900, y: 700, width: 40, height: 30)
        let cut = try Self.cut(Self.file, [box])
        #expect((cut.format, cut.width, cut.height, cut.facesFound) == (.jpeg, 2600, 1800, 1))
        #expect(cut.faces.map(\.box) == [box] && cut.faces.map(\.turn) == [.upright])
        let square = Framing.Square(around: box, margin: 1.6, width: 2600, height: 1800)
        #expect(
            try cut.crops == [
                .init(
                    squares: [.init(x: 888, y: 683, width: 64, height: 64)],
                    pixels: Self.crop(Self.file, square, reducedBy: 4))
            ])
    }

    @Test func aFaceThatIsSmallInTheFrameIsCutFromAFinerImage() throws {
        // Squares of 64, 32, 24 and 128 pixels. The first and last keep 16 pixels at a quarter of the size; the others
        // need half size and full size.
        let boxes = [40, 20, 15, 80].map { FaceBox(x: 900, y: 700, width: $0, height: $0) }
        let squares = boxes.map { Framing.Square(around: $0, margin: 1.6, width: 2600, height: 1800) }
        let two = try Self.cut(Self.file, Array(boxes[0...1])).crops[0].pixels
        #expect(
            try two == Self.crop(Self.file, squares[0], reducedBy: 4) + Self.crop(Self.file, squares[1], reducedBy: 2))
        // One finer image serves all crops that need one.
        let expected = try zip(squares, [4, 1, 1, 4]).flatMap { try Self.crop(Self.file, $0, reducedBy: $1) }
        #expect(try Self.cut(Self.file, boxes).crops[0].pixels == expected)
    }

    @Test func anImageWithoutAFaceGivesItsCentralSquare() throws {
        let cut = try Self.cut(Self.file, [])
        #expect(cut.faces.isEmpty && cut.facesFound == 0)
        #expect(cut.crops[0].squares == [FaceBox(x: 400, y: 0, width: 1800, height: 1800)])
        let square = Framing.Square.central(width: 2600, height: 1800)
        #expect(try cut.crops[0].pixels == Self.crop(Self.file, square, reducedBy: 4))
    }

    @Test func facesAreLocatedOnlyIfASpecificationNeedsThem() throws {
        let cutter = ImageCutter { _ throws(InferenceError) in
            Issue.record("nobody asked for faces")
            return []
        }
        for specifications in [[], [Self.centre], [Self.centre, Self.centre]] {
            let cut = try Self.file.withUnsafeBytes { try cutter.cut($0, as: specifications) }
            #expect(cut.faces.isEmpty && cut.facesFound == nil)
            #expect(cut.crops.count == specifications.count && cut.crops.allSatisfy { $0.pixels.count == 192 })
        }
    }

    @Test func everySpecificationGetsItsOwnCropsInTheRequestedOrder() throws {
        let boxes = [FaceBox(x: 900, y: 700, width: 300, height: 250), FaceBox(x: 80, y: 90, width: 100, height: 120)]
        let wide = CropGeometry(kind: .face(margin: 1.2), width: 12, height: 6)
        let specifications = [Self.centre, wide, Self.faces]
        let cut = try Self.cut(Self.file, boxes, as: specifications)
        #expect(cut.crops.map(\.squares.count) == [1, 2, 2] && cut.facesFound == 2)
        for (specification, crops) in zip(specifications, cut.crops) {
            #expect(crops.pixels.count == crops.squares.count * specification.byteCount)
            // All faces are large in the frame, so no crop depends on the other specifications.
            #expect(try [crops] == Self.cut(Self.file, boxes, as: [specification]).crops)
        }
    }

    @Test func oneFinerImageServesAllSpecifications() throws {
        // A square of 64 pixels. A crop of 8 pixels needs a quarter of the size, one of 12 half of it, one of 24 all of
        // it.
        let box = FaceBox(x: 900, y: 700, width: 40, height: 40)
        let square = Framing.Square(around: box, margin: 1.6, width: 2600, height: 1800)
        let specifications = [8, 12, 24].map { CropGeometry(kind: .face(margin: 1.6), width: $0, height: $0) }
        let cut = try Self.cut(Self.file, [box], as: specifications)
        for (index, reduction) in [4, 1, 1].enumerated() {
            let expected = try Self.crop(Self.file, square, reducedBy: reduction, as: specifications[index])
            #expect(cut.crops[index].pixels == expected)
        }
    }

    @Test func theSixteenLargestOfManyFacesAreCutAndAllAreCounted() throws {
        let boxes = (0..<40).map { FaceBox(x: 10 * $0, y: 5, width: 50 - $0, height: 50) }
        let cut = try Self.cut(TestImages.png(width: 500, height: 100), boxes)
        #expect(cut.faces.map(\.box) == Array(boxes.prefix(16)) && cut.crops[0].squares.count == 16)
        #expect(cut.facesFound == 40)
        #expect(cut.crops[0].pixels.count == 16 * 192)
    }

    @Test func aCentralSquareThatIsSmallInTheFrameIsCutFromTheFullImage() throws {
        let strip = TestImages.jpeg(width: 2600, height: 20, quality: 80)
        let square = Framing.Square.central(width: 2600, height: 20)
        #expect(try Self.cut(strip, []).crops[0].pixels == Self.crop(strip, square, reducedBy: 1))
    }

    @Test func facesOfAPNGAreCutAtFullSize() throws {
        let file = TestImages.png(width: 1300, height: 900)
        let box = FaceBox(x: 3, y: 5, width: 7, height: 9)
        let cut = try Self.cut(file, [box])
        #expect(cut.format == .png)
        let square = Framing.Square(around: box, margin: 1.6, width: 1300, height: 900)
        #expect(try cut.crops[0].pixels == Self.crop(file, square, reducedBy: 1))
    }

    @Test(arguments: [(1, 1), (20000, 10), (8, 8)])
    func imagesOfExtremeSizesHaveACentralSquare(width: Int, height: Int) throws {
        for file in [TestImages.jpeg(width: width, height: height), TestImages.png(width: width, height: height)] {
            let cut = try Self.cut(file, [])
            #expect((cut.width, cut.height) == (width, height))
            #expect(cut.crops[0].pixels.count == 192)
        }
    }

    @Test func anyBoxOfAnyImageGivesACrop() throws {
        var state: UInt64 = 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<50 {
            let (width, height) = (1 + next([3, 40, 1500][next(3)]), 1 + next([3, 40, 300][next(3)]))
            let boxes = (0..<(1 + next(16))).map { _ in
                let (x, y) = (next(width), next(height))
                return FaceBox(x: x, y: y, width: 1 + next(width - x), height: 1 + next(height - y))
            }
            let cut = try Self.cut(TestImages.jpeg(width: width, height: height), boxes)
            #expect(cut.faces.map(\.box) == boxes)
            #expect(cut.crops[0].pixels.count == 192 * boxes.count)
        }
    }

    @Test func aTruncatedFileIsAnError() throws {
        #expect(throws: DecodeError.self) { try Self.cut(Self.file.dropLast(500), []) }
    }

    @Test func anErrorOfTheLocatorFailsTheFile() throws {
        let cutter = ImageCutter { _ throws(InferenceError) in throw InferenceError(.engineFailed, "no more") }
        #expect(throws: InferenceError.self) {
            try Self.file.withUnsafeBytes { try cutter.cut($0, as: [Self.faces]) }
        }
    }

    @Test func aManifestDefinesTheCropsOfItsModel() throws {
        let input = ModelFolder.input(width: "12", height: "10")
        let crop = #"{"kind": "face", "margin": 1.7}"#
        let faces = try ModelFolder("logit", ["input": input, "crop": crop]).manifest().cropGeometry
        #expect(faces == CropGeometry(kind: .face(margin: 1.7), width: 12, height: 10) && faces.byteCount == 360)
        #expect(try ModelFolder().manifest().cropGeometry == Self.centre)
    }

    @Test func decodersMayScaleASquareDownToTwiceTheCropsLongerSide() throws {
        let specification = CropGeometry(kind: .centralSquare, width: 6, height: 10)
        for (side, reduction) in [(5, 1), (20, 1), (39.9, 1), (40, 2), (79, 2), (80, 4), (160, 8), (9999, 8)] {
            #expect(specification.reduction(for: Framing.Square(x: 0, y: 0, side: side)) == reduction)
        }
    }
}

import ImageDecoding
import TestImages
import Testing

@testable import Inference

@Suite struct PictureReaderTests {
    /// A reader for an input of 8 × 8 pixels, which wants squares of 16, and the faces that it is told.
    private static func reader(_ boxes: [FaceBox]) throws -> PictureReader {
        let manifest = try ModelFolder("logit", ["crop": #"{"kind": "face", "margin": 1.6}"#]).manifest()
        return PictureReader(manifest: manifest) { _ in boxes.map { Face(box: $0, logit: 1, landmarks: []) } }
    }

    private static func read(_ file: [UInt8], by reader: PictureReader) throws -> (PictureReader.Reading, [Float]) {
        var tensors: [Float] = []
        let reading = try file.withUnsafeBytes { try reader.read($0, appendingTo: &tensors) }
        return (reading, tensors)
    }

    /// The tensor of a square as it is in the file decoded to 1/`reduction`.
    private static func tensor(_ file: [UInt8], _ square: Framing.Square, reducedBy reduction: Int) throws -> [Float] {
        let picture = try ImageDecoder().decode(file) { _, _ in reduction }
        var tensor: [Float] = []
        Preprocessor(manifest: try ModelFolder().manifest())
            .append(picture.image, region: square.region(reducedBy: picture.reduction), to: &tensor)
        return tensor
    }

    /// Faces are looked for in a quarter of its size.
    private static let file = TestImages.jpeg(width: 2600, height: 1800, quality: 80)

    @Test func aFaceThatIsLargeInTheFrameIsCutFromTheReducedPicture() throws {
        let box = FaceBox(x: 900, y: 700, width: 40, height: 30)
        let (reading, tensors) = try Self.read(Self.file, by: Self.reader([box]))
        #expect(
            reading
                == .init(
                    format: .jpeg, width: 2600, height: 1800, boxes: [box],
                    squares: [.init(x: 888, y: 683, width: 64, height: 64)], turns: [.upright], facesFound: 1))
        let square = Framing.Square(around: box, margin: 1.6, width: 2600, height: 1800)
        #expect(try tensors == Self.tensor(Self.file, square, reducedBy: 4))
    }

    @Test func aFaceThatIsSmallInTheFrameIsCutFromAFinerOne() throws {
        // Squares of 64, 32, 24 and 128 pixels: the first and the last keep 16 at a quarter, the others need a half and all.
        let boxes = [40, 20, 15, 80].map { FaceBox(x: 900, y: 700, width: $0, height: $0) }
        let squares = boxes.map { Framing.Square(around: $0, margin: 1.6, width: 2600, height: 1800) }
        let (_, two) = try Self.read(Self.file, by: Self.reader(Array(boxes[0...1])))
        #expect(
            try two == Self.tensor(Self.file, squares[0], reducedBy: 4)
                + Self.tensor(Self.file, squares[1], reducedBy: 2))
        let (_, four) = try Self.read(Self.file, by: Self.reader(boxes))
        // One finer picture serves all that need one.
        let reductions = [4, 1, 1, 4]
        let expected = try zip(squares, reductions).flatMap { try Self.tensor(Self.file, $0, reducedBy: $1) }
        #expect(four == expected)
    }

    @Test func withoutAFaceTheCentralSquareIsLookedAt() throws {
        let (reading, tensors) = try Self.read(Self.file, by: Self.reader([]))
        #expect(reading.boxes == [nil] && reading.facesFound == 0)
        #expect(try tensors == Self.tensor(Self.file, .central(width: 2600, height: 1800), reducedBy: 4))
    }

    @Test func aModelOfWholePicturesLooksForNoFaces() throws {
        let reader = PictureReader(manifest: try ModelFolder("logit").manifest(), locate: nil)
        let (reading, _) = try Self.read(Self.file, by: reader)
        #expect(reading.boxes == [nil] && reading.facesFound == nil)
    }

    @Test func ofManyFacesTheSixteenLargestAreScoredAndAllAreCounted() throws {
        let boxes = (0..<40).map { FaceBox(x: 10 * $0, y: 5, width: 50 - $0, height: 50) }
        let (reading, tensors) = try Self.read(TestImages.png(width: 500, height: 100), by: Self.reader(boxes))
        #expect(reading.boxes == Array(boxes.prefix(16)) && reading.squares.count == 16)
        #expect(reading.facesFound == 40)
        #expect(tensors.count == 16 * 192)
    }

    @Test func aCentralSquareThatIsSmallInTheFrameIsCutFromTheFullPicture() throws {
        let strip = TestImages.jpeg(width: 2600, height: 20, quality: 80)
        let (_, tensors) = try Self.read(strip, by: Self.reader([]))
        #expect(try tensors == Self.tensor(strip, .central(width: 2600, height: 20), reducedBy: 1))
    }

    @Test func facesOfAPNGAreCutFromItsOnlySize() throws {
        let file = TestImages.png(width: 1300, height: 900)
        let box = FaceBox(x: 3, y: 5, width: 7, height: 9)
        let (reading, tensors) = try Self.read(file, by: Self.reader([box]))
        #expect(reading.format == .png)
        let square = Framing.Square(around: box, margin: 1.6, width: 1300, height: 900)
        #expect(try tensors == Self.tensor(file, square, reducedBy: 1))
    }

    @Test(arguments: [(1, 1), (20000, 10), (8, 8)])
    func oddSizesHaveACentralSquare(width: Int, height: Int) throws {
        for file in [TestImages.jpeg(width: width, height: height), TestImages.png(width: width, height: height)] {
            let (reading, tensors) = try Self.read(file, by: Self.reader([]))
            #expect((reading.width, reading.height) == (width, height))
            #expect(tensors.count == 192 && tensors.allSatisfy { (0...1).contains($0) })
        }
    }

    @Test func anyBoxOfAnyPictureGivesATensor() throws {
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
            let (reading, tensors) = try Self.read(
                TestImages.jpeg(width: width, height: height), by: Self.reader(boxes))
            #expect(reading.boxes == boxes)
            #expect(tensors.count == 192 * boxes.count && tensors.allSatisfy { (0...1).contains($0) })
        }
    }

    @Test func aFileThatCannotBeReadLeavesTheBatchAsItWas() throws {
        var tensors: [Float] = [1, 2, 3]
        let reader = try Self.reader([])
        #expect(throws: DecodeError.self) {
            try Self.file.dropLast(500).withUnsafeBytes { _ = try reader.read($0, appendingTo: &tensors) }
        }
        #expect(tensors == [1, 2, 3])
    }

    @Test func anErrorOfTheLocatorIsTheFiles() throws {
        let manifest = try ModelFolder("logit", ["crop": #"{"kind": "face", "margin": 1.6}"#]).manifest()
        let reader = PictureReader(manifest: manifest) { _ throws(InferenceError) in
            throw InferenceError(.engineFailed, "no more")
        }
        #expect(throws: InferenceError.self) { try Self.read(Self.file, by: reader) }
    }
}

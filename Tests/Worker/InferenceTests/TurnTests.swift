import Glibc
import Hashing
import ImageDecoding
import TestImages
import Testing

@testable import Inference

/// Tests how a face's turn is computed and how it is cut out upright. `Models/training/tests/test_turning.py` has the
/// same cases.
@Suite struct TurnTests {
    private static let layout: [(Double, Double)] = [(-18, -20), (18, -20), (0, 0), (-15, 20), (15, 20)]

    /// Returns an upright face's landmarks, turned clockwise.
    private static func landmarks(_ degrees: Double) -> [Face.Point] {
        let angle = degrees * .pi / 180
        return layout.map { x, y in
            Face.Point(
                x: 70 + 1.3 * (x * cos(angle) - y * sin(angle)), y: 50 + 1.3 * (x * sin(angle) + y * cos(angle)))
        }
    }

    @Test(arguments: -179...180) func everyAngleIsComputedFromTheLandmarks(degrees: Int) {
        let turn = Turn(landmarks: Self.landmarks(Double(degrees)))
        let nearest = Int((Double(degrees) / 90).rounded())
        if abs(degrees - 90 * nearest) <= 26 {
            #expect(turn.wholeQuarters == (nearest + 4) % 4)
            #expect(turn.degrees == (abs(nearest) == 2 ? 180 : Double(90 * nearest)))
            #expect((turn == .upright) == (nearest == 0))
        } else {
            #expect(turn.wholeQuarters == nil && turn.degrees == Double(degrees))
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e200]) func nonFiniteLandmarksGiveNoTurn(
        value: Double
    ) {
        for place in 0..<10 {
            var points = Self.landmarks(50)
            if place % 2 == 0 { points[place / 2].x = value } else { points[place / 2].y = value }
            #expect(Turn(landmarks: points) == .upright)
        }
    }

    @Test func landmarksThatFormNoFaceGiveNoTurn() {
        let points = Self.landmarks(50)
        for landmarks in [
            [], Array(points.dropLast()), Array(repeating: Face.Point(x: 0, y: 0), count: 5),
            Array(repeating: Face.Point(x: 3.7, y: 3.7), count: 5), points.map { Face.Point(x: -$0.x, y: $0.y) },
            [0, 3, 2, 1, 4].map { points[$0] },
        ] {
            #expect(Turn(landmarks: landmarks) == .upright)
        }
    }

    @Test func aTurnedFacesSquareIsAsLargeAsAnUprightFaces() {
        for degrees in stride(from: 0.0, to: 180, by: 5) {
            let angle = degrees * .pi / 180
            let width = 2 * hypot(30 * cos(angle), 40 * sin(angle))
            let height = 2 * hypot(30 * sin(angle), 40 * cos(angle))
            let box = FaceBox(
                x: Int((200 - width / 2).rounded()), y: Int((200 - height / 2).rounded()), width: Int(width.rounded()),
                height: Int(height.rounded()))
            let turn = Turn(landmarks: Self.landmarks(degrees))
            let square = Framing.Square(around: box, turn: turn, margin: 1.6, width: 400, height: 400)
            #expect((0.9 * 128...129.6).contains(square.side))
            #expect(abs(square.x + square.side / 2 - 200) < 0.6 && abs(square.y + square.side / 2 - 200) < 0.6)
        }
    }

    /// Returns an image of pseudo-random bytes that are easy to reproduce in any language.
    private static func noise(width: Int, height: Int) -> RGBImage {
        var state: UInt32 = 7
        let pixels = (0..<width * height * 3).map { _ in
            state = (state &* 1_103_515_245 &+ 12345) & 0x7FFF_FFFF
            return UInt8(truncatingIfNeeded: state >> 16)
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// Python's digests for turned squares: smaller than the cut, larger, so large that block means are used first,
    /// beyond the border, and in a reduced image.
    private typealias Cut = (
        turn: (Double, Double), square: (Double, Double, Double), reduction: Int, side: Int, digest: String
    )
    private static let cuts: [Cut] = [
        ((0.8, 0.6), (20.5, 10.25, 13), 1, 24, "e4bcc85c"), ((-0.6, 0.8), (20, 10, 60), 1, 24, "536299f4"),
        ((0.6, -0.8), (3, 1, 130.7), 1, 24, "f640d387"), ((-0.8, -0.6), (0, 0, 140), 1, 16, "404ea685"),
        ((0.28, 0.96), (100, 40, 300), 4, 24, "583d4a5a"), ((0.8, 0.6), (0, 0, 1), 1, 8, "3927594b"),
        ((0.96, 0.28), (150, 139, 1), 1, 8, "d190aa01"), ((0, 1), (11, 12, 100), 1, 32, "5ac63d09"),
    ]

    @Test(arguments: cuts.indices) func turnedCropsEqualThoseOfTrainingByteForByte(index: Int) {
        let (turn, square, reduction, side, digest) = Self.cuts[index]
        let cut = TurnedSampler.cut(
            Self.noise(width: 151, height: 140), reducedBy: reduction,
            square: .init(x: square.0, y: square.1, side: square.2), turn: Turn(cosine: turn.0, sine: turn.1),
            side: side)
        #expect(SHA256.hexDigest(of: cut.pixels).prefix(8) == digest)
    }

    @Test func quarterTurnsOnlyMovePixels() {
        let image = Self.noise(width: 5, height: 3)
        func turned(_ image: RGBImage, _ quarters: Int) -> RGBImage {
            let sides = quarters % 2 == 1 ? (image.height, image.width) : (image.width, image.height)
            var pixels = [UInt8](repeating: 0, count: image.pixels.count)
            pixels.withUnsafeMutableBufferPointer {
                if let target = $0.baseAddress { image.turned(againstTheClock: quarters, into: target) }
            }
            return RGBImage(width: sides.0, height: sides.1, pixels: pixels)
        }
        func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [UInt8] {
            Array(image.pixels[(y * image.width + x) * 3..<(y * image.width + x) * 3 + 3])
        }
        let quarter = turned(image, 1)
        // The top right pixel of the image becomes the top left one.
        #expect(pixel(quarter, 0, 0) == pixel(image, 4, 0) && pixel(quarter, 2, 4) == pixel(image, 0, 2))
        #expect(pixel(quarter, 0, 1) == pixel(image, 3, 0))
        #expect(turned(image, 2) == turned(quarter, 1))
        #expect(turned(turned(image, 3), 1) == image)
        #expect(turned(image, 0) == image)
    }

    @Test(arguments: [(4, 4), (6, 3), (3, 6)]) func everyTurnFillsTheWholeCrop(width: Int, height: Int) throws {
        let specification = CropGeometry(kind: .face(margin: 1), width: width, height: height)
        let image = try ImageDecoder().decode(TestImages.png(width: 40, height: 30, pattern: .plain(51, 51, 51)))
        for degrees in stride(from: -180.0, through: 180, by: 15) {
            var crop = [UInt8](repeating: 0, count: specification.byteCount)
            let turn = Turn(landmarks: Self.landmarks(degrees))
            let square = Framing.Square(x: 5, y: 4, side: 20)
            crop.withUnsafeMutableBufferPointer {
                guard let target = $0.baseAddress else { return }
                Cropper.crop(image, square: square, turn: turn, as: specification, into: target)
            }
            #expect(crop == Array(repeating: 51, count: 3 * width * height))
        }
    }
}

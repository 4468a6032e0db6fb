import ImageDecoding
import Testing

@testable import Inference

@Suite struct PreprocessorTests {
    private func tensor(
        _ image: RGBImage, layout: Manifest.Layout = .nchw, colour: Manifest.Colour = .rgb, width: Int = 2,
        height: Int = 2
    ) -> [Float] {
        let preprocessor = Preprocessor(
            input: Manifest.Input(
                name: nil, width: width, height: height, layout: layout, colour: colour, mean: [0, 0.5, 1],
                std: [1, 0.5, 0.25]))
        return [Float](unsafeUninitializedCapacity: preprocessor.elementCount) { buffer, count in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<preprocessor.elementCount])
            preprocessor.writeCentralSquare(image, into: target)
            count = target.count
        }
    }

    /// Four pixels, so that layout and order of channels show.
    private let image = RGBImage(
        width: 2, height: 2, pixels: [255, 0, 51, 0, 255, 51, 0, 0, 255, 255, 255, 255])

    @Test func planesHoldOneChannelEach() {
        #expect(tensor(image) == [1, 0, 0, 1, -1, 1, -1, 1, -3.2, -3.2, 0, 0])
    }

    @Test func channelsLastKeepsPixelsTogether() {
        #expect(tensor(image, layout: .nhwc) == [1, -1, -3.2, 0, 1, -3.2, 0, -1, 0, 1, 1, 0])
    }

    @Test func meanAndDeviationFollowTheTensorsOwnOrderOfChannels() {
        #expect(tensor(image, colour: .bgr) == [0.2, 0.2, 1, 1, -1, 1, -1, 1, 0, -4, -4, 0])
    }

    @Test func theSidesOfTheSquareAreLeftOut() {
        // A red bar, a gray square, a blue bar.
        let wide = RGBImage(
            width: 4, height: 2,
            pixels: [
                255, 0, 0, 128, 128, 128, 128, 128, 128, 0, 0, 255, 255, 0, 0, 128, 128, 128, 128, 128, 128, 0, 0, 255,
            ])
        let gray = RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 128, count: 12))
        #expect(tensor(wide) == tensor(gray))
    }

    @Test func aSinglePixelFillsTheInput() {
        let dot = RGBImage(width: 1, height: 1, pixels: [255, 255, 255])
        #expect(tensor(dot, width: 3, height: 1) == [1, 1, 1, 1, 1, 1, 0, 0, 0])
    }

    @Test func aWholePictureStandsAtTheTopLeftAndTheRestIsZero() {
        let input = Manifest.Input(
            name: nil, width: 4, height: 4, layout: .nchw, colour: .rgb, mean: [0, 0, 0], std: [1, 1, 1])
        let preprocessor = Preprocessor(input: input)
        // What was there before must not stay.
        var tensor = [Float](repeating: 7, count: preprocessor.elementCount)
        tensor.withUnsafeMutableBufferPointer {
            preprocessor.writeWhole(solid(255, 51, 255, width: 8, height: 3), into: $0)
        }
        // 8 × 3 becomes 4 × 2, half a pixel rounded up.
        let rows: (Float) -> [Float] = { Array(repeating: $0, count: 8) + Array(repeating: 0, count: 8) }
        #expect(tensor == rows(1) + rows(0.2) + rows(1))
    }

    @Test func decodersMayScaleASquareDownToTwiceTheInputsLongerSide() throws {
        let input = ModelFolder.input(width: "6", height: "10")
        let preprocessor = Preprocessor(manifest: try ModelFolder("logit", ["input": input]).manifest())
        for (side, reduction) in [(5, 1), (20, 1), (39.9, 1), (40, 2), (79, 2), (80, 4), (160, 8), (9999, 8)] {
            #expect(preprocessor.reduction(for: Framing.Square(x: 0, y: 0, side: side)) == reduction)
        }
    }
}

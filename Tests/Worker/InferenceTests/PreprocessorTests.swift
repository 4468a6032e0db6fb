import ImageDecoding
import Testing

@testable import Inference

@Suite struct PreprocessorTests {
    private func tensor(
        _ crops: [UInt8], layout: Manifest.Layout = .nchw, colour: Manifest.Colour = .rgb, width: Int = 2,
        height: Int = 2
    ) -> [Float] {
        let preprocessor = Preprocessor(
            input: Manifest.Input(
                name: nil, width: width, height: height, layout: layout, colour: colour, mean: [0, 0.5, 1],
                std: [1, 0.5, 0.25]))
        return [Float](unsafeUninitializedCapacity: crops.count) { buffer, count in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<crops.count])
            crops.withUnsafeBytes { preprocessor.write(crops: $0, into: target) }
            count = target.count
        }
    }

    /// Four different pixels, which reveal the layout and the order of channels.
    private let image: [UInt8] = [255, 0, 51, 0, 255, 51, 0, 0, 255, 255, 255, 255]

    @Test func planesHoldOneChannelEach() {
        #expect(tensor(image) == [1, 0, 0, 1, -1, 1, -1, 1, -3.2, -3.2, 0, 0])
    }

    @Test func channelsLastKeepsPixelsTogether() {
        #expect(tensor(image, layout: .nhwc) == [1, -1, -3.2, 0, 1, -3.2, 0, -1, 0, 1, 1, 0])
    }

    @Test func meanAndDeviationApplyInTheTensorsOrderOfChannels() {
        #expect(tensor(image, colour: .bgr) == [0.2, 0.2, 1, 1, -1, 1, -1, 1, 0, -4, -4, 0])
    }

    @Test func cropsAreWrittenOneAfterAnother() {
        #expect(tensor(image + image.reversed()) == tensor(image) + tensor(image.reversed()))
        #expect(tensor([]) == [])
    }

    @Test func cropsNeedNotBeSquare() {
        let bar: [UInt8] = [255, 255, 255, 51, 51, 51, 0, 0, 0]
        let planes: [Float] = [1, 0.2, 0, 1, -0.6, -1, 0, -3.2, -4]
        #expect(tensor(bar, width: 3, height: 1) == planes && tensor(bar, width: 1, height: 3) == planes)
    }

    @Test func theCentralSquareOmitsTheRestOfTheImage() {
        // A red bar, a gray square, a blue bar.
        let wide = RGBImage(
            width: 4, height: 2,
            pixels: [
                255, 0, 0, 128, 128, 128, 128, 128, 128, 0, 0, 255, 255, 0, 0, 128, 128, 128, 128, 128, 128, 0, 0, 255,
            ])
        #expect(Cropper.centralSquare(wide, width: 2, height: 2) == [UInt8](repeating: 128, count: 12))
    }

    @Test func aSinglePixelFillsTheInput() {
        let dot = RGBImage(width: 1, height: 1, pixels: [255, 51, 0])
        #expect(Cropper.centralSquare(dot, width: 3, height: 1) == [255, 51, 0, 255, 51, 0, 255, 51, 0])
    }

    @Test func aWholeImageIsWrittenAtTheTopLeftAndTheRestIsZero() {
        let input = Manifest.Input(
            name: nil, width: 4, height: 4, layout: .nchw, colour: .rgb, mean: [0, 0, 0], std: [1, 1, 1])
        let preprocessor = Preprocessor(input: input)
        // Old values must be overwritten.
        var tensor = [Float](repeating: 7, count: preprocessor.elementCount)
        tensor.withUnsafeMutableBufferPointer {
            preprocessor.writeWhole(solid(255, 51, 255, width: 8, height: 3), into: $0)
        }
        // 8 × 3 becomes 4 × 2, because half a pixel is rounded up.
        let rows: (Float) -> [Float] = { Array(repeating: $0, count: 8) + Array(repeating: 0, count: 8) }
        #expect(tensor == rows(1) + rows(0.2) + rows(1))
    }
}

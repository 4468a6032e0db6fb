import Testing

@testable import Inference

@Suite struct FramingTests {
    @Test(arguments: [
        (1, 1, 1), (639, 640, 1), (1279, 10, 1), (1280, 10, 2), (10, 1280, 2), (2561, 3, 4), (4000, 3000, 4),
        (5119, 1, 4), (5120, 1, 8), (20000, 10, 8),
    ])
    func facesAreLocatedAtNoLessThan640PixelsOnTheLongerSide(width: Int, height: Int, reduction: Int) {
        #expect(Framing.locatingReduction(width: width, height: height) == reduction)
    }

    @Test(arguments: [
        (320, 320, 320, 320), (640, 480, 320, 240), (3, 2, 320, 213), (20000, 10, 320, 1), (1, 1, 320, 320),
    ])
    func anImageIsFittedIntoTheInputByItsLongerSide(width: Int, height: Int, fittedWidth: Int, fittedHeight: Int) {
        #expect(Framing.fitted(width: width, height: height, side: 320) == (fittedWidth, fittedHeight))
    }

    private func square(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Framing.Square {
        Framing.Square(
            around: FaceBox(x: x, y: y, width: width, height: height), margin: 1.5, width: 100, height: 60)
    }

    @Test func aFacesSquareIsCentredOnItsBox() {
        #expect(square(40, 20, 10, 20) == Framing.Square(x: 30, y: 15, side: 30))
        #expect(square(41, 20, 21, 20) == Framing.Square(x: 35.75, y: 14.25, side: 31.5))
    }

    @Test func aSquareBeyondTheImageIsMovedInside() {
        #expect(square(0, 0, 10, 10) == Framing.Square(x: 0, y: 0, side: 15))
        #expect(square(92, 50, 8, 10) == Framing.Square(x: 85, y: 45, side: 15))
    }

    @Test func aSquareIsNeverLargerThanTheShorterSide() {
        #expect(square(30, 5, 40, 50) == Framing.Square(x: 20, y: 0, side: 60))
        #expect(square(0, 0, 100, 60) == Framing.Square(x: 20, y: 0, side: 60))
    }

    @Test func theCentralSquareMayBeginOnHalfAPixel() {
        #expect(Framing.Square.central(width: 101, height: 60) == Framing.Square(x: 20.5, y: 0, side: 60))
        #expect(Framing.Square.central(width: 4, height: 8) == Framing.Square(x: 0, y: 2, side: 4))
    }

    @Test func aRegionOfAReducedImageCoversTheSamePlace() {
        let region = Framing.Square(x: 35.75, y: 14.25, side: 31.5).region(reducedBy: 4)
        #expect(region == Region(x0: 8.9375, y0: 3.5625, x1: 16.8125, y1: 11.4375))
    }
}

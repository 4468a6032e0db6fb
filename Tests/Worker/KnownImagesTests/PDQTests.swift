import ImageDecoding
import TestKit
import Testing

@testable import KnownImages

/// The hash itself is compared with another program's in ``OracleTests``.
struct PDQTests {
    /// Returns an image of 16 × 16 blocks whose grey values are random.
    private func blocks(side: Int, seed: UInt64 = 1) -> RGBImage {
        var random = SeededGenerator(seed: seed)
        let values = (0..<256).map { _ in UInt8.random(in: 0...255, using: &random) }
        return RGBImage(width: side, height: side) { x, y in values[y * 16 / side * 16 + x * 16 / side] }
    }

    @Test func aPlainImageHasNoQuality() {
        let pdq = PDQ(of: RGBImage(width: 200, height: 100) { _, _ in 117 })
        #expect(pdq.quality == 0)
        #expect(!pdq.isReliable)
    }

    @Test func blocksHaveTheBestQuality() {
        let pdq = PDQ(of: blocks(side: 96))
        #expect(pdq.quality == 100)
        #expect(pdq.isReliable)
        // Half of the frequencies are above the median.
        #expect(pdq.hash.distance(to: Bits256(words: .zero)) == 128)
    }

    @Test func qualityOfFiftyIsTheFirstThatMatches() {
        #expect(PDQ(hash: Bits256(1), quality: 50).isReliable)
        #expect(!PDQ(hash: Bits256(1), quality: 49).isReliable)
    }

    @Test(arguments: [(4, 4), (4, 400), (400, 4), (1, 1)])
    func anImageWithASideUnderFivePixelsHasNoHash(width: Int, height: Int) {
        let pdq = PDQ(of: RGBImage(width: width, height: height) { x, y in UInt8((x * 31 + y * 57) & 255) })
        #expect(pdq == PDQ(hash: Bits256(words: .zero), quality: 0))
    }

    @Test(arguments: [(5, 5), (5, 640), (640, 5), (64, 64), (63, 129), (1000, 7)])
    func anyOtherSizeHasOne(width: Int, height: Int) {
        let pdq = PDQ(of: RGBImage(width: width, height: height) { x, y in UInt8((x * 131 + y * 57) & 255) })
        #expect(pdq.hash != Bits256(words: .zero))
        #expect((0...100).contains(pdq.quality))
    }

    @Test func theSameImageIsNearAndAnotherIsFar() {
        let pdq = PDQ(of: blocks(side: 256))
        #expect(pdq.hash.distance(to: PDQ(of: blocks(side: 128)).hash) <= HashIndex.maxDistance)
        let darker = RGBImage(width: 256, height: 256, pixels: blocks(side: 256).pixels.map { $0 / 2 })
        #expect(pdq.hash.distance(to: PDQ(of: darker).hash) <= 10)
        #expect(pdq.hash.distance(to: PDQ(of: blocks(side: 256, seed: 2)).hash) > 60)
    }

    @Test func aLargeImageMayBeDecodedSmaller() {
        #expect(PDQ.reduction(width: 1023, height: 4000) == 1)
        #expect(PDQ.reduction(width: 1024, height: 1024) == 2)
        #expect(PDQ.reduction(width: 4000, height: 3000) == 4)
        #expect(PDQ.reduction(width: 4096, height: 9000) == 8)
        #expect(PDQ.reduction(width: 1, height: 1) == 1)
    }
}

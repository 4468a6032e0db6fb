import ImageDecoding
import Testing

@testable import Inference

struct EvidenceTests {
    private static let raw = Manifest.Calibration(scale: 1, bias: 0)

    private func evidence(
        _ cells: [Float], logit: Float, _ calibration: Manifest.Calibration = raw, at index: Int = 0
    ) -> [UInt8]? {
        Evidence(
            of: index, in: Network.Answer(values: [], cells: cells, mapSize: (width: 2, height: 1)), logit, calibration)?
            .cells
    }

    @Test func theStrongestCellForTheLogitsSignIs255() {
        #expect(evidence([1, 4], logit: 2.5) == [64, 255])
        #expect(evidence([-8, -2], logit: -5) == [255, 64])
    }

    @Test func cellsOfTheOppositeSignAreZero() {
        #expect(evidence([-3, 5], logit: 1) == [0, 255])
        #expect(evidence([-3, 5], logit: -0.1) == [255, 0])
    }

    @Test func calibrationAppliesToTheCellsAsToTheLogit() {
        #expect(evidence([0, 1], logit: 2, Manifest.Calibration(scale: 2, bias: 1)) == [85, 255])
    }

    @Test func nonFiniteCellsAreZero() {
        #expect(evidence([.nan, 5], logit: 1) == [0, 255])
        #expect(evidence([.infinity, 5], logit: 1) == [0, 0])
        #expect(evidence([0, 0], logit: 1) == [0, 0])
    }

    @Test func eachImageOfABatchHasItsOwnEvidence() {
        #expect(evidence([1, 2, 4, 3], logit: 1, at: 1) == [255, 191])
    }

    @Test func anAnswerWithoutAMapGivesNoEvidence() {
        #expect(Evidence(of: 0, in: Network.Answer(values: [1]), 1, Self.raw) == nil)
    }

    @Test func theEngineGivesTheMapOfEveryImageOfABatch() throws {
        let output = #"{"kind": "logit", "name": "answer", "map": "map"}"#
        let model = try ModelFolder("map", ["output": output]).model()
        // The left half is black, the right half white: cells of -3 and 4, so the verdict is AI-generated because of
        // the right half.
        let halves = RGBImage(width: 8, height: 8, pixels: (0..<192).map { $0 / 3 % 8 < 4 ? 0 : 255 })
        let scores = try model.scores([halves, solid(0, 0, 0), halves]).map { try $0.get() }
        #expect(scores.map { isClose($0.logit, 0.5) } == [true, false, true])
        let expected = (0..<64).map { UInt8($0 % 8 < 4 ? 0 : 255) }
        #expect(scores[0].evidence?.cells == expected && scores[2].evidence?.cells == expected)
        #expect(scores[1].evidence?.cells == [UInt8](repeating: 255, count: 64))
        #expect(try ModelFolder("logit").model().scores([halves])[0].get().evidence == nil)
    }
}

import FoundationEssentials
import Testing

@testable import Gateway

@Suite struct LegacyAPITests {
    @Test(arguments: [
        (0, "Real", 1), (0.0058, "Real", 0.9942), (0.25, "Real", 0.75), (0.49999, "Real", 0.5), (0.5, "Fake", 0.5),
        (0.912345, "Fake", 0.9123), (1, "Fake", 1),
    ])
    func confidenceIsTheProbabilityOfTheReportedResult(probability: Double, result: String, confidence: Double) throws {
        let model = Gateway.LegacyResult(probability)
        #expect(model.result == result && model.confidence == confidence)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(model), as: UTF8.self)
        #expect(text.hasSuffix(#","result":"\#(result)"}"#) && text.utf8.count < 40, "\(text)")
    }
}

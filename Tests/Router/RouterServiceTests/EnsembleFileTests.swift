import BifronsWire
import FoundationEssentials
import RouterCore
import Testing

@testable import RouterService

struct EnsembleFileTests {
    private static let good = """
        {"schema": 1, "models": ["a", "b"],
         "merge": [{"models": ["a"], "bias": 0, "weights": [1]}, {"models": ["b"], "bias": 0.5, "weights": [2]},
                   {"models": ["a", "b"], "bias": -0.1, "weights": [0.5, 0.7]}],
         "policies": {"default": {"review": 0.5, "block": 0.9}, "strict": {"review": 0.1, "block": 0.5, "no_face": "block"}}}
        """

    private func load(_ text: String) throws -> Ensemble {
        let path = FileManager.default.temporaryDirectory.path + "/ensemble-\(UInt64.random(in: 0 ... .max)).json"
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try EnsembleFile.load(path)
    }

    @Test func goodFileGivesModelsAndPolicies() throws {
        let ensemble = try load(Self.good)
        #expect(ensemble.models == ["a", "b"])
        #expect(ensemble.policies["default"] == Ensemble.Policy(review: 0.5, block: 0.9))
        #expect(ensemble.policies["default"] == Ensemble.Policy(review: 0.5, block: 0.9, noFace: .review))
        #expect(ensemble.policies["strict"] == Ensemble.Policy(review: 0.1, block: 0.5, noFace: .block))
    }

    @Test(arguments: [
        ("\"schema\": 1", "\"schema\": 2", "'schema' is 2; this release reads 1"),
        ("\"bias\": 0.5, ", "", "merge[1].bias is missing"),
        ("\"bias\": 0.5", "\"bias\": \"x\"", "merge[1].bias must be a number"),
        ("\"no_face\": \"block\"", "\"no_face\": \"shrug\"", "policies.strict.noFace has a value that is not known"),
        ("\"models\": [\"b\"], \"bias\"", "\"models\": [\"c\"], \"bias\"", "names 'c', which is not in 'models'"),
        ("{\"models\": [\"b\"], \"bias\": 0.5, \"weights\": [2]},", "", "'merge' has no blend for b"),
        ("\"default\"", "\"lenient\"", "'policies' must have one named 'default'"),
        ("\"block\": 0.9", "\"block\": 0.4", "the policy 'default' needs 0 <= review <= block <= 1"),
        ("{\"schema\"", "schema", "it is not JSON"),
    ])
    func aBadFileIsRefusedWithTheNameOfTheField(old: String, new: String, message: String) {
        let error = #expect(throws: RouterServiceError.self) {
            try load(Self.good.replacing(old, with: new))
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func aMissingFileIsReportedWithItsPathAndSetting() {
        let error = #expect(throws: RouterServiceError.self) { try EnsembleFile.load("/nowhere/ensemble.json") }
        #expect(error?.description.contains("/nowhere/ensemble.json") == true)
        #expect(error?.description.contains("--models-folder") == true)
    }
}

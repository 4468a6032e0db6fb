import BifronsWire
import Decisions
import FoundationEssentials
import Testing

@testable import RouterService

struct EnsembleFileTests {
    private static let good = """
        {"schema": 1, "models": ["a", "b"],
         "merge": [{"models": ["a"], "bias": 0, "weights": [1]}, {"models": ["b"], "bias": 0.5, "weights": [2]},
                   {"models": ["a", "b"], "bias": -0.1, "weights": [0.5, 0.7]}],
         "policies": {"default": {"review": 0.5, "block": 0.9}, "strict": {"review": 0.1, "block": 0.5, "no_face": "block"}}}
        """

    /// A policy with clauses, as every checked one has.
    private static func policy(
        review: Double, block: Double, noFace: ResultDocument.PolicyAction? = nil
    ) -> Policy {
        Policy(review: review, block: block, noFace: noFace, clauses: [])
    }

    private func load(_ text: String) throws -> Ensemble {
        let path = FileManager.default.temporaryDirectory.path + "/ensemble-\(UInt64.random(in: 0 ... .max)).json"
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try EnsembleFile.load(path)
    }

    @Test func goodFileGivesModelsAndPolicies() throws {
        let ensemble = try load(Self.good)
        #expect(ensemble.models == ["a", "b"])
        #expect(ensemble.policies["default"]?.policy == Self.policy(review: 0.5, block: 0.9))
        #expect(ensemble.policies["default"]?.policy == Self.policy(review: 0.5, block: 0.9, noFace: .review))
        #expect(ensemble.policies["strict"]?.policy == Self.policy(review: 0.1, block: 0.5, noFace: .block))
    }

    @Test func theReferenceOfAModelIsRead() throws {
        let reference = #""reference": {"b": {"version": "2", "edges": [1, 2, 3, 4, 5, 6, 7, 8, 9]}}, "policies""#
        let ensemble = try load(Self.good.replacing("\"policies\"", with: reference))
        #expect(ensemble.references.map { $0?.version } == [nil, "2"])
        #expect(ensemble.references[1]?.edges == (1...9).map { Double($0) })
        #expect(try load(Self.good).references == [nil, nil])
    }

    @Test(arguments: [
        ("\"schema\": 1", "\"schema\": 2", "'schema' is 2; this release reads 1"),
        ("\"bias\": 0.5, ", "", "merge[1].bias is missing"),
        ("\"bias\": 0.5", "\"bias\": \"x\"", "merge[1].bias must be a number"),
        ("\"no_face\": \"block\"", "\"no_face\": \"shrug\"", "policies.strict.no_face has a value that is not known"),
        ("\"models\": [\"b\"], \"bias\"", "\"models\": [\"c\"], \"bias\"", "names 'c', which is not in 'models'"),
        ("{\"models\": [\"b\"], \"bias\": 0.5, \"weights\": [2]},", "", "'merge' has no blend for b"),
        (
            "\"no_face\": \"block\"", "\"noface\": \"block\"",
            "policies.strict has an unknown field 'noface'; it may have review, block, clauses, degraded, shadow, record, "
                + "sample, blind, calibration, no_face"
        ),
        ("\"default\"", "\"lenient\"", "'policies' must have one named 'default'"),
        ("\"block\": 0.9", "\"block\": 0.4", "the policy 'default' needs 0 <= review <= block <= 1"),
        ("{\"schema\"", "schema", "it is not JSON"),
        (
            "\"policies\"", "\"reference\": {\"b\": {\"version\": \"2\", \"edges\": [2, 1]}}, \"policies\"",
            "'reference.b.edges' must have 9 ascending numbers"
        ),
        (
            "\"policies\"",
            "\"reference\": {\"c\": {\"version\": \"2\", \"edges\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}}, \"policies\"",
            "'reference' names 'c', which is not in 'models'"
        ),
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

    // MARK: Evidence

    private static let withEvidence = good.replacing(
        "\"policies\": {\"default\": {",
        with: """
            "evidence": ["provenance", "known"], "policies": {"default": {"clauses": [
              {"if": {"provenance.claim": "ai_generated", "provenance.trust": ["trusted", "untrusted"]},
               "at_least": "block", "reason": "signed"},
              {"if": {"known.bank_kind": "allow"}, "at_most": "allow"}],\u{20}
            """)

    @Test func evidenceAndClausesAreRead() throws {
        let ensemble = try load(Self.withEvidence)
        #expect(ensemble.evidence == [.provenance, .known])
        #expect(
            ensemble.policies["default"]?.policy.clauses == [
                Policy.Clause(
                    if: ["provenance.claim": ["ai_generated"], "provenance.trust": ["trusted", "untrusted"]],
                    atLeast: .block, reason: "signed"),
                Policy.Clause(if: ["known.bank_kind": ["allow"]], atMost: .allow),
            ])
        #expect(ensemble.policies["strict"]?.policy.clauses == [])
        #expect(try load(Self.good).evidence == [])
    }

    @Test(
        arguments: [
            (
                "\"at_most\": \"allow\"", "\"atmost\": \"allow\"",
                "policies.default.clauses[1] has an unknown field 'atmost'; it may have if, reason, at_least, at_most"
            ),
            (
                "\"at_most\": \"allow\"", "\"at_most\": \"pass\"",
                "policies.default.clauses[1].at_most has a value that is not"
            ),
            (
                "\"at_most\": \"allow\"", "\"reason\": \"x\"",
                "policies.default.clauses[1] has neither at_least nor at_most"
            ),
            ("{\"known.bank_kind\": \"allow\"}", "{}", "policies.default.clauses[1].if is empty"),
            ("{\"known.bank_kind\": \"allow\"}", "\"known\"", "policies.default.clauses[1].if must be an object"),
            (
                "\"allow\"}, \"at_most\"", "7}, \"at_most\"",
                "policies.default.clauses[1].if.known.bank_kind must be a list"
            ),
            ("\"ai_generated\"", "\"ai\"", "clauses[0].if.provenance.claim is 'ai'; it may be ai_generated, ai_edited"),
            ("provenance.trust", "provenance.signer", "clauses[0].if names 'provenance.signer', which is no field"),
            ("\"untrusted\"", "\"unsigned\"", "provenance that may be unsigned, which anyone can add to a file"),
            (
                "[\"provenance\", \"known\"]", "[\"known\"]",
                "reads the evidence 'provenance', which 'evidence' does not name"
            ),
            ("[\"provenance\", \"known\"]", "[\"pdq\"]", "'evidence' names 'pdq', which is no kind of evidence"),
            ("[\"provenance\", \"known\"]", "\"known\"", "evidence must be a list"),
        ] as [(String, String, String)])
    func badClauseIsRefusedByTheNameOfItsField(old: String, new: String, message: String) {
        let text = Self.withEvidence.replacing(old, with: new)
        #expect(text != Self.withEvidence)
        let error = #expect(throws: RouterServiceError.self) { try load(text) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}

import BifronsWire
import Decisions
import TestKit
import Testing

struct EnsembleTests {
    private typealias Blends = [(models: [String], blend: Ensemble.Blend)]

    private let full: Blends = [
        (["a"], Ensemble.Blend(bias: 0, weights: [1])), (["b"], Ensemble.Blend(bias: 0, weights: [1])),
        (["b", "a"], Ensemble.Blend(bias: 1, weights: [2, 3])),
    ]
    private let policies = ["default": Policy(review: 0.5, block: 0.9)]

    private func problem(
        models: [String] = ["a", "b"], merge: Blends? = nil, policies: [String: Policy]? = nil
    ) throws -> String {
        try #require(throws: Ensemble.Invalid.self) {
            try Ensemble(models: models, merge: merge ?? full, policies: policies ?? self.policies)
        }.message
    }

    @Test func weightsApplyToTheirModelsInAnyOrder() throws {
        let ensemble = try Ensemble(models: ["a", "b"], merge: full, policies: policies)
        // 1 + 2 · b + 3 · a
        #expect(ensemble.merge.probability([0.5, -0.25]) == Merge.sigmoid(1 + 2 * -0.25 + 3 * 0.5))
        #expect(ensemble.merge.probability([0.5, nil]) == Merge.sigmoid(0.5))
    }

    @Test func requiresOneToEightDistinctModels() throws {
        #expect(try problem(models: []).contains("1 to 8 models, not 0"))
        #expect(try problem(models: (0..<9).map { "m\($0)" }).contains("not 9"))
        #expect(try problem(models: ["a", "a"]).contains("each model once"))
        #expect(try problem(models: ["a", ""]).contains("each model once"))
    }

    @Test func refusesNamesOver64Bytes() throws {
        let long = String(repeating: "x", count: Limits.nameBytes + 1)
        #expect(try problem(models: ["a", long]).contains("'\(long)' has more than 64 bytes"))
        #expect(try problem(policies: policies.merging([long: policies["default"]!]) { $1 }).contains("more than 64"))
    }

    @Test func requiresABlendForEverySubsetOfModels() throws {
        #expect(try problem(merge: Array(full.dropLast())).contains("no blend for a+b"))
        #expect(try problem(merge: Array(full.dropFirst())).contains("no blend for a"))
        #expect(try problem(merge: []).contains("no blend for a"))
    }

    @Test func refusesABlendThatDoesNotFitItsSubset() throws {
        #expect(try problem(merge: full + [(["a"], Ensemble.Blend(bias: 0, weights: [1]))]).contains("given twice"))
        #expect(try problem(merge: full + [([], Ensemble.Blend(bias: 0, weights: []))]).contains("empty"))
        #expect(
            try problem(merge: [(["a"], Ensemble.Blend(bias: 0, weights: [1, 2]))]).contains("2 weights for 1 models"))
        #expect(try problem(merge: [(["c"], Ensemble.Blend(bias: 0, weights: [1]))]).contains("names 'c'"))
        #expect(try problem(merge: [(["a", "a"], Ensemble.Blend(bias: 0, weights: [1, 2]))]).contains("a+a"))
    }

    @Test(arguments: [Double.nan, .infinity]) func refusesNumbersThatAreNotFinite(value: Double) throws {
        #expect(try problem(merge: [(["a"], Ensemble.Blend(bias: value, weights: [1]))]).contains("finite"))
        #expect(try problem(merge: [(["a"], Ensemble.Blend(bias: 0, weights: [value]))]).contains("finite"))
    }

    @Test(arguments: [(0.9, 0.5), (-0.1, 0.5), (0.5, 1.1), (.nan, 0.5), (0.5, .nan)] as [(Double, Double)])
    func refusesThresholdsOutOfRangeOrOrder(review: Double, block: Double) throws {
        let odd = ["default": Policy(review: review, block: block)]
        #expect(try problem(policies: odd).contains("'default'"))
    }

    @Test func requiresADefaultPolicy() throws {
        #expect(try problem(policies: [:]).contains("'default'"))
    }

    @Test func aThresholdIsTheLowestProbabilityOfItsAction() throws {
        let ensemble = try Ensemble(models: ["a", "b"], merge: full, policies: policies)
        for (probability, action) in [(0, "allow"), (0.4999, "allow"), (0.5, "review"), (0.9, "block"), (1, "block")] {
            let verdict = try #require(ensemble.verdict(probability, policy: "default"))
            #expect(verdict.action.rawValue == action)
            #expect(verdict.aiProbability == probability)
            #expect(verdict.label == (probability < 0.5 ? .real : .aiGenerated))
        }
        #expect(ensemble.verdict(0.5, policy: "none") == nil)
    }

    @Test func anImageWithoutAFaceGoesToReviewUnlessThePolicySaysOtherwise() {
        #expect(Policy(review: 0.5, block: 0.9).noFace == .review)
        #expect(Policy(review: 0.5, block: 0.9, noFace: .allow).noFace == .allow)
    }

    // MARK: Stored results

    private func stored(_ verdict: ResultDocument.Verdict?) -> ResultDocument {
        var document = ResultDocument(id: "first", status: .ok)
        (document.metadata, document.attempts, document.verdict) = (Array("{}".utf8), 2, verdict)
        return document
    }

    private func header(policy: String) -> RequestHeader {
        var header = RequestHeader(verb: .classify, id: "second")
        header.policy = policy
        return header
    }

    @Test(
        arguments: [
            // The label and action stay as decided, even if the thresholds have changed since.
            ("default", 0.95, ResultDocument.Label.aiGenerated, ResultDocument.PolicyAction.allow),
            ("strict", 0.95, .aiGenerated, .block), ("strict", 0.15, .real, .review), ("strict", nil, .noFace, .allow),
            // A probability just below one half, as the journal rounded it.
            ("strict", 0.5, .real, .block),
        ] as [(String, Double?, ResultDocument.Label, ResultDocument.PolicyAction)])
    func aStoredResultIsDecidedAgainByTheRequestedPolicy(
        policy: String, probability: Double?, label: ResultDocument.Label, action: ResultDocument.PolicyAction
    ) throws {
        let strict = Policy(review: 0.1, block: 0.2, noFace: .allow)
        let ensemble = try Ensemble(
            models: ["a", "b"], merge: full, policies: policies.merging(["strict": strict]) { $1 })
        let verdict = ResultDocument.Verdict(
            label: label, aiProbability: probability, action: .allow, policy: "default")
        let answer = try #require(ensemble.answer(stored(verdict), to: header(policy: policy)))
        #expect(
            answer.verdict?.unversioned
                == ResultDocument.Verdict(label: label, aiProbability: probability, action: action, policy: policy))
        #expect(answer.id == "second" && answer.metadata == nil && answer.attempts == 2)
    }

    @Test func aStoredVerdictIsNotReturnedForAnUnknownPolicy() throws {
        let ensemble = try Ensemble(models: ["a", "b"], merge: full, policies: policies)
        let verdict = ResultDocument.Verdict(label: .real, aiProbability: 0.1, action: .allow, policy: "default")
        #expect(ensemble.answer(stored(verdict), to: header(policy: "none")) == nil)
        // Without a verdict no policy is needed.
        #expect(ensemble.answer(stored(nil), to: header(policy: "none"))?.id == "second")
    }
}

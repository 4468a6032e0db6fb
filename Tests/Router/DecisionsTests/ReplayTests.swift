import BifronsWire
import Decisions
import TestKit
import Testing

struct ReplayTests {
    private func fact(_ claim: ProvenanceEvidence.Claim) -> EvidenceFacts {
        EvidenceFacts(
            ResultDocument.Evidence(.provenance(ProvenanceEvidence(claim: claim, trust: .unsigned, validation: []))))
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func aStoredDecisionLeadsToTheSameDecision(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let ensemble = try Sample.ensemble()
        let logits = (0..<Int.random(in: 0...4, using: &random)).map { _ -> [Float?] in
            let a = Float.random(in: -9...9, using: &random)
            let b = Float.random(in: -9...9, using: &random)
            let choices: [[Float?]] = [[a, b], [a, nil], [nil, b]]
            return choices[Int.random(in: 0..<3, using: &random)]
        }
        let decision = try Sample.decision(
            seed, logits, by: Bool.random(using: &random) ? "default" : "strict", in: ensemble,
            evidence: [fact(Bool.random(using: &random) ? .aiGenerated : .none)],
            isDegraded: Bool.random(using: &random))
        // Through the stored form and back.
        let link = DecisionLink(decision, sequence: 1, time: 5, salt: [1, 2], after: DecisionLink.origin)
        let stored = try link.decision()
        #expect(stored == decision)
        let policy = try #require(ensemble.policies[decision.body.policy])
        let merge = try Merge(decoding: ensemble.merge.body)
        #expect(merge == ensemble.merge)
        #expect(stored.body.replay(policy, merge) == [])
    }

    @Test func aReplayNamesWhatComesOutOtherwise() throws {
        let ensemble = try Sample.ensemble()
        let policy = try #require(ensemble.policies["default"])
        let decision = try Sample.decision(1, [[0.5, 0.5]], in: ensemble)
        func differences(_ change: (inout Decision.Body) -> Void) -> [String] {
            var body = decision.body
            change(&body)
            return body.replay(policy, ensemble.merge)
        }
        #expect(differences { _ in } == [])
        #expect(differences { $0.action = .block } == ["action"])
        #expect(differences { $0.label = .noFace } == ["label"])
        #expect(differences { $0.reasons = ["known"] } == ["reasons"])
        #expect(differences { $0.merge = "sha256:0" } == ["merge"])
        #expect(differences { $0.policyDigest = "sha256:0" } == ["policy_digest"])
        // One bit of a probability, and one of a logit.
        #expect(
            differences { body in
                body.probability = body.probability.map { DoubleBits(($0.value).nextUp) }
            } == ["probability"])
        #expect(
            differences { $0.regions[0].logits[0] = FloatBits((0.5 as Float).nextUp) } == ["probability"])
    }

    @Test func logitsKeepTheirBits() throws {
        for value in [0, -0.0, .leastNonzeroMagnitude, -.infinity, .greatestFiniteMagnitude, 1.5] as [Float] {
            let bytes = CanonicalJSON.encode([FloatBits(value)])
            #expect(try CanonicalJSON.decode([FloatBits].self, from: bytes) == [FloatBits(value)])
        }
        #expect(CanonicalJSON.encode([FloatBits(1)]) == Array(#"["3f800000"]"#.utf8))
        #expect(CanonicalJSON.encode([DoubleBits(0.5)]) == Array(#"["3fe0000000000000"]"#.utf8))
    }

    @Test func aTrialCountsWhatADraftWouldChange() throws {
        let ensemble = try Sample.ensemble()
        let draft = try PolicyVersion("default", 1, Policy(review: 0.9, block: 0.99), evidence: [])
        var (first, second) = (PolicyTrial(), PolicyTrial())
        for (number, logit) in [(1, -5), (2, 0), (3, 9)] as [(UInt64, Float)] {
            let decision = try Sample.decision(number, [[logit, logit]], in: ensemble, tenant: "shop")
            first.add(decision, would: decision.body.verdict(by: draft, ensemble.merge).action)
        }
        second.skip()
        first.add(second)
        #expect(first.count == 3 && first.agreed == 2 && first.skipped == 1)
        #expect(first.matrix == ["allow": ["allow": 1], "review": ["allow": 1], "block": ["block": 1]])
        #expect(first.byTenant == ["shop": first.matrix])
        #expect(first.examples == ["review>allow": [Decision.id(2)]])
    }
}

import BifronsWire
import Decisions
import TestKit
import Testing

/// Clauses of policies: which ones are accepted, and what they do to an action.
struct PolicyTests {
    private typealias Clause = Policy.Clause

    private func ensemble(
        _ clauses: [Policy.Clause]?, evidence: [String] = ["provenance", "known"], models: [String] = ["a"]
    ) throws(Ensemble.Invalid) -> Ensemble {
        try Ensemble(
            models: models, merge: [(["a"], Ensemble.Blend(bias: 0, weights: [1]))],
            policies: [
                "default": Policy(review: 0.5, block: 0.9, clauses: clauses),
                "plain": Policy(review: 0.5, block: 0.9),
            ], evidence: evidence)
    }

    private func problem(_ clause: Policy.Clause, evidence: [String] = ["provenance", "known"]) throws -> String {
        try #require(throws: Ensemble.Invalid.self) { try ensemble([clause], evidence: evidence) }.message
    }

    private func provenance(
        _ claim: ProvenanceEvidence.Claim, _ trust: ProvenanceEvidence.Trust
    ) -> ResultDocument.Evidence {
        ResultDocument.Evidence(.provenance(ProvenanceEvidence(claim: claim, trust: trust, source: .c2pa)))
    }

    private func known(_ banks: [(String, KnownEvidence.BankKind)]) -> ResultDocument.Evidence {
        let matches = banks.compactMap {
            KnownEvidence.Match(bank: $0.0, bankKind: $0.1, distance: 3, item: 1, sha256: false)
        }
        return ResultDocument.Evidence(.known(KnownEvidence(quality: 90, matches: matches)))
    }

    private static let lost = WireError(.unavailable, code: "no_worker", "no worker serves provenance")
    private var nothing: [ResultDocument.Evidence] { [provenance(.none, .unsigned), known([])] }

    // MARK: Checking

    @Test func aClauseOfFieldsThatDoNotExistIsRefused() throws {
        #expect(
            try problem(Clause(if: ["provenance.signer": ["Canon"]], atLeast: .review))
                == "policies.default.clauses[0].if names 'provenance.signer', which is no field of evidence; there are "
                + "provenance.claim, provenance.trust, provenance.source, known.bank, known.bank_kind")
        #expect(try problem(Clause(if: ["claim": ["none"]], atLeast: .review)).contains("'claim'"))
    }

    @Test func aClauseOfValuesThatDoNotExistIsRefused() throws {
        #expect(
            try problem(Clause(if: ["provenance.claim": ["captured", "AI"]], atLeast: .review))
                == "policies.default.clauses[0].if.provenance.claim is 'AI'; it may be ai_generated, ai_edited, "
                + "captured, none")
        #expect(
            try problem(Clause(if: ["known.bank": ["press"]], atMost: .allow))
                .contains("if.known.bank is 'press'; the name of a bank has 1 to 64 capital letters, digits and _"))
        #expect(
            try problem(Clause(if: ["known.bank_kind": ["ban"]], atLeast: .review)).contains("block, review, allow"))
    }

    @Test func anEmptyClauseIsRefused() throws {
        #expect(
            try problem(Clause(if: [:], atLeast: .review))
                == "policies.default.clauses[0].if is empty: name a field of evidence, such as provenance.claim")
        #expect(try problem(Clause(if: ["known.bank": []], atMost: .allow)).contains("if.known.bank has no value"))
    }

    @Test func aClauseHasOneBound() throws {
        let field = ["known.bank": ["A"]]
        #expect(
            try problem(Clause(if: field))
                == "policies.default.clauses[0] has neither at_least nor at_most: give one of them")
        #expect(
            try problem(Clause(if: field, atLeast: .review, atMost: .review))
                == "policies.default.clauses[0] has both at_least and at_most: keep one of them")
        #expect(try problem(Clause(if: field, atLeast: .allow)).contains("at_least is 'allow', which changes nothing"))
        #expect(try problem(Clause(if: field, atMost: .block)).contains("at_most is 'block', which changes nothing"))
    }

    @Test(arguments: [nil, ["unsigned"], ["trusted", "unsigned"]] as [[String]?])
    func anUnsignedClaimCannotBlock(trust: [String]?) throws {
        var conditions = ["provenance.claim": ["ai_generated"]]
        conditions["provenance.trust"] = trust
        #expect(
            try problem(Clause(if: conditions, atLeast: .block))
                == "policies.default.clauses[0].at_least is 'block' for provenance that may be unsigned, which anyone can "
                + "add to a file: leave 'unsigned' out of provenance.trust, or use review")
        conditions["known.bank"] = ["A"]
        #expect(try problem(Clause(if: conditions, atLeast: .block)).contains("may be unsigned"))
        _ = try ensemble([Clause(if: conditions, atLeast: .review)])
        conditions["provenance.trust"] = ["trusted", "untrusted"]
        _ = try ensemble([Clause(if: conditions, atLeast: .block)])
    }

    @Test(arguments: [nil, ["unsigned"], ["trusted", "untrusted"], ["broken"]] as [[String]?])
    func onlyTrustedProvenanceCanLowerAnAction(trust: [String]?) throws {
        var conditions = ["provenance.claim": ["captured"]]
        conditions["provenance.trust"] = trust
        #expect(
            try problem(Clause(if: conditions, atMost: .review))
                .contains("at_most lowers the action by provenance that may not be trusted"))
        conditions["provenance.trust"] = ["trusted"]
        _ = try ensemble([Clause(if: conditions, atMost: .review)])
    }

    @Test func reasonsAreWords() throws {
        for reason in ["", "AI", "a b", "evidence_missing", String(repeating: "x", count: 65)] {
            #expect(
                try problem(Clause(if: ["known.bank": ["A"]], atMost: .allow, reason: reason))
                    .hasPrefix("policies.default.clauses[0].reason must have 1 to 64 lower-case letters"))
        }
    }

    @Test func aClauseNeedsTheEvidenceThatItReads() throws {
        let clause = Clause(if: ["known.bank": ["A"]], atMost: .allow)
        #expect(
            try problem(clause, evidence: ["provenance"])
                == "policies.default.clauses[0].if.known.bank reads the evidence 'known', which 'evidence' does not name"
        )
        let tooMany = Array(repeating: clause, count: 65)
        let error = #expect(throws: Ensemble.Invalid.self) { try ensemble(tooMany) }
        #expect(error?.message == "policies.default.clauses has 65 clauses, more than 64")
    }

    @Test func evidenceIsNamedOnceAndKnown() throws {
        func message(_ evidence: [String], models: [String] = ["a"]) -> String? {
            do {
                _ = try ensemble(nil, evidence: evidence, models: models)
                return nil
            } catch { return error.message }
        }
        #expect(
            message(["watermark"])
                == "'evidence' names 'watermark', which is no kind of evidence; there are provenance, known")
        #expect(message(["known", "known"]) == "'evidence' must name each kind once")
        #expect(message(["known"], models: ["a", "known"])?.contains("'models' must not name 'known'") == true)
        #expect(try ensemble(nil, evidence: ["known"]).pools == ["a", "locator", "known"])
    }

    // MARK: Deciding

    private func decide(
        _ ensemble: Ensemble, _ evidence: [ResultDocument.Evidence], at probability: Double? = 0.1,
        policy: String = "default"
    ) throws -> String {
        let verdict = try #require(ensemble.verdict(probability, policy: policy, evidence: evidence))
        // Evidence never touches what the networks say.
        let without = try #require(ensemble.verdict(probability, policy: "plain"))
        #expect(verdict.aiProbability == without.aiProbability && verdict.label == without.label)
        return ([verdict.action.rawValue] + verdict.reasons).joined(separator: " ")
    }

    @Test(arguments: ProvenanceEvidence.Trust.allCases)
    func byDefaultAnImageThatCallsItselfGeneratedGoesToAPerson(trust: ProvenanceEvidence.Trust) throws {
        let ensemble = try ensemble(nil)
        for claim in [ProvenanceEvidence.Claim.aiGenerated, .aiEdited] {
            #expect(try decide(ensemble, [provenance(claim, trust), known([])]) == "review provenance")
            #expect(try decide(ensemble, [provenance(claim, trust), known([])], at: 0.95) == "block")
        }
        for claim in [ProvenanceEvidence.Claim.captured, .none] {
            #expect(try decide(ensemble, [provenance(claim, trust), known([])]) == "allow")
            #expect(try decide(ensemble, [provenance(claim, trust), known([])], at: 0.95) == "block")
        }
    }

    @Test func byDefaultABankDoesWhatItsKindSaysAndLowersNothing() throws {
        let ensemble = try ensemble(nil)
        let silent = provenance(.none, .unsigned)
        #expect(try decide(ensemble, [silent, known([("A", .block)])]) == "block known")
        #expect(try decide(ensemble, [silent, known([("A", .review)])]) == "review known")
        #expect(try decide(ensemble, [silent, known([("A", .allow)])], at: 0.95) == "block")
    }

    @Test func theDefaultsAreForTheDefaultPolicyWithoutClausesOfItsOwn() throws {
        let loud = [provenance(.aiGenerated, .trusted), known([("A", .block)])]
        #expect(try decide(try ensemble(nil), loud, policy: "plain") == "allow")
        #expect(try decide(try ensemble([]), loud) == "allow")
        #expect(try decide(try ensemble(nil, evidence: []), loud) == "allow")
        #expect(try decide(try ensemble(nil, evidence: ["known"]), loud) == "block known")
    }

    @Test func clausesApplyInTheirOrderAndTheLastDecides() throws {
        let raising = Clause(
            if: ["provenance.claim": ["ai_generated"], "provenance.trust": ["trusted"]], atLeast: .block,
            reason: "signed-ai")
        let lowering = Clause(if: ["known.bank": ["PRESS"]], atMost: .allow)
        let both = [provenance(.aiGenerated, .trusted), known([("OTHER", .block), ("PRESS", .allow)])]
        #expect(try decide(try ensemble([raising, lowering]), both) == "allow signed-ai known")
        #expect(try decide(try ensemble([lowering, raising]), both) == "block signed-ai")
        #expect(try decide(try ensemble([raising, lowering]), nothing, at: 0.6) == "review")
        // A clause that changes nothing is no reason.
        #expect(try decide(try ensemble([raising]), both, at: 0.95) == "block")
    }

    @Test func allFieldsOfAClauseMustBeMetByOneMatch() throws {
        let ensemble = try ensemble([
            Clause(if: ["known.bank": ["A", "B"], "known.bank_kind": ["block"]], atLeast: .block)
        ])
        let silent = provenance(.none, .unsigned)
        #expect(try decide(ensemble, [silent, known([("B", .block)])]) == "block known")
        #expect(try decide(ensemble, [silent, known([("A", .review), ("C", .block)])]) == "allow")
    }

    @Test func provenanceIsMetByEveryField() throws {
        let ensemble = try ensemble([
            Clause(
                if: [
                    "provenance.claim": ["ai_generated"], "provenance.trust": ["untrusted", "broken"],
                    "provenance.source": ["c2pa", "xmp"],
                ], atLeast: .block)
        ])
        #expect(try decide(ensemble, [provenance(.aiGenerated, .broken)]) == "block provenance")
        #expect(try decide(ensemble, [provenance(.aiGenerated, .trusted)]) == "allow")
        #expect(try decide(ensemble, [provenance(.aiEdited, .broken)]) == "allow")
        let elsewhere = ProvenanceEvidence(claim: .aiGenerated, trust: .broken, source: .exif)
        #expect(try decide(ensemble, [ResultDocument.Evidence(.provenance(elsewhere))]) == "allow")
    }

    @Test func missingEvidenceMeetsNoClauseAndSaysSo() throws {
        let failed = ResultDocument.Evidence(.provenance, failed: Self.lost)
        let ensemble = try ensemble(nil)
        #expect(try decide(ensemble, [failed, known([])]) == "allow evidence_missing")
        #expect(try decide(ensemble, []) == "allow evidence_missing")
        // Only a clause that could have changed the action needed it.
        #expect(try decide(ensemble, [failed, known([])], at: 0.95) == "block")
        #expect(try decide(ensemble, [failed, known([])], at: nil) == "review")
        #expect(try decide(ensemble, [failed, known([("A", .review)])]) == "review evidence_missing known")
        #expect(try decide(ensemble, [failed], policy: "plain") == "allow")
    }

    @Test func aClauseThatOtherEvidenceRulesOutNeedsNoMore() throws {
        let ensemble = try ensemble([
            Clause(if: ["known.bank": ["A"], "provenance.claim": ["none"]], atLeast: .review)
        ])
        let failed = ResultDocument.Evidence(.provenance, failed: Self.lost)
        #expect(try decide(ensemble, [failed, known([])]) == "allow")
        #expect(try decide(ensemble, [failed, known([("A", .review)])]) == "allow evidence_missing")
    }

    @Test func aStoredResultIsDecidedAnewWithItsEvidence() throws {
        let ensemble = try ensemble(nil)
        var stored = ResultDocument(id: "first", status: .ok)
        stored.verdict = .init(label: .real, aiProbability: 0.1, action: .allow, policy: "plain")
        stored.evidence = [provenance(.aiGenerated, .unsigned), known([])]
        let answer = ensemble.answer(stored, to: RequestHeader(verb: .classify, id: "second"))
        #expect(
            answer?.verdict?.unversioned
                == ResultDocument.Verdict(
                    label: .real, aiProbability: 0.1, action: .review, policy: "default", reasons: ["provenance"]))
        #expect(answer?.evidence == stored.evidence)
    }
}

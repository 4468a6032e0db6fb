import BifronsWire
import Decisions
import Testing

@testable import RouterCore

/// Reviews, appeals, thresholds, and replays with the image in the core.
struct ReviewQuestionTests {
    private static let shop = Principal(.owner(JobOwner(key: "gateway", owner: "shop")), .gateway)
    private static let id = "00000000000000ff"

    private func script(_ configure: (inout RouterCore.Configuration) -> Void = { _ in }) -> Script {
        var script = Script(ensemble: .sample) {
            $0.keepsJournal = true
            configure(&$0)
        }
        for name in ["r1", "i1"] { script.join(name) }
        return script
    }

    // MARK: Questions

    @Test(
        arguments: [
            (.nextReview, #"{"reviewer": ""}"#, "422 body_invalid", "reviewer"),
            (.nextReview, #"{"policy": "none"}"#, "404 unknown_policy", "'none'"),
            (.reviews, #"{"limit": 101}"#, "422 body_invalid", "limit"),
            (.review, "", "422 body_invalid", "outcome is missing"),
            (.review, #"{"outcome": "perhaps"}"#, "422 body_invalid", "outcome"),
            (.review, #"{"outcome": "real", "label": "AI_Face"}"#, "422 body_invalid", "label"),
            (.review, #"{"outcome": "real", "seconds": -1}"#, "422 body_invalid", "seconds"),
            (.review, #"{"outcome": "skip", "note": "x"}"#, "422 body_invalid", "skipped"),
            (.appeal, #"{"appealId": "a"}"#, "422 body_invalid", "actionedItem"),
            (.appeal, #"{"appealId": "", "actionedItem": {"id": "1"}}"#, "422 body_invalid", "appealId"),
            (.appeal, #"{"appealId": "a", "actionedItem": {"id": "picture"}}"#, "404 unknown_decision", "actionedItem"),
            (.tunePolicy, #"{"fpr": 1e-300}"#, "422 body_invalid", "fpr"),
            (.tunePolicy, #"{"fpr": 0.01, "action": "allow"}"#, "422 body_invalid", "action"),
        ] as [(Verb, String, String, String)])
    func badRequestsAreRefusedWithTheReason(verb: Verb, body: String, answer: String, reason: String) {
        var script = script()
        #expect(script.ask(1, verb, body: body) { $0.id = Self.id } == ["reply 1: \(answer)"])
        #expect(
            script.document(1)?.error?.message.contains(reason) == true, "\(script.document(1)?.error?.message ?? "")")
    }

    @Test func aReviewerIsNamedByTheRequestOrByTheToken() {
        var script = script()
        script.ask(1, .nextReview, body: "", from: Self.shop)
        #expect(script.questions[1] == .nextReview(Reviewer(name: "shop", tenants: .one("shop")), policy: nil))
        script.ask(2, .nextReview, body: #"{"reviewer": "eve", "tenant": "forum"}"#)
        #expect(script.questions[2] == .nextReview(Reviewer(name: "eve", tenants: .one("forum")), policy: nil))
        #expect(
            script.ask(3, .nextReview, body: #"{"tenant": "forum"}"#, from: Self.shop) == ["reply 3: 400 not_allowed"])
        #expect(
            script.ask(4, .tunePolicy, body: #"{"fpr": 0.1, "store": true}"#, from: Self.shop)
                == ["reply 4: 400 not_allowed"])
        #expect(
            script.handle(.answered(1, .refused(WireError(.conflict, code: "review_leased", "it is leased"))))
                == ["reply 1: 409 review_leased"])
    }

    @Test func aThresholdIsStoredAsTheNextVersion() throws {
        var script = script()
        #expect(script.ask(1, .tunePolicy, body: #"{"fpr": 0.1, "store": true}"#) == ["ask 1"])
        guard case .tune(let policy, let request, .all)? = script.questions[1] else {
            return #expect(Bool(false), "nothing is tuned")
        }
        let reals = (0..<100).map { Tuning.Reviewed(probability: Double($0) / 1000, isReal: true, weight: 1) }
        let report = TuningReport(reals, request, changing: policy.policy)
        #expect(script.handle(.answered(1, .tuned(report))) == ["ask 1"])
        guard case .store(let version, _)? = script.questions[1] else {
            return #expect(Bool(false), "nothing is stored")
        }
        #expect(version.version == 2 && version.policy.block == report.threshold)
        script.handle(.answered(1, .stored))
        #expect(script.members(1)?.contains(#""version":2"#) == true)
        #expect(script.members(1)?.contains(#""threshold":"#) == true)
        // It does not decide yet.
        #expect(script.core.policies.active("default", for: nil)?.version == 1)
        // Without a threshold, nothing is stored.
        script.ask(2, .tunePolicy, body: #"{"fpr": 0.001, "store": true}"#)
        #expect(
            script.handle(.answered(2, .tuned(TuningReport([], request, changing: policy.policy)))) == ["reply 2"])
    }

    // MARK: Images

    @Test func onlyImagesToReviewAreHandedToTheJournal() throws {
        for (keeps, logit, isKept) in [(true, Float(0.5), true), (true, -9, false), (false, 0.5, false)] {
            var script = script { $0.keepsReviewImages = keeps }
            script.classify(1)
            script.score("r1", 1, logit: logit)
            script.score("i1", 1, logit: logit)
            let action = try #require(script.document(1)?.verdict?.action)
            #expect((action == .review) == (logit > 0))
            #expect((script.keptForReview == [1]) == isKept)
        }
    }

    // MARK: Replays with the image

    private func replay(
        _ script: inout Script, _ token: Int, from principal: Principal = .anybody,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        script.classify(token, from: principal) { header in
            (header.verb, header.id) = (.replay, Self.id)
            change(&header)
        }
    }

    @Test func aReplayIsComparedAndNotRecorded() {
        var script = script()
        #expect(replay(&script, 1, from: Self.shop) == ["job 1 to r1", "job 1 to i1"])
        script.score("r1", 1, logit: 1.5)
        #expect(script.score("i1", 1, logit: -0.5) == ["ask 1"])
        guard case .compare(0xFF, .one("shop"), let again)? = script.questions[1] else {
            return #expect(Bool(false), "nothing is compared")
        }
        #expect(again.body.regions.first?.logits == [FloatBits(1.5), FloatBits(-0.5)])
        #expect(script.decided.isEmpty)
        #expect(script.handle(.answered(1, .members(Array(#"{"replay":{}}"#.utf8)))) == ["reply 1"])
        #expect(script.members(1)?.hasPrefix(#"{"replay":{},"result":{"#) == true)
    }

    @Test func aReplayThatFailsSaysWhy() {
        var script = script()
        _ = replay(&script, 1)
        script.fail("r1", 1, .unprocessable, code: "image_corrupt")
        #expect(script.fail("i1", 1, .unprocessable, code: "image_corrupt") == ["reply 1: 422 image_corrupt"])
        #expect(replay(&script, 2) { $0.id = "picture" } == ["reply 2: 404 unknown_decision"])
        _ = replay(&script, 3)
        script.score("r1", 3)
        script.score("i1", 3)
        #expect(script.handle(.answered(3, .unknown)) == ["reply 3: 404 unknown_decision"])
        _ = replay(&script, 4)
        #expect(script.handle(.drain) == [])
        #expect(script.handle(.abandon).contains("reply 4: 503 draining"))
        var other = Script()
        for name in ["r1", "i1"] { other.join(name) }
        #expect(replay(&other, 1) == ["reply 1: 503 journal_unavailable"])
    }
}

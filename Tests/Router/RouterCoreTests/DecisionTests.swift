import BifronsWire
import Decisions
import Testing

@testable import RouterCore

/// Decisions and policies in the core.
struct DecisionTests {
    private func script(_ ensemble: Ensemble = .sample) -> Script {
        var script = Script(ensemble: ensemble) { $0.keepsJournal = true }
        for name in ["r1", "i1"] { script.join(name) }
        return script
    }

    private static let shop = Principal(.owner(JobOwner(key: "gateway", owner: "shop")), .gateway)

    // MARK: Recording

    @Test func aDecisionSaysWhatItWasComputedFrom() throws {
        var script = script()
        script.classify(1, from: Self.shop) { header in
            (header.policy, header.subject) = ("strict", Subject(type: "user", id: "u1"))
        }
        script.score("r1", 1, logit: 1.25)
        #expect(script.score("i1", 1, logit: -0.5) == ["reply 1: 200"])
        let decision = try #require(script.decided.first)
        let document = try #require(script.document(1))
        #expect(document.decision == decision.id && document.isRecorded == nil)
        #expect(decision.tenant == "shop")
        #expect(decision.personal.subject == Subject(type: "user", id: "u1"))
        #expect(decision.personal.request == "job 1")
        #expect(decision.personal.boxes.count == 1)
        #expect(decision.body.regions.first?.logits == [FloatBits(1.25), FloatBits(-0.5)])
        #expect(decision.body.models.map(\.name) == ["resnet", "inception"])
        #expect(decision.body.action == document.verdict?.action)
        #expect(document.verdict?.policyVersion == 1)
        #expect(document.verdict?.policyDigest == decision.body.policyDigest)
        // The stored bits lead to the same decision.
        let ensemble = Ensemble.sample
        let policy = try #require(ensemble.policies["strict"])
        #expect(decision.body.replay(policy, ensemble.merge) == [])
    }

    @Test func withoutAJournalThereIsNoLedger() {
        var script = Script()
        for name in ["r1", "i1"] { script.join(name) }
        script.classify(1)
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["reply 1: 200"])
        #expect(script.decided.isEmpty && script.document(1)?.decision == nil)
        #expect(script.ask(2, .decisions, body: "") == ["reply 2: 503 journal_unavailable"])
        #expect(script.ask(3, .policies, body: "") == ["reply 3"])
    }

    @Test func aRequiredDecisionIsOnDiskBeforeTheClientLearnsOfIt() {
        var script = script()
        script.classify(1) { $0.policy = "audited" }
        script.score("r1", 1)
        #expect(script.score("i1", 1) == [])
        #expect(script.core.jobsInHand == 1)
        #expect(script.handle(.recorded(job: script.decided[0].number, failure: nil)) == ["reply 1: 200"])
        #expect(script.core.jobsInHand == 0)
    }

    @Test func aRequiredDecisionThatCannotBeRecordedIsNotAnswered() {
        var script = script()
        script.classify(1) { $0.policy = "audited" }
        script.score("r1", 1)
        script.score("i1", 1)
        let failed = RouterCore.Event.recorded(job: script.decided[0].number, failure: "the disk is full")
        #expect(script.handle(failed) == ["reply 1: 503 journal_unavailable"])
        #expect(script.document(1)?.verdict == nil)
        #expect(script.status.counters.unrecorded == 1)
    }

    @Test func followersOfARequiredDecisionWaitForItToo() {
        var script = script()
        for token in 1...2 { script.classify(token) { ($0.policy, $0.idempotencyKey) = ("audited", "k") } }
        script.score("r1", 1)
        #expect(script.score("i1", 1) == [])
        // The key is taken while the decision is being written.
        script.classify(3, image: "b") { ($0.policy, $0.idempotencyKey) = ("audited", "k") }
        #expect(script.document(3)?.error?.code == "idempotency_mismatch")
        #expect(script.classify(4) { ($0.policy, $0.idempotencyKey) = ("audited", "k") } == [])
        let recorded = RouterCore.Event.recorded(job: script.decided[0].number, failure: nil)
        #expect(script.handle(recorded) == ["reply 1: 200", "reply 2: 200", "reply 4: 200"])
        #expect(script.document(4)?.decision == script.decided[0].id)
        #expect(script.decided.count == 1)
    }

    @Test func afterAFailureOneFollowerComputesAnew() {
        var script = script()
        for token in 1...2 { script.classify(token) { ($0.policy, $0.idempotencyKey) = ("audited", "k") } }
        script.score("r1", 1)
        script.score("i1", 1)
        let failed = RouterCore.Event.recorded(job: script.decided[0].number, failure: "the disk is full")
        #expect(script.handle(failed) == ["reply 1: 503 journal_unavailable", "job 2 to r1", "job 2 to i1"])
    }

    @Test func bestEffortAnswersAtOnceAndSaysWhenTheLedgerFails() {
        var script = script()
        for token in 1...3 {
            script.classify(token)
            script.score("r1", token)
            #expect(script.score("i1", token) == ["reply \(token): 200"])
            let failure = token == 1 ? "the disk is full" : nil
            script.handle(.recorded(job: script.decided[token - 1].number, failure: failure))
        }
        #expect(script.document(1)?.isRecorded == nil)
        #expect(script.document(2)?.isRecorded == false && script.document(2)?.decision == nil)
        #expect(script.document(3)?.isRecorded == nil && script.document(3)?.decision != nil)
        #expect(script.status.counters.unrecorded == 1)
    }

    @Test func anAnswerByAnotherPolicySaysThatItIsNotRecorded() {
        var script = script()
        script.classify(1) { $0.idempotencyKey = "k" }
        script.score("r1", 1)
        script.score("i1", 1)
        script.classify(2) { $0.idempotencyKey = "k" }
        #expect(script.document(2)?.decision == script.document(1)?.decision)
        script.classify(3) { ($0.idempotencyKey, $0.policy) = ("k", "strict") }
        #expect(script.document(3)?.verdict?.policy == "strict")
        #expect(script.document(3)?.decision == nil && script.document(3)?.isRecorded == false)
    }

    @Test func aDurableJobsDecisionGoesWithItsResult() {
        var script = script()
        script.submit(1, wait: true) { $0.policy = "audited" }
        script.persisted(1)
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200"])
        #expect(script.decided.map(\.number) == [script.core.jobSeed &+ 1])
        #expect(script.recorded(1, failure: "the disk is full") == ["reply 1: 503 journal_unavailable"])
    }

    // MARK: Policies

    private static let draft = #"{"policy": {"review": 0.05, "block": 0.06}}"#

    @Test func aNewVersionDecidesFromItsActivationOn() {
        var script = script()
        #expect(script.ask(1, .putPolicy, body: Self.draft) == ["ask 1"])
        #expect(script.handle(.answered(1, .stored)) == ["reply 1"])
        #expect(script.members(1)?.contains(#""version":2"#) == true)
        // A job that began before is decided by what is active when it is decided.
        script.classify(2)
        script.classify(3)
        script.score("r1", 2, logit: -2)
        script.score("i1", 2, logit: -2)
        #expect(script.ask(4, .activatePolicy, body: #"{"version": 2}"#) == ["ask 4"])
        script.handle(.answered(4, .stored))
        script.score("r1", 3, logit: -2)
        script.score("i1", 3, logit: -2)
        #expect(script.document(2)?.verdict?.action == .allow && script.document(2)?.verdict?.policyVersion == 1)
        #expect(script.document(3)?.verdict?.action == .block && script.document(3)?.verdict?.policyVersion == 2)
        // And back, for one tenant.
        script.ask(5, .activatePolicy, body: #"{"version": 1, "tenant": "shop"}"#)
        script.handle(.answered(5, .stored))
        script.classify(6, from: Self.shop)
        script.score("r1", 6, logit: -2)
        script.score("i1", 6, logit: -2)
        #expect(script.document(6)?.verdict?.policyVersion == 1)
    }

    @Test func aChangeThatIsNotStoredDoesNotHappen() {
        var script = script()
        script.ask(1, .putPolicy, body: Self.draft)
        #expect(script.ask(2, .putPolicy, body: Self.draft) == ["reply 2: 503 policy_changing"])
        #expect(script.handle(.answered(1, .failed("the disk is full"))) == ["reply 1: 503 journal_unavailable"])
        #expect(script.core.policies.versions(of: "default")?.count == 1)
        script.ask(3, .putPolicy, body: Self.draft)
        script.handle(.answered(3, .stored))
        #expect(script.core.policies.versions(of: "default")?.count == 2)
    }

    @Test(
        arguments: [
            (.putPolicy, "", "422 body_invalid", "policy is missing"),
            (.putPolicy, "{", "422 body_invalid", "not JSON"),
            (.putPolicy, #"{"policy": {"review": 0.5}}"#, "422 body_invalid", "policy.block is missing"),
            (.putPolicy, #"{"policy": {"review": 0.5, "block": 0.4}}"#, "422 policy_invalid", "review <= block"),
            (.putPolicy, #"{"policy": {"review": 0.5, "block": 0.6, "x": 1}}"#, "422 body_invalid", "'x'"),
            (
                .putPolicy, #"{"policy": {"review": 0.5, "block": 0.6, "shadow": ["default@9"]}}"#,
                "422 policy_invalid",
                "default@9"
            ),
            (.activatePolicy, #"{"version": 9}"#, "404 unknown_policy", "the latest is 1"),
            (.activatePolicy, #"{"version": 1, "tenant": ""}"#, "422 policy_invalid", "tenant"),
            (.decisions, #"{"limit": 1001}"#, "422 body_invalid", "limit must be from 1 to 1000"),
            (.decisions, #"{"action": "shrug"}"#, "422 body_invalid", "action has a value that is not known"),
            (.erase, "", "400 malformed_header", "'subject'"),
            (.replay, "", "404 unknown_decision", "16 hexadecimal digits"),
            (.policies, #"{"name": "none"}"#, "404 unknown_policy", "'none'"),
        ] as [(Verb, String, String, String)])
    func badRequestsAreRefusedWithTheReason(verb: Verb, body: String, answer: String, reason: String) {
        var script = script()
        #expect(script.ask(1, verb, body: body) == ["reply 1: \(answer)"])
        #expect(
            script.document(1)?.error?.message.contains(reason) == true, "\(script.document(1)?.error?.message ?? "")")
    }

    @Test func aTenantSeesItsOwnDecisionsAndChangesNothing() {
        var script = script()
        for (token, verb) in [(1, Verb.putPolicy), (2, .activatePolicy), (3, .verify)] {
            #expect(script.ask(token, verb, body: Self.draft, from: Self.shop) == ["reply \(token): 400 not_allowed"])
        }
        script.ask(4, .decisions, body: "", from: Self.shop)
        guard case .page(let own)? = script.questions[4] else { return #expect(Bool(false), "no page was asked for") }
        #expect(own.tenants == .one("shop"))
        #expect(
            script.ask(5, .decisions, body: #"{"tenant": "forum"}"#, from: Self.shop) == ["reply 5: 400 not_allowed"])
        script.ask(6, .decisions, body: #"{"tenant": "forum"}"#)
        guard case .page(let forum)? = script.questions[6] else { return #expect(Bool(false), "no page was asked for") }
        #expect(forum.tenants == .one("forum"))
        let client = Principal(.key("shop"), .client)
        script.ask(7, .erase, body: "", from: client) { $0.subject = Subject(type: "user", id: "u1") }
        #expect(script.questions[7] == .erase(Subject(type: "user", id: "u1"), .one("shop")))
    }

    // MARK: Trials and erasures

    @Test func aTrialIsDoneInParts() {
        var script = script()
        #expect(script.ask(1, .tryPolicy, body: #"{"policy": {"review": 0.1, "block": 0.2}, "since": 7}"#) == ["ask 1"])
        guard case .attempt(_, let query)? = script.questions[1] else {
            return #expect(Bool(false), "nothing is tried")
        }
        #expect(query.since == 7)
        var part = PolicyTrial()
        part.skip()
        #expect(script.handle(.answered(1, .attempted(part, next: 500))) == ["ask 1"])
        guard case .attempt(_, let next)? = script.questions[1] else {
            return #expect(Bool(false), "it ends too early")
        }
        #expect(next.since == 500)
        #expect(script.handle(.answered(1, .attempted(part, next: nil))) == ["reply 1"])
        #expect(script.members(1)?.contains(#""skipped":2"#) == true)
    }

    @Test func aStoredVersionCanBeTried() {
        var script = script()
        #expect(script.ask(1, .tryPolicy, body: #"{"policy": "strict@1"}"#) == ["ask 1"])
        guard case .attempt(let version, _)? = script.questions[1] else {
            return #expect(Bool(false), "nothing is tried")
        }
        #expect(version.reference == PolicyReference(name: "strict", version: 1))
        #expect(script.ask(2, .tryPolicy, body: #"{"policy": "strict@2"}"#) == ["reply 2: 404 unknown_policy"])
        #expect(script.ask(3, .tryPolicy, body: #"{"policy": "strict"}"#) == ["reply 3: 422 body_invalid"])
    }

    @Test func anErasureCancelsTheSubjectsJobsAndForgetsItsResults() {
        var script = script()
        let subject = Subject(type: "user", id: "u1")
        script.classify(1) { ($0.subject, $0.idempotencyKey) = (subject, "k") }
        script.score("r1", 1)
        script.score("i1", 1)
        script.classify(2) { $0.subject = subject }
        script.classify(3) { $0.subject = Subject(type: "user", id: "u2") }
        #expect(script.ask(4, .erase, body: "") { $0.subject = subject } == ["reply 2: 408 cancelled", "ask 4"])
        // The key's result is gone, so the image is judged again.
        #expect(
            script.classify(5) { ($0.subject, $0.idempotencyKey) = (subject, "k") } == ["job 5 to r1", "job 5 to i1"])
        script.score("r1", 3)
        #expect(script.score("i1", 3) == ["reply 3: 200"])
    }

    @Test func whoeverWaitsForTheLedgerIsAnsweredWhenTheRouterStops() {
        var script = script()
        script.ask(1, .decisions, body: "")
        #expect(script.handle(.drain) == [])
        #expect(script.handle(.abandon).contains("reply 1: 503 draining"))
    }

    // MARK: Shadows

    @Test func shadowPoliciesAreRecordedAndChangeNothing() throws {
        let ensemble = try Ensemble(
            models: ["resnet", "inception"],
            merge: [
                (["resnet"], .init(bias: 0, weights: [1])), (["inception"], .init(bias: 0, weights: [1])),
                (["resnet", "inception"], .init(bias: 0, weights: [0.5, 0.5])),
            ],
            policies: [
                "default": Policy(review: 0.5, block: 0.9, shadow: [PolicyReference(name: "strict", version: 1)]),
                "strict": Policy(review: 0.1, block: 0.2),
            ])
        var script = script(ensemble)
        script.classify(1)
        script.score("r1", 1, logit: -1)
        script.score("i1", 1, logit: -1)
        #expect(script.document(1)?.verdict?.action == .allow)
        #expect(script.decided[0].body.shadow.map(\.action) == [.block])
        #expect(script.decided[0].body.shadow.map(\.policy) == ["strict"])
    }
}

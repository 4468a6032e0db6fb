import BifronsWire
import Decisions
import TestKit
import Testing

@testable import RouterCore

/// Requests with the same key get the same result, which is computed once.
struct IdempotencyTableTests {
    private func classifyWithKey(
        _ script: inout Script, _ token: Int, _ change: (inout RequestHeader) -> Void = { _ in }
    )
        -> [String]
    {
        script.classify(token) {
            $0.idempotencyKey = "k"
            $0.models = ["resnet"]
            change(&$0)
        }
    }

    private func scriptWithOneWorker() -> Script {
        var script = Script()
        script.join("r1")
        return script
    }

    @Test func requestsWithTheSameKeyAreComputedOnceAndAllAnswered() {
        var script = scriptWithOneWorker()
        #expect(classifyWithKey(&script, 1) == ["job 1 to r1"])
        script.wait(.milliseconds(10))
        #expect(classifyWithKey(&script, 2) { $0.metadata = Array(#"{"n":2}"#.utf8) } == [])
        script.wait(.milliseconds(10))
        #expect(script.score("r1", 1, logit: 1) == ["reply 1: 200", "reply 2: 200"])
        let (first, second) = (script.document(1), script.document(2))
        #expect(first?.verdict == second?.verdict)
        #expect(second?.id == "job 2")
        #expect(second?.metadata == Array(#"{"n":2}"#.utf8))
        #expect(first?.metadata == nil)
        #expect(first?.totalMilliseconds == 20)
        #expect(second?.totalMilliseconds == 10)
        #expect(script.status.counters.deduplicated == 1)
    }

    @Test func aRepeatedRequestGetsTheStoredResult() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1, logit: 1)
        script.wait(.seconds(599))
        #expect(classifyWithKey(&script, 2) { $0.id = nil } == ["reply 2: 200"])
        #expect(script.document(2)?.verdict == script.document(1)?.verdict)
        #expect(script.document(2)?.id == nil)
        #expect(script.document(2)?.totalMilliseconds == 0)
    }

    @Test func aStoredResultIsReturnedWithoutWorkersAndWhileDraining() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1)
        script.lose("r1")
        script.handle(.drain)
        #expect(classifyWithKey(&script, 2) == ["reply 2: 200"])
    }

    @Test func aStoredResultOmitsTheIDAndMetadataOfItsRequest() {
        var table = IdempotencyTable(retention: .seconds(1), maxEntries: 1)
        let now = Instant(nanoseconds: 0)
        var document = ResultDocument(id: "a", status: .ok)
        document.metadata = Array("{}".utf8)
        let key = ScopedKey(jobOwner: JobOwner(key: nil), key: "k")
        let content = KeyedContent(RequestHeader(verb: .classify), sha256: [1])
        _ = table.join(key, 1, RequestTable())
        _ = table.store(document, for: key, content, at: now)
        let kept = table.result(for: key, at: now)
        #expect(kept?.document == ResultDocument(id: nil, status: .ok))
        #expect(kept?.content == content)
    }

    // MARK: The content of a key

    private static let mismatch = "422 idempotency_mismatch"

    /// Headers that ask for something else than `classifyWithKey` does by default, with the name that the error gives
    /// the difference.
    private static let others: [(String, @Sendable (inout RequestHeader) -> Void)] = [
        ("'models'", { $0.models = ["inception"] }), ("'models'", { $0.models = nil }),
        ("'models'", { $0.models = ["resnet", "inception"] }), ("'require'", { $0.requirement = .all }),
        ("'explain'", { $0.explain = true }),
    ]

    @Test func aKeyWithAnotherImageIsAMismatchBeforeAndAfterTheResult() {
        var script = scriptWithOneWorker()
        func ask(_ token: Int, _ image: Character, durable: Bool = false) -> [String] {
            script.classify(token, image: image) {
                ($0.idempotencyKey, $0.models, $0.durable) = ("k", ["resnet"], durable)
                $0.metadata = Array("{}".utf8)
            }
        }
        #expect(ask(1, "a") == ["job 1 to r1"])
        #expect(ask(2, "b") == ["reply 2: \(Self.mismatch)"])
        #expect(ask(3, "b", durable: true) == ["reply 3: \(Self.mismatch)"])
        #expect(script.document(2)?.id == "job 2")
        #expect(script.document(2)?.metadata == Array("{}".utf8))
        #expect(
            script.document(2)?.error?.message
                == "the field 'idempotency_key' has the key of a job with another image; give this job a key of its own"
        )
        script.score("r1", 1)
        #expect(ask(4, "b") == ["reply 4: \(Self.mismatch)"])
        #expect(ask(5, "b", durable: true) == ["reply 5: \(Self.mismatch)"])
        #expect(ask(6, "a") == ["reply 6: 200"])
        script.wait(.seconds(600))
        #expect(ask(7, "b") == ["job 7 to r1"])
        // Neither a refused request nor its content is remembered.
        #expect(script.status.counters.accepted == 2)
    }

    @Test(arguments: others.indices) func aKeyWithOtherModelsOrOptionsIsAMismatch(index: Int) {
        let (name, change) = Self.others[index]
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        #expect(classifyWithKey(&script, 2, change) == ["reply 2: \(Self.mismatch)"])
        #expect(script.document(2)?.error?.message.contains("another \(name)") == true)
        script.score("r1", 1)
        #expect(classifyWithKey(&script, 3, change) == ["reply 3: \(Self.mismatch)"])
    }

    @Test func requestsWithOneKeyMayDifferInBudgetPriorityAndMetadata() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1)
        #expect(
            classifyWithKey(&script, 2) {
                ($0.budgetMilliseconds, $0.priority, $0.wait) = (7, 9, false)
                $0.metadata = Array("{}".utf8)
            } == ["reply 2: 200"])
    }

    @Test func aKeyMayBeUsedForAnotherImageAfterATimeout() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1) { $0.budgetMilliseconds = 100 }
        script.wait(.milliseconds(100))
        #expect(
            script.classify(2, image: "b") { ($0.idempotencyKey, $0.models) = ("k", ["resnet"]) } == ["job 2 to r1"])
    }

    @Test func aMissingEmptyOrTooLargeImageIsRefusedDespiteAKnownKey() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1)
        for (token, bytes, reply) in [
            (2, nil, "400 image_missing"), (3, 0, "422 image_empty"), (4, 1 << 30, "413 image_too_large"),
        ] as [(Int, Int?, String)] {
            let lines = script.classify(token, bytes: bytes) { ($0.idempotencyKey, $0.models) = ("k", ["resnet"]) }
            #expect(lines == ["reply \(token): \(reply)"])
        }
    }

    // MARK: Another policy

    @Test func requestsWithOneKeyAreEachDecidedByTheirOwnPolicy() throws {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        _ = classifyWithKey(&script, 2) { $0.policy = "strict" }
        // 0.1 + 1.5 · (-1) gives a probability of 0.198.
        #expect(script.score("r1", 1, logit: -1) == ["reply 1: 200", "reply 2: 200"])
        _ = classifyWithKey(&script, 3) { $0.policy = "strict" }
        _ = classifyWithKey(&script, 4)
        let verdicts = try (1...4).map { try #require(script.document($0)?.verdict) }
        #expect(verdicts.map(\.policy) == ["default", "strict", "strict", "default"])
        #expect(verdicts.map(\.action) == [.allow, .review, .review, .allow])
        #expect(Set(verdicts.map(\.aiProbability)).count == 1)
        #expect(verdicts.allSatisfy { $0.label == .real })
        #expect(script.status.verdicts.byAction == ["allow": 2, "review": 2, "block": 0])
    }

    @Test func anImageWithoutAFaceIsDecidedAgainByEachRequestsPolicy() throws {
        var script = Script()
        script.join("r1", scoring: .sample)
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1, logit: 9)
        for (token, policy, action) in [
            (2, "careful", ResultDocument.PolicyAction.block), (3, "easy", .allow), (4, "strict", .review),
        ] {
            _ = classifyWithKey(&script, token) { $0.policy = policy }
            let verdict = ResultDocument.Verdict(label: .noFace, aiProbability: nil, action: action, policy: policy)
            #expect(script.document(token)?.verdict?.unversioned == verdict)
        }
    }

    @Test func anUnknownPolicyIsRefusedUnlessTheStoredResultIsAnError() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1)
        #expect(classifyWithKey(&script, 2) { $0.policy = "none" } == ["reply 2: 404 unknown_policy"])
        _ = script.classify(3) { ($0.idempotencyKey, $0.models) = ("broken", ["resnet"]) }
        script.fail("r1", 3, .unprocessable, code: "image_truncated")
        let lines = script.classify(4) {
            ($0.idempotencyKey, $0.models, $0.policy) = ("broken", ["resnet"], "strict")
        }
        #expect(lines == ["reply 4: 422 image_truncated"])
    }

    @Test func aResultExpiresAfterItsRetention() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.score("r1", 1)
        script.wait(.seconds(600))
        #expect(classifyWithKey(&script, 2) == ["job 2 to r1"])
        script.score("r1", 2)
        #expect(classifyWithKey(&script, 3) == ["reply 3: 200"])
    }

    @Test func aFullTableDropsTheOldestResults() {
        var script = Script { $0.idempotencyEntries = 2 }
        script.join("r1")
        for (token, key) in [(1, "a"), (2, "b"), (3, "c")] {
            _ = classifyWithKey(&script, token) { $0.idempotencyKey = key }
            script.score("r1", token)
        }
        #expect(classifyWithKey(&script, 4) { $0.idempotencyKey = "b" } == ["reply 4: 200"])
        #expect(classifyWithKey(&script, 5) { $0.idempotencyKey = "a" } == ["job 5 to r1"])
    }

    @Test func storesNoResultsWithALimitOfZero() {
        var script = Script { $0.idempotencyEntries = 0 }
        script.join("r1")
        _ = classifyWithKey(&script, 1)
        _ = classifyWithKey(&script, 2)
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 2: 200"])
        #expect(classifyWithKey(&script, 3) == ["job 3 to r1"])
    }

    @Test func anErrorOfTheImageItselfIsStored() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        script.fail("r1", 1, .unprocessable, code: "image_truncated")
        #expect(classifyWithKey(&script, 2) == ["reply 2: 422 image_truncated"])
    }

    @Test func aFollowerTakesOverWhenTheLeaderTimesOut() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1) { $0.budgetMilliseconds = 100 }
        _ = classifyWithKey(&script, 2)
        _ = classifyWithKey(&script, 3)
        #expect(script.wait(.milliseconds(100)) == ["reply 1: 408 budget_spent", "job 2 to r1"])
        #expect(script.score("r1", 1) == [])
        #expect(script.score("r1", 2) == ["reply 2: 200", "reply 3: 200"])
    }

    @Test func aFollowerTakesOverWhenTheLeaderIsCancelled() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        _ = classifyWithKey(&script, 2)
        #expect(
            script.ask(3, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 3: 200", "job 2 to r1"])
    }

    @Test func aFollowerHasABudgetOfItsOwn() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1)
        _ = classifyWithKey(&script, 2) { $0.budgetMilliseconds = 50 }
        _ = classifyWithKey(&script, 3)
        #expect(script.wait(.milliseconds(50)) == ["reply 2: 408 budget_spent"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 3: 200"])
    }

    @Test func aFollowerThatTimedOutCannotTakeOver() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1) { $0.budgetMilliseconds = 100 }
        _ = classifyWithKey(&script, 2) { $0.budgetMilliseconds = 50 }
        _ = classifyWithKey(&script, 3)
        script.wait(.milliseconds(50))
        #expect(script.wait(.milliseconds(50)) == ["reply 1: 408 budget_spent", "job 3 to r1"])
    }

    @Test func followersThatTimeOutWithTheLeaderDoNotTakeOver() {
        var script = scriptWithOneWorker()
        for token in 1...3 { _ = classifyWithKey(&script, token) { $0.budgetMilliseconds = 100 } }
        #expect(
            script.wait(.milliseconds(100)) == [
                "reply 1: 408 budget_spent", "reply 2: 408 budget_spent", "reply 3: 408 budget_spent",
            ])
        #expect(classifyWithKey(&script, 4) == ["job 4 to r1"])
    }

    @Test func aKeyIsFreeAgainAfterItsOnlyRequestTimedOut() {
        var script = scriptWithOneWorker()
        _ = classifyWithKey(&script, 1) { $0.budgetMilliseconds = 100 }
        script.wait(.milliseconds(100))
        #expect(classifyWithKey(&script, 2) == ["job 2 to r1"])
    }

    /// As many as the queue holds, to show that followers do not end by deep recursion.
    @Test func thousandsOfFollowersAreAllRefusedWhenNoWorkerIsLeft() {
        var script = Script { $0.maxClientJobs = 4000 }
        script.join("r1")
        for token in 1...4000 {
            _ = classifyWithKey(&script, token) { $0.budgetMilliseconds = token == 1 ? 100 : 5000 }
        }
        script.lose("r1")
        #expect(script.wait(.milliseconds(100)).count == 4000)
        #expect(script.document(4000)?.error?.code == "no_worker")
        #expect(script.core.jobsInHand == 0)
    }

    @Test func aRefusedRequestLeavesItsKeyFree() {
        var script = Script()
        #expect(classifyWithKey(&script, 1) == ["reply 1: 503 no_worker"])
        script.join("r1")
        #expect(classifyWithKey(&script, 2) == ["job 2 to r1"])
    }
}

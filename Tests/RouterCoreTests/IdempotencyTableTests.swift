import Testing
import Wire

@testable import RouterCore

/// The same key, the same result, computed once.
struct IdempotencyTableTests {
    private func keyed(_ script: inout Script, _ token: Int, _ change: (inout RequestHeader) -> Void = { _ in })
        -> [String]
    {
        script.classify(token) {
            $0.idempotencyKey = "k"
            $0.models = ["resnet"]
            change(&$0)
        }
    }

    private func started() -> Script {
        var script = Script()
        script.join("r1")
        return script
    }

    @Test func requestsWithTheSameKeyAreComputedOnceAndAllAnswered() {
        var script = started()
        #expect(keyed(&script, 1) == ["job 1 to r1"])
        script.wait(.milliseconds(10))
        #expect(keyed(&script, 2) { $0.metadata = Array(#"{"n":2}"#.utf8) } == [])
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

    @Test func aLaterRepeatGetsTheResultThatIsKept() {
        var script = started()
        _ = keyed(&script, 1)
        script.score("r1", 1, logit: 1)
        script.wait(.seconds(599))
        #expect(keyed(&script, 2) { $0.id = nil } == ["reply 2: 200"])
        #expect(script.document(2)?.verdict == script.document(1)?.verdict)
        #expect(script.document(2)?.id == nil)
        #expect(script.document(2)?.totalMilliseconds == 0)
    }

    @Test func aKeptResultAnswersWithoutWorkersAndWhileDraining() {
        var script = started()
        _ = keyed(&script, 1)
        script.score("r1", 1)
        script.lose("r1")
        script.handle(.drain)
        #expect(keyed(&script, 2) == ["reply 2: 200"])
    }

    @Test func whatIsKeptIsNotTheLeadersOwn() {
        var table = IdempotencyTable(retention: .seconds(1), maxEntries: 1)
        let now = Instant(nanoseconds: 0)
        var document = ResultDocument(id: "a", status: .ok)
        document.metadata = Array("{}".utf8)
        _ = table.join("k", 1, Ledger())
        _ = table.store(document, for: "k", at: now)
        let kept = table.result(for: "k", at: now)
        #expect(kept == ResultDocument(id: nil, status: .ok))
    }

    @Test func aResultExpiresAfterItsRetention() {
        var script = started()
        _ = keyed(&script, 1)
        script.score("r1", 1)
        script.wait(.seconds(600))
        #expect(keyed(&script, 2) == ["job 2 to r1"])
        script.score("r1", 2)
        #expect(keyed(&script, 3) == ["reply 3: 200"])
    }

    @Test func theOldestResultsMakeRoom() {
        var script = Script { $0.idempotencyEntries = 2 }
        script.join("r1")
        for (token, key) in [(1, "a"), (2, "b"), (3, "c")] {
            _ = keyed(&script, token) { $0.idempotencyKey = key }
            script.score("r1", token)
        }
        #expect(keyed(&script, 4) { $0.idempotencyKey = "b" } == ["reply 4: 200"])
        #expect(keyed(&script, 5) { $0.idempotencyKey = "a" } == ["job 5 to r1"])
    }

    @Test func resultsNeedNotBeKept() {
        var script = Script { $0.idempotencyEntries = 0 }
        script.join("r1")
        _ = keyed(&script, 1)
        _ = keyed(&script, 2)
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 2: 200"])
        #expect(keyed(&script, 3) == ["job 3 to r1"])
    }

    @Test func theVerdictOnThePictureItselfIsKept() {
        var script = started()
        _ = keyed(&script, 1)
        script.fail("r1", 1, .unprocessable, code: "image_truncated")
        #expect(keyed(&script, 2) == ["reply 2: 422 image_truncated"])
    }

    @Test func aFollowerTakesOverWhenTheLeaderTimesOut() {
        var script = started()
        _ = keyed(&script, 1) { $0.budgetMilliseconds = 100 }
        _ = keyed(&script, 2)
        _ = keyed(&script, 3)
        #expect(script.wait(.milliseconds(100)) == ["reply 1: 408 budget_spent", "job 2 to r1"])
        #expect(script.score("r1", 1) == [])
        #expect(script.score("r1", 2) == ["reply 2: 200", "reply 3: 200"])
    }

    @Test func aFollowerTakesOverWhenTheLeaderIsCancelled() {
        var script = started()
        _ = keyed(&script, 1)
        _ = keyed(&script, 2)
        #expect(
            script.ask(3, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 3: 200", "job 2 to r1"])
    }

    @Test func aFollowerHasABudgetOfItsOwn() {
        var script = started()
        _ = keyed(&script, 1)
        _ = keyed(&script, 2) { $0.budgetMilliseconds = 50 }
        _ = keyed(&script, 3)
        #expect(script.wait(.milliseconds(50)) == ["reply 2: 408 budget_spent"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "reply 3: 200"])
    }

    @Test func aFollowerThatIsOverCannotTakeOver() {
        var script = started()
        _ = keyed(&script, 1) { $0.budgetMilliseconds = 100 }
        _ = keyed(&script, 2) { $0.budgetMilliseconds = 50 }
        _ = keyed(&script, 3)
        script.wait(.milliseconds(50))
        #expect(script.wait(.milliseconds(50)) == ["reply 1: 408 budget_spent", "job 3 to r1"])
    }

    @Test func followersWhoseTimeIsUpWithTheLeadersAreNotStarted() {
        var script = started()
        for token in 1...3 { _ = keyed(&script, token) { $0.budgetMilliseconds = 100 } }
        #expect(
            script.wait(.milliseconds(100)) == [
                "reply 1: 408 budget_spent", "reply 2: 408 budget_spent", "reply 3: 408 budget_spent",
            ])
        #expect(keyed(&script, 4) == ["job 4 to r1"])
    }

    @Test func aKeyWhoseLeaderFailedIsFreeAgain() {
        var script = started()
        _ = keyed(&script, 1) { $0.budgetMilliseconds = 100 }
        script.wait(.milliseconds(100))
        #expect(keyed(&script, 2) == ["job 2 to r1"])
    }

    /// As many as the queue holds, without a deep stack.
    @Test func thousandsOfFollowersEndOneByOneWithoutAWorker() {
        var script = Script { $0.maxClientJobs = 4000 }
        script.join("r1")
        for token in 1...4000 { _ = keyed(&script, token) { $0.budgetMilliseconds = token == 1 ? 100 : 5000 } }
        script.lose("r1")
        #expect(script.wait(.milliseconds(100)).count == 4000)
        #expect(script.document(4000)?.error?.code == "no_worker")
        #expect(script.core.jobsInHand == 0)
    }

    @Test func refusedRequestsDoNotTakeTheKey() {
        var script = Script()
        #expect(keyed(&script, 1) == ["reply 1: 503 no_worker"])
        script.join("r1")
        #expect(keyed(&script, 2) == ["job 2 to r1"])
    }
}

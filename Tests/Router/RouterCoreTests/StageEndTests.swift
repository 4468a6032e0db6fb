import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// How jobs with two stages end and start: budgets, cancelling, draining, missing locators, the journal and keys.
struct StageEndTests {
    // MARK: Ends

    @Test func aJobTimesOutInEachStage() {
        var script = Script.byHand(["l1", "r1"], credit: 1)
        for token in 1...3 { script.classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 100) } }
        script.cut("l1", 1)
        // One job is being scored, one is being cut, and one waits to be cut.
        #expect(
            script.wait(.milliseconds(100)) == [
                "reply 1: 408 budget_spent", "reply 2: 408 budget_spent", "reply 3: 408 budget_spent",
            ])
        #expect((1...3).map { script.document($0)?.attempts } == [1, 1, 0])
        #expect((1...3).map { script.document($0)?.image } == [.sample, nil, nil])
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
        #expect(script.cut("l1", 2) == [] && script.score("r1", 1) == [])
        #expect(script.kept.isEmpty)
        #expect(script.status.counters.late == 2)
        #expect(script.status.models.map(\.waiting) == [0, 0, 0])
        #expect(script.status.models.map(\.inFlight) == [0, 0, 0])
    }

    @Test func aJobCanBeCancelledInEachStage() {
        var script = Script.byHand(["l1", "r1"], credit: 1)
        for token in 1...4 { script.classify(token) { $0.models = ["resnet"] } }
        script.cut("l1", 1)
        #expect(script.ask(11, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 11: 200"])
        #expect(script.ask(12, .cancel, id: "job 2") == ["reply 2: 408 cancelled", "reply 12: 200"])
        #expect(script.ask(13, .cancel, id: "job 3") == ["reply 3: 408 cancelled", "reply 13: 200"])
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
        // The workers have no free credit until they answer.
        #expect(script.cut("l1", 2) == ["image 4 to l1"])
        #expect(script.cut("l1", 4) == [])
        #expect(script.score("r1", 1) == ["job 4 to r1"])
        #expect(script.handle(.clientsGone([4])) == ["reply 4: 408 cancelled"])
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
    }

    @Test func abandonAnswersTheRemainingJobsOfEachStage() {
        var script = Script.byHand(["l1", "r1"], credit: 1)
        for token in 1...3 { script.classify(token) { $0.models = ["resnet"] } }
        script.cut("l1", 1)
        #expect(
            script.handle(.abandon) == [
                "reply 1: 503 draining", "reply 2: 503 draining", "reply 3: 503 draining", "bye l1", "bye r1",
                "drained",
            ])
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
    }

    @Test func drainFinishesBothStages() {
        var script = Script.byHand(["l1", "r1"])
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.handle(.drain) == [])
        #expect(script.cut("l1", 1) == ["job 1 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "bye l1", "bye r1", "drained"])
    }

    // MARK: Without a locator

    @Test func aJobIsRefusedWithoutALocator() {
        var script = Script.byHand(["r1", "i1"])
        #expect(script.classify(1) == ["reply 1: 503 no_worker"])
        #expect(script.document(1)?.error?.message == "no worker serves locator")
        script.join("l1")
        script.say("l1", script["l1"].drain)
        #expect(script.classify(2) == ["reply 2: 503 no_worker"])
    }

    @Test func jobWaitsForTheFirstLocator() {
        var script = Script.byHand(["r1", "i1"]) { $0.workerWait = .seconds(2) }
        #expect(script.classify(1) == [])
        #expect(script.status.models.map(\.waiting) == [0, 0, 1])
        #expect(script.wait(.milliseconds(1999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 503 no_worker"])
        #expect(
            script.document(1)?.models.map { $0.error?.message } == [
                "no worker serves locator", "no worker serves locator",
            ])
        script.classify(2)
        script.wait(.seconds(1))
        #expect(script.join("l1") == ["welcome l1", "image 2 to l1"])
        #expect(script.wait(.seconds(2)) == [])
        #expect(script.cut("l1", 2) == ["job 2 to r1", "job 2 to i1"])
    }

    /// A failure of the first stage also fails the second. The request is answered only once.
    @Test func aJobWithoutLocatorAndModelsIsAnsweredOnce() {
        var script = Script.byHand([]) { $0.workerWait = .seconds(2) }
        script.classify(1)
        #expect(script.wait(.seconds(2)) == ["reply 1: 503 no_worker"])
        #expect(script.core.jobsInHand == 0 && script.core.nextDeadline == nil)
        #expect(script.status.models.map(\.waiting) == [0, 0, 0])
    }

    // MARK: Durable jobs and keys

    @Test func aDurableJobIsCutOnlyAfterItIsOnDisk() {
        var script = Script.byHand { $0.keepsJournal = true }
        #expect(script.submit(1) == ["persist 1"])
        #expect(script.persisted(1) == ["acknowledge 1: 202", "image 1 to l1"])
        #expect(script.cut("l1", 1) == ["job 1 to r1", "job 1 to i1"])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
        // The crops are released before the result is on disk.
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
    }

    @Test func anAcknowledgedJobWaitsForANewLocatorIfItsLocatorLeft() {
        var script = Script.byHand(["l1", "r1", "i1"]) { $0.keepsJournal = true }
        script.submit(1)
        script.lose("l1")
        #expect(script.persisted(1) == ["acknowledge 1: 202"])
        #expect(script.wait(.seconds(4)) == [])
        #expect(script.join("l2") == ["welcome l2", "image 1 to l2"])
    }

    @Test func aRecoveredJobWaitsForAMissingModelForHalfOfItsBudget() {
        var script = Script.byHand([]) { $0.keepsJournal = true }
        script.recover(1, job: 77)
        script.recover(2, job: 78) { $0.models = ["resnet"] }
        #expect(script.join("l1") == ["welcome l1"])
        #expect(script.join("r1") == ["welcome r1", "image 2 to l1"])
        #expect(script.wait(.milliseconds(2499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["image 1 to l1"])
        #expect(script.cut("l1", 1) == ["job 1 to r1"])
        script.score("r1", 1)
        #expect(script.wait(.milliseconds(2500)) == ["record 1: 206", "release 1", "record 2: 408", "release 2"])
    }

    @Test func followersAreNotCutUntilTheyTakeOver() {
        var script = Script.byHand()
        for token in 1...3 { script.classify(token) { ($0.idempotencyKey, $0.models) = ("k", ["resnet"]) } }
        #expect(script.status.models.map(\.inFlight) == [0, 0, 1])
        // The next follower takes over and gets crops of its own.
        #expect(script.ask(9, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 9: 200", "image 2 to l2"])
        #expect(script.cut("l1", 1) == [])
        #expect(script.cut("l2", 2) == ["job 2 to r1"])
        #expect(script.score("r1", 2) == ["reply 2: 200", "reply 3: 200"])
        #expect(script.document(3)?.locator == script.document(2)?.locator)
    }
}

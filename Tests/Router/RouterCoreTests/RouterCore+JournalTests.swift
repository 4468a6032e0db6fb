import BifronsWire
import Decisions
import TestKit
import Testing

@testable import RouterCore

/// Durable jobs in the core.
struct RouterCoreJournalTests {
    private func script(_ configure: (inout RouterCore.Configuration) -> Void = { _ in }) -> Script {
        var script = Script {
            $0.keepsJournal = true
            configure(&$0)
        }
        script.join("r1")
        script.join("i1")
        return script
    }

    // MARK: Acknowledging

    @Test func aDurableJobIsAcknowledgedOnceItIsOnDisk() {
        var script = script()
        #expect(script.submit(1) == ["persist 1"])
        #expect(script.core.jobsUnfinishedOnDisk == 0)
        #expect(script.persisted(1) == ["acknowledge 1: 202", "job 1 to r1", "job 1 to i1"])
        #expect(script.core.jobsUnfinishedOnDisk == 1)
        #expect(script.score("r1", 1) == [])
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
        #expect(script.core.jobsUnfinishedOnDisk == 1)
        #expect(script.recorded(1) == [])
        #expect(script.core.jobsUnfinishedOnDisk == 0)
        #expect(script.status.counters.repliesByStatus["202"] == 1)
    }

    @Test func aWaitingClientIsAnsweredOnceTheResultIsOnDisk() {
        var script = script()
        script.submit(1, wait: true)
        #expect(script.persisted(1) == ["job 1 to r1", "job 1 to i1"])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200"])
        #expect(script.recorded(1) == ["reply 1: 200"])
    }

    @Test func aResultThatCannotBeWrittenIsStillReturned() {
        var script = script()
        script.submit(1, wait: true)
        script.persisted(1)
        script.score("r1", 1)
        script.score("i1", 1)
        #expect(script.recorded(1, failure: "the disk is full") == ["reply 1: 200"])
    }

    @Test func aJobThatCannotBeJournalledIsRefusedAndOtherJobsAreServed() {
        var script = script()
        script.submit(1)
        #expect(script.persisted(1, .failed("the disk is full")) == ["reply 1: 503 journal_unavailable"])
        #expect(
            script.document(1)?.error?.message
                == "the journal cannot be used now: the disk is full; try again later, or send jobs without 'durable'")
        #expect(script.classify(2) == ["job 2 to r1", "job 2 to i1"])
        // Every durable job tries the disk again.
        script.submit(3)
        #expect(script.persisted(3).first == "acknowledge 3: 202")
    }

    @Test func withoutAJournalDurableJobsAreRefused() {
        var script = Script()
        script.join("r1")
        #expect(script.submit(1) == ["reply 1: 503 journal_unavailable"])
        #expect(script.ask(2, .fetch, id: "job 1") == ["reply 2: 404 unknown_job"])
    }

    @Test func aJobTimesOutWhileTheJournalIsSlow() {
        var script = script()
        script.submit(1, wait: true) { $0.budgetMilliseconds = 100 }
        #expect(script.wait(.milliseconds(100)) == ["record 1: 408", "reply 1: 408 budget_spent"])
        #expect(script.persisted(1) == [])
        #expect(script.recorded(1) == [])
        #expect(script.core.jobsInHand == 0)
    }

    @Test func anAcknowledgedJobThatTimesOutRecordsTheTimeout() {
        var script = script()
        script.submit(1) { $0.budgetMilliseconds = 100 }
        script.persisted(1)
        #expect(script.wait(.milliseconds(100)) == ["record 1: 408", "release 1"])
    }

    @Test func anAcknowledgedJobWaitsForNewWorkersIfItsWorkersLeft() {
        var script = script()
        script.submit(1)
        script.lose("r1")
        script.lose("i1")
        #expect(script.persisted(1) == ["acknowledge 1: 202"])
        #expect(script.join("r2").contains("job 1 to r2"))
        #expect(script.join("i2").contains("job 1 to i2"))
    }

    @Test func aDurableJobIsAcknowledgedWhileItWaitsForItsFirstWorker() {
        var script = Script { ($0.keepsJournal, $0.workerWait) = (true, .seconds(1)) }
        #expect(script.submit(1) == ["persist 1"])
        #expect(script.persisted(1) == ["acknowledge 1: 202"])
        #expect(script.wait(.seconds(4)) == [])
        // Half of the budget is over: the image is cut for the first worker's model, and again for the other.
        #expect(script.join("r1").contains("job 1 to r1"))
        #expect(script.join("i1").contains("job 1 to i1"))
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
    }

    @Test func anAcknowledgedJobDoesNotWaitIfOnlyOneModelIsMissing() {
        var script = script()
        script.submit(1)
        script.lose("i1")
        #expect(script.persisted(1) == ["acknowledge 1: 202", "job 1 to r1"])
        #expect(script.score("r1", 1) == ["record 1: 206", "release 1"])
    }

    @Test func jobsBeingWrittenToTheJournalCountTowardsTheQueueLimit() {
        var script = script { $0.maxJobs = 1 }
        script.submit(1)
        #expect(script.classify(2) == ["reply 2: 429 queue_full"])
        script.persisted(1)
        script.score("r1", 1)
        script.score("i1", 1)
        #expect(script.classify(3) == ["reply 3: 429 queue_full"])
        script.recorded(1)
        #expect(script.classify(4) == ["job 4 to r1", "job 4 to i1"])
    }

    // MARK: Cancelling

    @Test func cancelIsAnsweredOnceItIsOnDisk() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        #expect(script.ask(2, .cancel, id: "job 1") == ["record 1: 408", "release 1"])
        #expect(script.recorded(1) == ["reply 2: 200"])
    }

    @Test func aCancelThatCannotBeWrittenFails() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        script.ask(2, .cancel, id: "job 1")
        #expect(script.recorded(1, failure: "the disk is full") == ["reply 2: 503 journal_unavailable"])
    }

    @Test func aJobMayBeCancelledBeforeItIsOnDisk() {
        var script = script()
        script.submit(1)
        #expect(script.ask(2, .cancel, id: "job 1") == ["record 1: 408", "reply 1: 408 cancelled"])
        #expect(script.persisted(1) == [])
        #expect(script.recorded(1) == ["reply 2: 200"])
    }

    // MARK: Fetching

    @Test(arguments: [
        (JournalLookupResult.running, "reply 1: 202"), (.unknown, "reply 1: 404 unknown_job"),
        (.result(ResultDocument(id: "job", status: .ok)), "reply 1: 200"),
        (.failed("the disk is gone"), "reply 1: 503 journal_unavailable"),
    ]) func aFetchIsAnsweredFromTheJournal(lookup: JournalLookupResult, reply: String) {
        var script = script()
        #expect(script.ask(1, .fetch, id: "job") == ["find job for 1"])
        #expect(script.handle(.found(1, lookup)) == [reply])
    }

    @Test func pendingFetchesAreLimited() {
        var script = script { $0.maxJobs = 1 }
        script.ask(1, .fetch, id: "a")
        #expect(script.ask(2, .fetch, id: "b") == ["reply 2: 429 queue_full"])
        #expect(script.document(2)?.retryAfterMilliseconds == 1000)
    }

    // MARK: Keys

    @Test func aKeyFromBeforeARestartReturnsItsResult() {
        var script = script()
        script.submit(1) { $0.idempotencyKey = "k" }
        var known = ResultDocument(id: "earlier", status: .ok)
        known.attempts = 2
        #expect(script.persisted(1, .known(known)) == ["reply 1: 200"])
        #expect(script.document(1)?.id == "job 1")
        #expect(script.document(1)?.attempts == 2)
    }

    @Test func durableAndOrdinaryJobsWithOneKeyAreComputedOnce() {
        var script = script()
        script.submit(1) { $0.idempotencyKey = "k" }
        script.persisted(1)
        script.submit(2) { $0.idempotencyKey = "k" }
        #expect(script.persisted(2) == ["acknowledge 2: 202"])
        #expect(script.classify(3) { $0.idempotencyKey = "k" } == [])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1", "record 2: 200", "release 2", "reply 3: 200"])
        script.submit(4) { $0.idempotencyKey = "k" }
        #expect(script.persisted(4) == ["acknowledge 4: 202", "record 4: 200", "release 4"])
    }

    @Test(arguments: [false, true]) func aKeyFromBeforeARestartIsRefusedForOtherContent(wait: Bool) {
        var script = script()
        script.submit(1, image: "b", wait: wait) { ($0.idempotencyKey, $0.metadata) = ("k", Array("{}".utf8)) }
        let conflict = WireError(.unprocessable, code: "idempotency_mismatch", "m")
        #expect(script.persisted(1, .refused(conflict)) == ["reply 1: 422 idempotency_mismatch"])
        #expect(script.document(1)?.metadata == Array("{}".utf8))
        #expect(script.core.jobsInHand == 0)
        // The key is still free for its own content.
        script.submit(2, image: "a") { $0.idempotencyKey = "k" }
        #expect(script.persisted(2).first == "acknowledge 2: 202")
    }

    @Test func aKeyMismatchIsRefusedBeforeTheFirstJobIsOnDisk() {
        var script = script()
        #expect(script.submit(1, image: "a") { $0.idempotencyKey = "k" } == ["persist 1"])
        #expect(script.submit(2, image: "b") { $0.idempotencyKey = "k" } == ["reply 2: 422 idempotency_mismatch"])
        #expect(script.classify(3, image: "b") { $0.idempotencyKey = "k" } == ["reply 3: 422 idempotency_mismatch"])
        #expect(script.persisted(1) == ["acknowledge 1: 202", "job 1 to r1", "job 1 to i1"])
        // A job that ends without a lasting result frees its key.
        script.ask(4, .cancel, id: "job 1")
        #expect(script.submit(5, image: "b") { $0.idempotencyKey = "k" } == ["persist 5"])
    }

    @Test func theJournalGetsTheOwnerAndTheImageDigestOfAJobWithAKey() {
        var script = script()
        let gate = Principal(.key("gate"), .gateway)
        script.submit(1, image: "b", from: gate) { ($0.idempotencyKey, $0.owner) = ("k", "ann") }
        guard case .persist(1, _, let header, "gate", let digest) = script.lastActions.first else {
            Issue.record("\(script.lastActions)")
            return
        }
        #expect(header.owner == "ann" && digest == Array("b".utf8))
        script.submit(2)
        guard case .persist(2, _, _, nil, nil) = script.lastActions.first else {
            Issue.record("\(script.lastActions)")
            return
        }
    }

    @Test func aResultFromTheJournalIsDecidedByTheJobsOwnPolicy() throws {
        var script = script()
        script.submit(1) { ($0.idempotencyKey, $0.policy) = ("k", "strict") }
        var known = ResultDocument(id: "earlier", status: .ok)
        known.verdict = .init(label: .real, aiProbability: 0.15, action: .allow, policy: "default")
        script.persisted(1, .known(known))
        #expect(
            script.document(1)?.verdict?.unversioned
                == .init(label: .real, aiProbability: 0.15, action: .review, policy: "strict"))
    }

    @Test func aDurableJobWithAKnownKeyIsDecidedByItsOwnPolicy() throws {
        var script = script()
        script.submit(1) { ($0.idempotencyKey, $0.models) = ("k", ["resnet"]) }
        script.persisted(1)
        script.score("r1", 1, logit: -1)
        script.submit(2) { ($0.idempotencyKey, $0.models, $0.policy) = ("k", ["resnet"], "strict") }
        #expect(script.persisted(2) == ["acknowledge 2: 202", "record 2: 200", "release 2"])
        let documents = [1, 2].map { script.recorded[script.journalled[$0] ?? 0]?.verdict }
        #expect(documents.map { $0?.action } == [.allow, .review])
        #expect(documents.map { $0?.policy } == ["default", "strict"])
    }

    // MARK: Restarts

    @Test func aRecoveredJobKeepsItsOwnerAndKey() {
        var script = script()
        let gate = Principal(.key("gate"), .gateway)
        script.recover(1, job: 77, key: "gate") { ($0.idempotencyKey, $0.owner) = ("k", "ann") }
        func repeated(_ token: Int, _ image: Character, _ owner: String) -> String? {
            script.classify(token, image: image, from: gate) { ($0.idempotencyKey, $0.owner) = ("k", owner) }.first
        }
        #expect(repeated(2, "b", "ann") == "reply 2: 422 idempotency_mismatch")
        #expect(repeated(3, "a", "ann") == nil)
        #expect(repeated(4, "b", "bob") == "job 4 to r1")
        #expect(script.ask(5, .cancel, id: "job 1", from: gate, owner: "bob") == ["reply 5: 404 unknown_job"])
        #expect(script.ask(6, .cancel, id: "job 1", from: gate, owner: "ann").contains("record 1: 408"))
    }

    @Test func aRecoveredJobWhoseKeyNowHasOtherContentIsComputedAlone() {
        var script = script()
        #expect(script.classify(1, image: "b") { $0.idempotencyKey = "k" } == ["job 1 to r1", "job 1 to i1"])
        #expect(script.recover(2, job: 77, image: "a") { $0.idempotencyKey = "k" } == ["job 2 to r1", "job 2 to i1"])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["reply 1: 200"])
        script.score("r1", 2)
        #expect(script.score("i1", 2) == ["record 2: 200", "release 2"])
    }

    @Test func recoveredJobWaitsForWorkers() {
        var script = Script(locators: .byHand) { $0.keepsJournal = true }
        #expect(script.recover(1, job: 77) == [])
        #expect(script.join("r1") == ["welcome r1"])
        #expect(script.join("i1") == ["welcome i1"])
        #expect(script.join("l1") == ["welcome l1", "image 1 to l1"])
        #expect(script.cut("l1", 1) == ["job 1 to r1", "job 1 to i1"])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
        #expect(script.recorded[77]?.status == .ok)
    }

    @Test func recoveredJobHasANewBudget() {
        var script = Script { $0.keepsJournal = true }
        script.recover(1, job: 77) { $0.budgetMilliseconds = 100 }
        #expect(script.wait(.milliseconds(99)) == [])
        #expect(script.wait(.milliseconds(1)) == ["record 1: 408", "release 1"])
    }

    @Test func recoveredJobGoesToTwoWorkersAtMost() {
        var script = Script { $0.keepsJournal = true }
        script.join("r1")
        script.recover(1, job: 77) { $0.models = ["resnet"] }
        script.join("r2")
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        script.join("r3")
        #expect(script.lose("r2") == [])
        #expect(script.wait(.seconds(3)) == ["record 1: 422", "release 1"])
    }

    @Test func aRecoveredJobForAnUnknownModelRecordsTheError() {
        var script = Script { $0.keepsJournal = true }
        #expect(script.recover(1, job: 77) { $0.models = ["vgg"] } == ["record 1: 404", "release 1"])
    }

    @Test func aRepeatedKeyGetsTheResultOfTheRecoveredJob() {
        var script = script()
        script.recover(1, job: 77) { $0.idempotencyKey = "k" }
        script.submit(2, wait: true) { $0.idempotencyKey = "k" }
        #expect(script.persisted(2) == [])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1", "record 2: 200"])
        #expect(script.recorded(2) == ["reply 2: 200"])
    }

    @Test func abandonedJobsStayInTheJournal() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        script.submit(2, wait: true)
        script.persisted(2)
        script.handle(.drain)
        #expect(
            script.handle(.abandon) == ["release 1", "reply 2: 503 draining", "bye r1", "bye i1", "drained"])
        #expect(script.recover(3, job: 78) == ["release 3"])
    }

    @Test func drainWaitsUntilTheResultsAreOnDisk() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        script.score("r1", 1)
        script.handle(.drain)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
        #expect(script.recorded(1) == ["bye r1", "bye i1", "drained"])
    }
}

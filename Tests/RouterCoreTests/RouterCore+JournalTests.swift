import Testing
import Wire

@testable import RouterCore

/// Durable jobs, as scripts.
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

    @Test func acknowledgedOnceItIsOnDisk() {
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

    @Test func clientThatWaitsIsAnsweredOnceTheResultIsOnDisk() {
        var script = script()
        script.submit(1, wait: true)
        #expect(script.persisted(1) == ["job 1 to r1", "job 1 to i1"])
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200"])
        #expect(script.recorded(1) == ["reply 1: 200"])
    }

    @Test func resultThatCannotBeWrittenIsAnAnswerAllTheSame() {
        var script = script()
        script.submit(1, wait: true)
        script.persisted(1)
        script.score("r1", 1)
        script.score("i1", 1)
        #expect(script.recorded(1, failure: "the disk is full") == ["reply 1: 200"])
    }

    @Test func whatCannotBeJournalledIsRefusedAndOthersAreServed() {
        var script = script()
        script.submit(1)
        #expect(script.persisted(1, .failed("the disk is full")) == ["reply 1: 503 journal_unavailable"])
        #expect(
            script.document(1)?.error?.message
                == "the journal cannot be used now: the disk is full; try again later, or send jobs without 'durable'")
        #expect(script.classify(2) == ["job 2 to r1", "job 2 to i1"])
        // The disk is tried again with every job.
        script.submit(3)
        #expect(script.persisted(3).first == "acknowledge 3: 202")
    }

    @Test func withoutAJournalDurableJobsAreRefused() {
        var script = Script()
        script.join("r1")
        #expect(script.submit(1) == ["reply 1: 503 journal_unavailable"])
        #expect(script.ask(2, .fetch, id: "job 1") == ["reply 2: 404 unknown_job"])
    }

    @Test func budgetEndsWhileTheJournalIsSlow() {
        var script = script()
        script.submit(1, wait: true) { $0.budgetMilliseconds = 100 }
        #expect(script.wait(.milliseconds(100)) == ["record 1: 408", "reply 1: 408 budget_spent"])
        #expect(script.persisted(1) == [])
        #expect(script.recorded(1) == [])
        #expect(script.core.jobsInHand == 0)
    }

    @Test func budgetOfAnAcknowledgedJobEndsInItsResult() {
        var script = script()
        script.submit(1) { $0.budgetMilliseconds = 100 }
        script.persisted(1)
        #expect(script.wait(.milliseconds(100)) == ["record 1: 408", "release 1"])
    }

    @Test func acknowledgedJobWaitsForWorkersThatLeftMeanwhile() {
        var script = script()
        script.submit(1)
        script.lose("r1")
        script.lose("i1")
        #expect(script.persisted(1) == ["acknowledge 1: 202"])
        #expect(script.join("r2").contains("job 1 to r2"))
        #expect(script.join("i2").contains("job 1 to i2"))
    }

    @Test func jobIsAcknowledgedThatWaitsForItsFirstWorkerWithinItsBudget() {
        var script = Script { ($0.keepsJournal, $0.workerWait) = (true, .seconds(1)) }
        #expect(script.submit(1) == ["persist 1"])
        #expect(script.persisted(1) == ["acknowledge 1: 202"])
        #expect(script.status.models.map(\.waiting) == [1, 1])
        #expect(script.wait(.seconds(4)) == [])
        #expect(script.join("r1").contains("job 1 to r1"))
        #expect(script.join("i1").contains("job 1 to i1"))
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
    }

    @Test func acknowledgedJobDoesNotWaitForAModelAlone() {
        var script = script()
        script.submit(1)
        script.lose("i1")
        #expect(script.persisted(1) == ["acknowledge 1: 202", "job 1 to r1"])
        #expect(script.score("r1", 1) == ["record 1: 206", "release 1"])
    }

    @Test func jobsOnTheirWayToTheDiskCount() {
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

    @Test func cancelThatCannotBeWrittenSaysSo() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        script.ask(2, .cancel, id: "job 1")
        #expect(script.recorded(1, failure: "the disk is full") == ["reply 2: 503 journal_unavailable"])
    }

    @Test func cancelOvertakesTheDisk() {
        var script = script()
        script.submit(1)
        #expect(script.ask(2, .cancel, id: "job 1") == ["record 1: 408", "reply 1: 408 cancelled"])
        #expect(script.persisted(1) == [])
        #expect(script.recorded(1) == ["reply 2: 200"])
    }

    // MARK: Fetching

    @Test(arguments: [
        (RouterCore.Finding.running, "reply 1: 202"), (.unknown, "reply 1: 404 unknown_job"),
        (.result(ResultDocument(id: "job", status: .ok)), "reply 1: 200"),
        (.failed("the disk is gone"), "reply 1: 503 journal_unavailable"),
    ]) func fetchAsksTheJournal(finding: RouterCore.Finding, reply: String) {
        var script = script()
        #expect(script.ask(1, .fetch, id: "job") == ["find job for 1"])
        #expect(script.handle(.found(1, finding)) == [reply])
    }

    @Test func fetchesThatWaitAreBounded() {
        var script = script { $0.maxJobs = 1 }
        script.ask(1, .fetch, id: "a")
        #expect(script.ask(2, .fetch, id: "b") == ["reply 2: 429 queue_full"])
    }

    // MARK: Keys

    @Test func keyOfAnEarlierLifeAnswersWithItsResult() {
        var script = script()
        script.submit(1) { $0.idempotencyKey = "k" }
        var known = ResultDocument(id: "earlier", status: .ok)
        known.attempts = 2
        #expect(script.persisted(1, .known(known)) == ["reply 1: 200"])
        #expect(script.document(1)?.id == "job 1")
        #expect(script.document(1)?.attempts == 2)
    }

    @Test func keyIsComputedOnceForDurableAndOthers() {
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

    // MARK: Lives

    @Test func recoveredJobWaitsForWorkers() {
        var script = Script { $0.keepsJournal = true }
        #expect(script.recover(1, job: 77) == [])
        #expect(script.join("r1") == ["welcome r1", "job 1 to r1"])
        #expect(script.join("i1") == ["welcome i1", "job 1 to i1"])
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

    @Test func recoveredJobOfAnotherEnsembleEndsWithItsReason() {
        var script = Script { $0.keepsJournal = true }
        #expect(script.recover(1, job: 77) { $0.models = ["vgg"] } == ["record 1: 404", "release 1"])
    }

    @Test func clientThatAsksAgainGetsTheRecoveredResult() {
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

    @Test func drainWaitsForTheDisk() {
        var script = script()
        script.submit(1)
        script.persisted(1)
        script.score("r1", 1)
        script.handle(.drain)
        #expect(script.score("i1", 1) == ["record 1: 200", "release 1"])
        #expect(script.recorded(1) == ["bye r1", "bye i1", "drained"])
    }
}

import BifronsWire
import RouterCore
import TestKit
import Testing

/// Requests: their admission, budgets and ends.
struct RouterCoreTests {
    private var pair: Script {
        var script = Script()
        script.join("r1")
        script.join("i1")
        return script
    }

    // MARK: The course of a job

    @Test func aJobGoesToBothModelsAtOnceAndIsAnsweredAfterTheSecondScore() {
        var script = pair
        #expect(script.classify(1) == ["job 1 to r1", "job 1 to i1"])
        #expect(script.score("r1", 1) == [])
        #expect(script.core.jobsInHand == 1)
        #expect(script.score("i1", 1) == ["reply 1: 200"])
        #expect(script.core.jobsInHand == 0)
    }

    @Test func aDispatchedJobCarriesItsRemainingBudget() throws {
        var script = Script()
        script.join("r1", credit: 1)
        let only: (inout RequestHeader) -> Void = {
            $0.models = ["resnet"]
            $0.budgetMilliseconds = 1000
        }
        script.classify(1, only)
        script.classify(2, only)
        script.wait(.microseconds(300_500))
        script.score("r1", 1)
        let peer = script.peer("r1")
        let job = RouterMessage.Job(job: script.job("r1", 2), attempt: 1, remainingMilliseconds: 699)
        let crops = try #require(script.kept.first { $0.value == 2 }?.key)
        #expect(script.lastActions.last == .score(peer, job, crops: crops, frame: 0))
    }

    @Test func pingIsAnsweredWithoutWorkers() {
        var script = Script()
        #expect(script.ask(1, .ping, id: "p") == ["reply 1: 200"])
        #expect(script.document(1) == ResultDocument(id: "p", status: .ok))
    }

    @Test func aFetchWithoutAJournalFindsNoJob() {
        var script = Script()
        #expect(script.ask(1, .fetch, id: "x") == ["reply 1: 404 unknown_job"])
    }

    @Test func aMalformedRequestIsAnsweredWithItsErrorAndCounted() {
        var script = Script()
        let error = WireError(.badRequest, code: "malformed_header", "no")
        #expect(script.handle(.malformedRequest(1, id: "m", error)) == ["reply 1: 400 malformed_header"])
        #expect(script.document(1) == ResultDocument(id: "m", error: error))
        #expect(script.status.counters.malformedRequests == 1)
    }

    // MARK: Refusals

    @Test func invalidJobsAreRefusedAtOnce() {
        var script = pair
        #expect(script.classify(1, bytes: nil) == ["reply 1: 400 image_missing"])
        #expect(script.classify(2, bytes: 0) == ["reply 2: 422 image_empty"])
        #expect(script.classify(3, bytes: Limits.imageBytes + 1) == ["reply 3: 413 image_too_large"])
        #expect(script.classify(4) { $0.policy = "none" } == ["reply 4: 404 unknown_policy"])
        #expect(
            script.document(4)?.error?.message
                == "there is no policy 'none'; there are audited, careful, default, easy, strict")
        #expect(script.classify(5) { $0.models = ["resnet", "vgg"] } == ["reply 5: 404 unknown_model"])
        #expect(script.classify(6) { $0.durable = true } == ["reply 6: 503 journal_unavailable"])
        #expect(script.core.jobsInHand == 0)
        #expect(script.classify(7, bytes: Limits.imageBytes) == ["job 7 to r1", "job 7 to i1"])
    }

    @Test func aRefusalListsTheAvailableModels() throws {
        var script = pair
        script.classify(1) {
            $0.models = ["vgg"]
            $0.metadata = Array("{}".utf8)
        }
        let result = try #require(script.document(1))
        #expect(result.error?.message == "there is no model 'vgg'; there are resnet, inception")
        #expect(result.id == "job 1")
        #expect(result.metadata == Array("{}".utf8))
    }

    @Test func aJobIsRefusedWithoutAnyWorker() {
        var script = Script()
        #expect(script.classify(1) == ["reply 1: 503 no_worker"])
    }

    @Test func requireAllNeedsAWorkerOfEachModel() {
        var script = Script()
        script.join("r1")
        #expect(script.classify(1) { $0.requirement = .all } == ["reply 1: 503 no_worker"])
        #expect(
            script.classify(2) {
                $0.requirement = .all
                $0.models = ["resnet"]
            } == ["job 2 to r1"])
    }

    // MARK: Waiting for the first worker

    @Test func jobWaitsForTheFirstWorkerOfEachModel() {
        var script = Script { $0.workerWait = .seconds(30) }
        #expect(script.classify(1) { $0.budgetMilliseconds = 60_000 } == [])
        #expect(script.classify(2) { ($0.budgetMilliseconds, $0.requirement) = (60_000, .all) } == [])
        #expect(script.wait(.seconds(29)) == [])
        // The crops that inception wants are not known yet.
        #expect(script.join("r1") == ["welcome r1"])
        #expect(script.status.queue.jobs == 2)
        #expect(
            script.join("i1") == ["welcome i1", "job 1 to r1", "job 1 to i1", "job 2 to r1", "job 2 to i1"])
        // The wait is over, but workers have joined.
        #expect(script.wait(.seconds(2)) == [])
        for job in 1...2 {
            script.score("r1", job)
            #expect(script.score("i1", job) == ["reply \(job): 200"])
        }
    }

    @Test func aJobFailsWhenNoWorkerJoinsWithinTheWorkerWait() {
        var script = Script(locators: .byHand) { $0.workerWait = .seconds(2) }
        script.join("l1")
        script.classify(1)
        script.wait(.milliseconds(1500))
        script.classify(2)
        #expect(script.wait(.milliseconds(499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 503 no_worker"])
        #expect(script.join("r1") == ["welcome r1"])
        #expect(script.wait(.milliseconds(1499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["image 2 to l1"])
        #expect(script.cut("l1", 2) == ["job 2 to r1"])
        #expect(script.score("r1", 2) == ["reply 2: 206"])
        #expect(script.core.nextDeadline != nil)
        script.lose("r1")
        script.lose("l1")
        #expect(script.core.nextDeadline == nil)
    }

    @Test func aModelIsNotDelayedIfTheMissingModelsSpecificationIsKnown() {
        var script = Script { $0.workerWait = .seconds(2) }
        for name in ["r1", "i1"] { script.join(name) }
        script.lose("i1")
        #expect(script.classify(1) == ["job 1 to r1"])
        #expect(script.classify(2) { $0.requirement = .all } == ["job 2 to r1"])
        #expect(script.status.models.map(\.waiting) == [0, 2, 0])
        script.score("r1", 1)
        script.score("r1", 2)
        #expect(script.wait(.milliseconds(1999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 206", "reply 2: 503 no_worker"])
    }

    @Test func aModelIsDelayedByTheWorkerWaitIfTheMissingModelsSpecificationIsUnknown() {
        var script = Script { $0.workerWait = .seconds(2) }
        script.join("r1")
        #expect(script.classify(1) == [])
        #expect(script.classify(2) { $0.requirement = .all } == [])
        #expect(script.wait(.milliseconds(1999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["job 1 to r1", "job 2 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 206"])
        #expect(script.score("r1", 2) == ["reply 2: 503 no_worker"])
    }

    /// Later the other models' scores would come too late.
    @Test func aModelIsDelayedByAMissingModelForAtMostHalfOfTheBudget() {
        var script = Script { $0.workerWait = .seconds(30) }
        script.join("r1")
        #expect(script.classify(1) { $0.budgetMilliseconds = 3000 } == [])
        #expect(script.wait(.milliseconds(1499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["job 1 to r1"])
        script.score("r1", 1)
        #expect(script.wait(.milliseconds(1500)) == ["reply 1: 206"])
        #expect(script.document(1)?.models.map(\.status) == [.ok, .timeout])
        // A worker that joins later has the image cut again.
        script.classify(2) { $0.budgetMilliseconds = 3000 }
        #expect(script.wait(.milliseconds(1500)) == ["job 2 to r1"])
        #expect(script.join("i1") == ["welcome i1", "job 2 to i1"])
        script.score("r1", 2)
        #expect(script.score("i1", 2) == ["reply 2: 200"])
    }

    @Test func aJobWhoseWorkerLeftAgainWaitsForAnotherWithinItsBudget() {
        var script = Script { $0.workerWait = .seconds(2) }
        script.classify(1) { $0.models = ["resnet"] }
        script.join("r1")
        script.wait(.seconds(2))
        script.lose("r1")
        #expect(script.wait(.milliseconds(2999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 408 budget_spent"])
    }

    @Test func aBudgetShorterThanTheWorkerWaitEndsTheJob() {
        var script = Script(locators: .byHand) { $0.workerWait = .seconds(30) }
        script.classify(1)
        #expect(script.wait(.seconds(5)) == ["reply 1: 408 budget_spent"])
        #expect(script.core.nextDeadline == nil)
    }

    @Test func jobsThatWaitForAWorkerCountTowardsTheQueueLimit() {
        var script = Script { ($0.workerWait, $0.maxJobs) = (.seconds(2), 2) }
        script.classify(1)
        script.classify(2)
        #expect(script.classify(3) == ["reply 3: 429 queue_full"])
        script.handle(.drain)
        #expect(script.classify(4) == ["reply 4: 503 draining"])
        #expect(script.wait(.seconds(2)) == ["reply 1: 503 no_worker", "reply 2: 503 no_worker", "drained"])
    }

    @Test func timeWithoutAWorkerDoesNotLowerTheMeasuredPace() {
        var script = Script { $0.workerWait = .seconds(60) }
        for job in 1...20 {
            script.classify(job) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 60_000) }
        }
        script.wait(.seconds(30))
        script.join("r1", credit: 2)
        for job in 1...18 {
            script.wait(.milliseconds(10))
            script.score("r1", job)
        }
        #expect(script.classify(21) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 1000) } == [])
    }

    @Test func requireAnyGivesADegradedResultWhenAModelHasNoWorker() throws {
        var script = Script()
        script.join("r1")
        #expect(script.classify(1) == ["job 1 to r1"])
        #expect(script.score("r1", 1, logit: 1) == ["reply 1: 206"])
        let result = try #require(script.document(1))
        #expect(result.degraded)
        #expect(result.models.map(\.status) == [.ok, .unavailable])
        #expect(result.models[1].error?.code == "no_worker")
        #expect(result.models[1].aiProbability == nil)
        // The blend of resnet alone: 0.1 + 1.5 · 1
        #expect(abs((result.verdict?.aiProbability ?? 0) - 0.8320183851339245) < 1e-12)
        #expect(result.error == nil)
    }

    // MARK: Budgets

    @Test func aJobIsAnsweredWithPartialScoresTheInstantItsBudgetEnds() throws {
        var script = pair
        script.classify(1) { $0.budgetMilliseconds = 250 }
        let end = script.now + .milliseconds(250)
        script.score("r1", 1)
        #expect(script.core.nextDeadline == end)
        #expect(script.wait(.nanoseconds(249_999_999)) == [])
        #expect(script.wait(.nanoseconds(1)) == ["reply 1: 206"])
        let result = try #require(script.document(1))
        #expect(result.totalMilliseconds == 250)
        #expect(result.models.map(\.status) == [.ok, .timeout])
        #expect(result.models[1].error?.code == "budget_spent")
        #expect(result.degraded)
    }

    @Test func aSpentBudgetWithoutAScoreIsATimeout() throws {
        var script = pair
        script.classify(1) { $0.budgetMilliseconds = 1 }
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 408 budget_spent"])
        let result = try #require(script.document(1))
        #expect(result.verdict == nil)
        #expect(result.models.map(\.status) == [.timeout, .timeout])
        #expect(result.attempts == 1)
    }

    @Test func requireAllGivesNoVerdictWithAScoreMissing() throws {
        var script = pair
        script.classify(1) {
            $0.requirement = .all
            $0.budgetMilliseconds = 100
        }
        script.score("i1", 1)
        #expect(script.wait(.milliseconds(100)) == ["reply 1: 408 budget_spent"])
        #expect(try #require(script.document(1)).verdict == nil)
        #expect(script.document(1)?.models.map(\.status) == [.timeout, .ok])
    }

    @Test func aScoreThatArrivesAsTheBudgetEndsIsLate() {
        var script = pair
        script.classify(1) { $0.budgetMilliseconds = 100 }
        script.score("r1", 1)
        script.advanceClock(.milliseconds(100))
        #expect(script.score("i1", 1) == ["reply 1: 206"])
        #expect(script.status.counters.late == 1)
    }

    @Test func aJobThatWaitsForCreditTimesOut() {
        var script = Script()
        script.join("r1", credit: 0)
        #expect(script.classify(1) { $0.budgetMilliseconds = 100 } == [])
        #expect(script.wait(.milliseconds(100)) == ["reply 1: 408 budget_spent"])
        #expect(script.say("r1", script["r1"].credit(1)) == [])
    }

    @Test func theDeadlineOfAnAnsweredJobIsDropped() {
        var script = pair
        let idle = script.core.nextDeadline
        script.classify(1) { $0.budgetMilliseconds = 10 }
        script.classify(2) { $0.budgetMilliseconds = 20 }
        let second = script.now + .milliseconds(20)
        for name in ["r1", "i1"] { script.score(name, 1) }
        #expect(script.core.nextDeadline == second)
        for name in ["r1", "i1"] { script.score(name, 2) }
        #expect(script.core.nextDeadline == idle)
    }

    @Test func thereIsNoDeadlineWithoutJobsAndWorkers() {
        var script = Script(locators: .byHand)
        #expect(script.core.nextDeadline == nil)
        for name in ["r1", "l1"] {
            script.join(name)
            #expect(script.core.nextDeadline != nil)
            script.lose(name)
            #expect(script.core.nextDeadline == nil)
        }
    }

    // MARK: Failures of workers

    @Test func aFailureOfTheImageIsNotRetried() throws {
        var script = pair
        script.join("r2")
        script.classify(1)
        #expect(script.fail("r1", 1, .unprocessable, code: "image_truncated") == [])
        #expect(script.fail("i1", 1, .unprocessable, code: "image_truncated") == ["reply 1: 422 image_truncated"])
        let result = try #require(script.document(1))
        #expect(result.models.map(\.status) == [.unprocessable, .unprocessable])
        #expect(result.attempts == 1)
    }

    @Test func aFailureOfTheWorkerIsRetriedOnceWithAnotherWorker() throws {
        var script = Script()
        script.join("r1")
        script.join("r2")
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.fail("r1", 1, .unavailable) == ["job 1 to r2, attempt 2"])
        #expect(script.fail("r2", 1, .unavailable) == ["reply 1: 503 scripted"])
        #expect(script.document(1)?.attempts == 2)
        #expect(script.status.counters.redispatched == 1)
    }

    @Test func aRetryWaitsForAnotherWorkerWithoutDelayingOtherJobs() {
        var script = Script()
        script.join("r1", credit: 1)
        script.join("r2", credit: 1)
        for token in 1...3 { script.classify(token) { $0.models = ["resnet"] } }
        // r2 is busy. The job that r1 failed does not go back to r1, but the next job does.
        #expect(script.fail("r1", 1, .unavailable) == ["job 3 to r1"])
        #expect(script.score("r1", 3) == ["reply 3: 200"])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 1 to r2, attempt 2"])
    }

    @Test func aRetryGoesToTheSameWorkerIfItIsTheOnlyOne() {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.fail("r1", 1, .unavailable) == ["job 1 to r1, attempt 2"])
    }

    @Test func aRetryGoesBackToItsFirstWorkerWhenTheOtherLeaves() {
        for leave in ["bye", "drain", "disconnect"] {
            var script = Script()
            script.join("r1", credit: 1)
            script.join("r2", credit: 0)
            script.classify(1) { $0.models = ["resnet"] }
            #expect(script.fail("r1", 1, .unavailable) == [])
            let lines =
                switch leave {
                case "bye": script.say("r2", script["r2"].bye)
                case "drain": script.say("r2", script["r2"].drain)
                default: script.lose("r2")
                }
            #expect(lines == ["job 1 to r1, attempt 2"], "\(leave)")
        }
    }

    @Test func aFailureOfOneModelLeavesTheVerdictOfTheOther() {
        var script = pair
        script.classify(1)
        script.fail("r1", 1, .unprocessable)
        #expect(script.score("i1", 1) == ["reply 1: 206"])
        script.classify(2) { $0.requirement = .all }
        script.fail("r1", 2, .unprocessable)
        #expect(script.score("i1", 2) == ["reply 2: 422 scripted"])
    }

    @Test(arguments: [0, 200, 206, 400, 404, 418, 500, 600, 65_535])
    func aFailureWithAnInvalidStatusCountsAsAFailureOfTheWorker(raw: Int) {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.models = ["resnet"] }
        script.fail("r1", 1, Status(rawValue: raw))
        #expect(script.fail("r1", 1, Status(rawValue: raw)) == ["reply 1: 503 scripted"])
    }

    @Test func aFailureOfTheImageTakesPrecedenceOverATimeout() {
        var script = pair
        script.classify(1) { $0.budgetMilliseconds = 100 }
        script.fail("i1", 1, .unsupportedMedia, code: "image_unknown_format")
        #expect(script.wait(.milliseconds(100)) == ["reply 1: 415 image_unknown_format"])
    }

    // MARK: Cancelling

    @Test func aCancelledJobIsAnsweredAndItsScoresAreLate() {
        var script = pair
        script.classify(1) { $0.id = "x" }
        script.score("r1", 1)
        #expect(script.ask(2, .cancel, id: "x") == ["reply 1: 408 cancelled", "reply 2: 200"])
        #expect(script.score("i1", 1) == [])
        let counters = script.status.counters
        #expect(counters.cancelled == 1)
        #expect(counters.late == 1)
    }

    @Test func aWaitingJobThatIsCancelledIsNeverDispatched() {
        var script = Script()
        script.join("r1", credit: 0)
        script.classify(1) { $0.id = "x" }
        script.classify(2)
        script.ask(3, .cancel, id: "x")
        #expect(script.say("r1", script["r1"].credit(4)) == ["job 2 to r1"])
        #expect(script.status.models[0].waiting == 0)
    }

    @Test func onlyAnUnfinishedJobCanBeCancelled() {
        var script = pair
        for verb in [Verb.cancel, .fetch] {
            #expect(script.ask(1, verb) == ["reply 1: 400 malformed_header"])
            #expect(script.document(1)?.error?.message == "the verb '\(verb.rawValue)' needs the field 'id'")
        }
        #expect(script.ask(2, .cancel, id: "x") == ["reply 2: 404 unknown_job"])
        #expect(script.document(2)?.error?.message.contains("'x'") == true)
        script.classify(3) { $0.id = "x" }
        for name in ["r1", "i1"] { script.score(name, 3) }
        #expect(script.ask(4, .cancel, id: "x") == ["reply 4: 404 unknown_job"])
        #expect(script.document(4)?.id == "x")
    }

    // MARK: Stopping

    @Test func drainRefusesNewJobsFinishesTheRestAndSaysBye() {
        var script = pair
        script.classify(1)
        #expect(script.handle(.drain) == [])
        #expect(script.classify(2) == ["reply 2: 503 draining"])
        #expect(script.ask(3, .ping) == ["reply 3: 200"])
        #expect(script.status.router.draining)
        script.score("r1", 1)
        #expect(script.score("i1", 1) == ["reply 1: 200", "bye r1", "bye i1", "drained"])
        #expect(script.handle(.drain) == [])
        #expect(script.classify(4) == ["reply 4: 503 draining"])
        #expect(script.join("r2") == ["bye r2"])
    }

    @Test func drainWithoutJobsEndsAtOnce() {
        var script = Script()
        #expect(script.handle(.drain) == ["drained"])
    }

    @Test func aWorkerThatJoinsWhileDrainingGetsTheWaitingJobs() {
        var script = Script()
        script.join("r1", credit: 0)
        script.classify(1) { $0.models = ["resnet"] }
        script.handle(.drain)
        #expect(script.join("r2") == ["welcome r2", "job 1 to r2"])
        #expect(script.score("r2", 1) == ["reply 1: 200", "bye r1", "bye r2", "drained"])
    }

    @Test func abandonAnswersTheRemainingJobs() {
        var script = pair
        script.classify(1)
        script.classify(2)
        script.handle(.drain)
        #expect(
            script.handle(.abandon) == [
                "reply 1: 503 draining", "reply 2: 503 draining", "bye r1", "bye i1", "drained",
            ])
        #expect(script.score("r1", 1) == [])
    }

    @Test func abandonDispatchesNoFollower() {
        var script = pair
        for token in 1...3 { script.classify(token) { $0.idempotencyKey = "k" } }
        #expect(
            script.handle(.abandon) == [
                "reply 1: 503 draining", "reply 2: 503 draining", "reply 3: 503 draining", "bye r1", "bye i1",
                "drained",
            ])
    }
}

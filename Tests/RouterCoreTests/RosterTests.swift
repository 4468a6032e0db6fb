import RouterCore
import TestKit
import Testing
import Wire

/// Workers: credit, choice, loss and lies.
struct RosterTests {
    private func classifyResnet(_ script: inout Script, _ tokens: ClosedRange<Int>) -> [String] {
        tokens.flatMap { token in
            script.classify(token) {
                $0.models = ["resnet"]
                $0.budgetMilliseconds = 60_000
            }
        }
    }

    // MARK: Credit

    @Test func aWorkerNeverHasMoreThanItsCredit() {
        var script = Script()
        script.join("r1", credit: 2)
        #expect(classifyResnet(&script, 1...4) == ["job 1 to r1", "job 2 to r1"])
        #expect(script.score("r1", 2) == ["reply 2: 200", "job 3 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "job 4 to r1"])
    }

    @Test func creditMayGrowAndShrink() {
        var script = Script()
        script.join("r1", credit: 1)
        _ = classifyResnet(&script, 1...5)
        #expect(script.say("r1", script["r1"].credit(3)) == ["job 2 to r1", "job 3 to r1"])
        #expect(script.say("r1", script["r1"].credit(1)) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.score("r1", 2) == ["reply 2: 200"])
        #expect(script.score("r1", 3) == ["reply 3: 200", "job 4 to r1"])
        var stale = script["r1"]
        stale.epoch -= 1
        #expect(script.say("r1", stale.credit(9)) == [])
    }

    @Test func aLiarsCreditIsCapped() {
        var script = Script()
        script.join("r1", credit: .max)
        #expect(classifyResnet(&script, 1...(Limits.workerCredit + 5)).count == Limits.workerCredit)
        #expect(script.say("r1", script["r1"].credit(.max)) == [])
        #expect(script.status.workers[0].credit == Limits.workerCredit)
    }

    @Test func lateAnswersGiveTheirCreditBack() {
        var script = Script()
        script.join("r1", credit: 1)
        script.classify(1) { $0.budgetMilliseconds = 10 }
        script.wait(.milliseconds(10))
        #expect(classifyResnet(&script, 2...2) == [])
        #expect(script.score("r1", 1) == ["job 2 to r1"])
    }

    // MARK: Choice

    @Test func theLeastLoadedWorkerIsChosenAndEqualsTakeTurns() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        #expect(
            classifyResnet(&script, 1...6).map { $0.suffix(2) } == ["r1", "r2", "r3", "r1", "r2", "r3"])
        script.score("r2", 2)
        script.score("r2", 5)
        script.score("r3", 3)
        #expect(classifyResnet(&script, 7...9).map { $0.suffix(2) } == ["r2", "r3", "r2"])
    }

    @Test func idleWorkersTakeTurns() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        var order: [String] = []
        for token in 1...6 {
            let worker = String(classifyResnet(&script, token...token)[0].suffix(2))
            order.append(worker)
            script.score(worker, token)
        }
        #expect(order == ["r1", "r2", "r3", "r1", "r2", "r3"])
    }

    @Test func aNewWorkerTakesWhatWaits() {
        var script = Script()
        script.join("r1", credit: 1)
        _ = classifyResnet(&script, 1...3)
        #expect(script.join("r2", credit: 5) == ["welcome r2", "job 2 to r2", "job 3 to r2"])
    }

    // MARK: Loss

    @Test func aWorkersDisconnectSendsItsJobsToAnotherAtOnce() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...2)
        script.join("r2")
        #expect(script.disconnect("r1") == ["job 1 to r2, attempt 2", "job 2 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        #expect(script.document(1)?.attempts == 2)
        let counters = script.status.counters
        #expect(counters.workersLost == 1)
        #expect(counters.redispatched == 2)
    }

    @Test func jobsGoToWorkersThatWereHeardOfLately() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        _ = classifyResnet(&script, 1...3)
        script.score("r2", 2)
        script.silent = ["r1", "r2"]
        script.wait(.seconds(1))
        #expect(classifyResnet(&script, 4...4) == ["job 4 to r3"])
        #expect(script.wait(.seconds(1)) == ["resync r1", "job 1 to r3, attempt 2", "resync r2"])
        #expect(script.status.counters.workersLost == 2)
    }

    @Test func aSecondTryWaitsForAWorkerThatIsHeardOf() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.join("r3", credit: 1)
        _ = classifyResnet(&script, 1...3)
        script.score("r2", 2)
        script.silent = ["r2"]
        script.wait(.seconds(1))
        #expect(script.disconnect("r1") == [])
        #expect(script.score("r3", 3) == ["reply 3: 200", "job 1 to r3, attempt 2"])
    }

    /// When nobody was heard of there is nothing to choose.
    @Test func silentWorkersAreBetterThanNone() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.silent = ["r1", "r2"]
        script.wait(.seconds(1))
        #expect(classifyResnet(&script, 1...1) == ["job 1 to r1"])
        #expect(script.disconnect("r1") == ["job 1 to r2, attempt 2"])
    }

    @Test func aWorkerThatConnectsAnewIsRegisteredOnceAndHasNotDied() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        #expect(script.reconnect("r1") == ["welcome r1", "job 1 to r1, attempt 2"])
        let status = script.status
        #expect(status.workers.count == 1)
        #expect(status.counters.workersLost == 0)
        // One death is none too many.
        #expect(script.disconnect("r1") == ["reply 1: 503 worker_lost"])
    }

    @Test func jobsOfALostWorkerKeepTheirTurn() {
        var script = Script()
        script.join("r1", credit: 1)
        _ = classifyResnet(&script, 1...3)
        script.disconnect("r1")
        #expect(script.join("r2", credit: 2) == ["welcome r2", "job 1 to r2, attempt 2", "job 2 to r2"])
    }

    @Test func aJobThatKilledTwoWorkersIsQuarantined() throws {
        var script = Script()
        for name in ["r1", "r2", "i1"] { script.join(name) }
        script.classify(1)
        script.score("i1", 1)
        #expect(script.disconnect("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.disconnect("r2") == ["reply 1: 422 quarantined"])
        let result = try #require(script.document(1))
        #expect(result.verdict == nil)
        #expect(result.attempts == 2)
        #expect(result.models.map(\.status) == [.unprocessable, .ok])
        #expect(script.status.counters.quarantined == 1)
    }

    @Test func aQuarantinedJobLeavesTheOtherModelsQueueToo() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.join("i1", credit: 0)
        script.classify(1)
        script.disconnect("r1")
        #expect(script.disconnect("r2") == ["reply 1: 422 quarantined"])
        #expect(script.say("i1", script["i1"].credit(1)) == [])
        #expect(script.status.models[1].waiting == 0)
    }

    @Test func aJobThatOneWorkerFailedAtAndOneDiedWithIsNotQuarantined() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        _ = classifyResnet(&script, 1...1)
        script.fail("r1", 1, .unavailable)
        #expect(script.disconnect("r2") == ["reply 1: 503 worker_lost"])
    }

    @Test func aSilentWorkerIsLostAfterThreeHeartbeats() {
        var script = Script()
        script.join("r1")
        script.join("r2")
        script.silent = ["r1"]
        _ = classifyResnet(&script, 1...1)
        #expect(script.wait(.milliseconds(1499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["resync r1", "job 1 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
    }

    @Test func aWorkerIsNotBlamedForAPauseOfTheRouterItself() {
        var script = Script()
        script.join("r1")
        script.oversleep(.seconds(60))
        // What it sent meanwhile is read before the timer is looked at.
        #expect(script.say("r1", script["r1"].ping()) == [])
        #expect(script.handle(.deadline) == [])
        #expect(script.status.workers.count == 1)
    }

    @Test func anyMessageIsASignOfLife() {
        var script = Script { $0.hangTimeout = .seconds(1000) }
        script.join("r1", credit: 9)
        script.silent = ["r1"]
        _ = classifyResnet(&script, 1...5)
        for token in 1...5 {
            #expect(script.wait(.milliseconds(1400)) == [])
            script.score("r1", token)
        }
    }

    @Test func aWorkerThatBeatsButHangsIsLost() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        _ = classifyResnet(&script, 1...1)
        script.join("r2")
        #expect(script.wait(.milliseconds(9_999)) == [])
        #expect(script.wait(.milliseconds(300)) == ["resync r1", "job 1 to r2, attempt 2"])
    }

    @Test func aSlowWorkerThatGetsOnIsKept() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        #expect(script.wait(.seconds(50)) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
    }

    @Test func anIdleWorkerDoesNotHang() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        #expect(script.wait(.seconds(100)) == [])
        // The clock of its progress starts with the job.
        _ = classifyResnet(&script, 1...1)
        #expect(script.wait(.seconds(9)) == [])
    }

    @Test func answersThatNobodyAskedForAreNoProgress() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        _ = classifyResnet(&script, 1...1)
        for _ in 0..<9 {
            script.wait(.seconds(1))
            script.say("r1", script["r1"].score(12345))
        }
        #expect(script.wait(.milliseconds(1300)).contains("resync r1"))
    }

    // MARK: Registration

    @Test func eachRegistrationHasAnEpochOfItsOwn() {
        var script = Script()
        script.join("r1")
        let first = script["r1"].epoch
        script.join("r2")
        script.join("r1")
        #expect(Set([first, script["r2"].epoch, script["r1"].epoch]).count == 3)
        #expect(script.status.workers.count == 2)
    }

    @Test func aSecondHelloGivesTheWorkerItsJobsAnew() {
        var script = Script()
        script.join("r1", credit: 2)
        _ = classifyResnet(&script, 1...2)
        #expect(script.join("r1", credit: 2) == ["welcome r1", "job 1 to r1, attempt 2", "job 2 to r1, attempt 2"])
        // It lost them twice without dying: that is nobody's quarantine.
        #expect(
            script.join("r1", credit: 2) == ["reply 1: 503 worker_lost", "reply 2: 503 worker_lost", "welcome r1"])
        #expect(script.status.counters.workersLost == 0)
    }

    @Test func aSecondHelloLetsOthersTakeItsJobs() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        script.join("r2")
        #expect(script.join("r1") == ["job 1 to r2, attempt 2", "welcome r1"])
    }

    @Test func aWorkerOfAnUnknownModelIsSentAway() {
        var script = Script()
        #expect(script.join(ScriptedWorker("v1", serving: "vgg")) == ["bye v1"])
        #expect(script.core.nextDeadline == nil)
        guard case .send(_, .bye(let reason))? = script.lastActions.last else { preconditionFailure() }
        #expect(reason.contains("'vgg'") && reason.contains("resnet, inception"))
    }

    @Test func byeHandsTheJobsOnWithoutBlame() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        script.join("r2")
        #expect(script.say("r1", script["r1"].bye) == ["job 1 to r2, attempt 2"])
        #expect(script.disconnect("r1") == [])
        #expect(script.status.counters.workersLost == 0)
    }

    @Test func aDrainingWorkerGetsNothingNewAndItsAnswersCount() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        #expect(script.say("r1", script["r1"].drain) == [])
        script.join("r2", credit: 1)
        #expect(classifyResnet(&script, 2...3) == ["job 2 to r2"])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.status.workers.map(\.state) == ["draining", "ready"])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 3 to r2"])
        script.say("r2", script["r2"].drain)
        #expect(classifyResnet(&script, 4...4) == ["reply 4: 503 no_worker"])
    }

    @Test func strangersAreToldToSayHelloAgain() {
        var script = Script()
        let stranger = ScriptedWorker("r9", serving: "resnet")
        for message in [stranger.ping(), stranger.score(1), stranger.credit(1), stranger.drain] {
            #expect(script.say("r9", message) == ["resync r9"])
        }
        #expect(script.say("r9", stranger.bye) == [])
        #expect(script.disconnect("r9") == [])
        #expect(script.handle(.malformedMessage) == [])
        let counters = script.status.counters
        #expect(counters.strangers == 5)
        #expect(counters.malformedMessages == 1)
        #expect(counters.workersLost == 0)
    }

    // MARK: Answers to drop

    @Test func answersFromAnEarlierRegistrationAreDropped() {
        var script = Script()
        script.join("r1")
        _ = classifyResnet(&script, 1...1)
        let old = script["r1"].score(script.job("r1", 1))
        script.join("r1")
        #expect(script.say("r1", old) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.status.counters.unknown == 1)
    }

    @Test func aStalePingIsToldToSayHelloAgain() {
        var script = Script()
        script.join("r1")
        var stale = script["r1"]
        stale.epoch &-= 1
        #expect(script.say("r1", stale.ping()) == ["resync r1"])
        #expect(script.say("r1", stale.bye) == [])
        #expect(script.say("r1", stale.drain) == [])
        #expect(script.status.workers.map(\.state) == ["ready"])
    }

    @Test func duplicateUnknownAndOthersAnswersAreDroppedAndCounted() {
        var script = Script()
        script.join("r1")
        script.join("r2")
        _ = classifyResnet(&script, 1...2)
        let job = script.job("r1", 1)
        #expect(script.say("r2", script["r2"].score(job)) == [])
        #expect(script.say("r2", script["r2"].fail(job, .unprocessable)) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.score("r1", 1) == [])
        #expect(script.fail("r1", 1, .unavailable) == [])
        for job in [0, 7, UInt64.max] { #expect(script.say("r1", script["r1"].score(job)) == []) }
        #expect(script.status.counters.unknown == 7)
        #expect(script.score("r2", 2) == ["reply 2: 200"])
    }

    @Test func anAnswerToAJobThatIsOverIsLate() {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.budgetMilliseconds = 5 }
        script.wait(.milliseconds(5))
        #expect(script.score("r1", 1) == [])
        let status = script.status
        #expect(status.counters.late == 1)
        #expect(status.counters.unknown == 0)
        #expect(status.workers[0].inFlight == 0)
    }
}

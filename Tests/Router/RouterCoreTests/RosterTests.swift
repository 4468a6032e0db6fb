import BifronsWire
import RouterCore
import TestKit
import Testing

/// Workers: their credit, the choice among them, their registration, and wrong answers.
struct RosterTests {
    // MARK: Credit

    @Test func aWorkerNeverHoldsMoreJobsThanItsCredit() {
        var script = Script()
        script.join("r1", credit: 2)
        #expect(script.classifyResnet(1...4) == ["job 1 to r1", "job 2 to r1"])
        #expect(script.score("r1", 2) == ["reply 2: 200", "job 3 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "job 4 to r1"])
    }

    @Test func creditMayGrowAndShrink() {
        var script = Script()
        script.join("r1", credit: 1)
        _ = script.classifyResnet(1...5)
        #expect(script.say("r1", script["r1"].credit(3)) == ["job 2 to r1", "job 3 to r1"])
        #expect(script.say("r1", script["r1"].credit(1)) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.score("r1", 2) == ["reply 2: 200"])
        #expect(script.score("r1", 3) == ["reply 3: 200", "job 4 to r1"])
        var stale = script["r1"]
        stale.epoch -= 1
        #expect(script.say("r1", stale.credit(9)) == [])
    }

    @Test func anExcessiveCreditIsCapped() {
        var script = Script()
        script.join("r1", credit: .max)
        #expect(script.classifyResnet(1...(Limits.workerCredit + 5)).count == Limits.workerCredit)
        #expect(script.say("r1", script["r1"].credit(.max)) == [])
        #expect(script.workersStatus.map(\.credit) == [Limits.workerCredit])
    }

    @Test func aLateAnswerReturnsItsCredit() {
        var script = Script()
        script.join("r1", credit: 1)
        script.classify(1) { $0.budgetMilliseconds = 10 }
        script.wait(.milliseconds(10))
        #expect(script.classifyResnet(2...2) == [])
        #expect(script.score("r1", 1) == ["job 2 to r1"])
    }

    // MARK: Choice

    @Test func theLeastLoadedWorkerIsChosenAndEquallyLoadedOnesTakeTurns() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        #expect(
            script.classifyResnet(1...6).map { $0.suffix(2) } == ["r1", "r2", "r3", "r1", "r2", "r3"])
        script.score("r2", 2)
        script.score("r2", 5)
        script.score("r3", 3)
        #expect(script.classifyResnet(7...9).map { $0.suffix(2) } == ["r2", "r3", "r2"])
    }

    @Test func idleWorkersTakeTurns() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        var order: [String] = []
        for token in 1...6 {
            let worker = String(script.classifyResnet(token...token)[0].suffix(2))
            order.append(worker)
            script.score(worker, token)
        }
        #expect(order == ["r1", "r2", "r3", "r1", "r2", "r3"])
    }

    @Test func aNewWorkerGetsTheWaitingJobs() {
        var script = Script()
        script.join("r1", credit: 1)
        _ = script.classifyResnet(1...3)
        #expect(script.join("r2", credit: 5) == ["welcome r2", "job 2 to r2", "job 3 to r2"])
    }

    // MARK: Registration

    @Test func eachRegistrationHasAnEpochOfItsOwn() {
        var script = Script()
        script.join("r1")
        let first = script["r1"].epoch
        script.join("r2")
        script.join("r1")
        #expect(Set([first, script["r2"].epoch, script["r1"].epoch]).count == 3)
        #expect(script.workersStatus.count == 2)
    }

    @Test func aSecondHelloSendsTheWorkerItsJobsAgain() {
        var script = Script()
        script.join("r1", credit: 2)
        _ = script.classifyResnet(1...2)
        #expect(script.join("r1", credit: 2) == ["welcome r1", "job 1 to r1, attempt 2", "job 2 to r1, attempt 2"])
        // The worker lost the jobs twice without dying, so they are not quarantined.
        #expect(
            script.join("r1", credit: 2) == ["reply 1: 503 worker_lost", "reply 2: 503 worker_lost", "welcome r1"])
        #expect(script.status.counters.workersLost == 0)
    }

    @Test func afterASecondHelloAnotherWorkerMayTakeTheJobs() {
        var script = Script()
        script.join("r1")
        _ = script.classifyResnet(1...1)
        script.join("r2")
        #expect(script.join("r1") == ["job 1 to r2, attempt 2", "welcome r1"])
    }

    @Test func aWorkerOfAnUnknownModelIsRejected() {
        var script = Script(locators: .byHand)
        #expect(script.join(ScriptedWorker("v1", serving: "vgg")) == ["bye v1"])
        #expect(script.core.nextDeadline == nil)
        guard case .send(_, .bye(let reason, let isFinal))? = script.lastActions.last else { preconditionFailure() }
        #expect(reason.contains("'vgg'") && reason.contains("resnet, inception"))
        // The router may be restarted with another ensemble, so the BYE is not final.
        #expect(!isFinal)
    }

    @Test func aWorkerThatSaysByePassesItsJobsOnAndIsNotCountedAsLost() {
        var script = Script()
        script.join("r1")
        _ = script.classifyResnet(1...1)
        script.join("r2")
        #expect(script.say("r1", script["r1"].bye) == ["job 1 to r2, attempt 2"])
        #expect(script.lose("r1") == [])
        #expect(script.status.counters.workersLost == 0)
    }

    @Test func aDrainingWorkerGetsNoNewJobsAndItsAnswersCount() {
        var script = Script()
        script.join("r1")
        _ = script.classifyResnet(1...1)
        #expect(script.say("r1", script["r1"].drain) == [])
        script.join("r2", credit: 1)
        #expect(script.classifyResnet(2...3) == ["job 2 to r2"])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.workersStatus.map(\.state) == ["draining", "ready"])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 3 to r2"])
        script.say("r2", script["r2"].drain)
        #expect(script.classifyResnet(4...4) == ["reply 4: 503 no_worker"])
    }

    @Test func messagesOfUnknownPeersAreAnsweredWithResync() {
        var script = Script()
        let unknownPeer = ScriptedWorker("r9", serving: "resnet")
        for message in [unknownPeer.ping(), unknownPeer.score(1), unknownPeer.credit(1), unknownPeer.drain] {
            #expect(script.say("r9", message) == ["resync r9"])
        }
        #expect(script.say("r9", unknownPeer.bye) == [])
        #expect(script.lose("r9") == [])
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
        _ = script.classifyResnet(1...1)
        let old = script["r1"].score(script.job("r1", 1))
        script.join("r1")
        #expect(script.say("r1", old) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.status.counters.unknown == 1)
    }

    @Test func aPingOfAnEarlierRegistrationIsAnsweredWithResync() {
        var script = Script()
        script.join("r1")
        var stale = script["r1"]
        stale.epoch &-= 1
        #expect(script.say("r1", stale.ping()) == ["resync r1"])
        #expect(script.say("r1", stale.bye) == [])
        #expect(script.say("r1", stale.drain) == [])
        #expect(script.workersStatus.map(\.state) == ["ready"])
    }

    @Test func duplicateUnknownAndForeignAnswersAreDroppedAndCounted() {
        var script = Script()
        script.join("r1")
        script.join("r2")
        _ = script.classifyResnet(1...2)
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

    @Test func anAnswerToAFinishedJobIsCountedAsLate() {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.budgetMilliseconds = 5 }
        script.wait(.milliseconds(5))
        #expect(script.score("r1", 1) == [])
        let status = script.status
        #expect(status.counters.late == 1)
        #expect(status.counters.unknown == 0)
        #expect(status.workers.map(\.inFlight) == [0, 0])
    }
}

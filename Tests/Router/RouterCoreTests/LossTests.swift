import BifronsWire
import RouterCore
import TestKit
import Testing

/// Lost workers: when they count as lost, which workers get their jobs, and how long these jobs wait.
struct LossTests {
    @Test func aLostWorkersJobsGoToAnotherWorkerAtOnce() {
        var script = Script()
        script.join("r1")
        script.classifyResnet(1...2)
        script.join("r2")
        #expect(script.lose("r1", .unreachable) == ["job 1 to r2, attempt 2", "job 2 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        #expect(script.document(1)?.attempts == 2)
        let counters = script.status.counters
        #expect(counters.workersLost == 1)
        #expect(counters.redispatched == 2)
    }

    @Test func jobsOfALostWorkerKeepTheirPlaceInTheQueue() {
        var script = Script()
        script.join("r1", credit: 1)
        script.classifyResnet(1...3)
        script.lose("r1", .unreachable)
        #expect(script.join("r2", credit: 2) == ["welcome r2", "job 1 to r2, attempt 2", "job 2 to r2"])
    }

    @Test func aWorkerThatReconnectsIsRegisteredOnceAndDoesNotCountAsDead() {
        var script = Script()
        script.join("r1")
        script.classifyResnet(1...1)
        #expect(script.reconnect("r1") == ["welcome r1", "job 1 to r1, attempt 2"])
        let status = script.status
        #expect(status.workers.map(\.name) == ["l0", "r1"])
        #expect(status.counters.workersLost == 0)
        // One death is not enough for a quarantine.
        #expect(script.lose("r1") == ["reply 1: 503 worker_lost"])
    }

    // MARK: Silence

    @Test func aRetryWaitsForAWorkerThatIsNotSilent() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.join("r3", credit: 1)
        script.classifyResnet(1...3)
        script.score("r2", 2)
        script.silent = ["r2"]
        script.wait(.seconds(1))
        #expect(script.lose("r1", .unreachable) == [])
        #expect(script.score("r3", 3) == ["reply 3: 200", "job 1 to r3, attempt 2"])
    }

    @Test func aSilentWorkerMayGetAFirstAttemptButNoRetry() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.silent = ["r1", "r2"]
        script.wait(.seconds(1))
        #expect(script.classifyResnet(1...1) == ["job 1 to r1"])
        #expect(script.lose("r1", .unreachable) == [])
        #expect(script.say("r2", script["r2"].ping()) == ["job 1 to r2, attempt 2"])
    }

    /// A host with all workers of a model stops for 2.5 s.
    @Test(arguments: 1...4) func aPauseOfAllWorkersLosesNoJob(workers: Int) {
        var script = Script()
        let names = (1...workers).map { "r\($0)" }
        for name in names { script.join(name, credit: 16) }
        script.classifyResnet(1...10)
        script.silent = Set(names)
        var lines = script.wait(.milliseconds(2500))
        #expect(lines.allSatisfy { $0.hasPrefix("resync") } && lines.count == workers, "\(lines)")
        script.silent = []
        lines = names.flatMap { script.reconnect($0) }
        #expect(lines.filter { $0.hasSuffix("attempt 2") }.count == 10, "\(lines)")
        for token in 1...10 {
            for name in names where lines.contains("job \(token) to \(name), attempt 2") { script.score(name, token) }
            #expect(script.document(token)?.status == .ok)
        }
        #expect(script.status.counters.quarantined == 0)
    }

    /// Their last heartbeats came at different times, so they are not all lost in one check.
    @Test func workersThatFallSilentInTurnDoNotGetOneAnothersJobs() {
        var script = Script()
        for name in ["r1", "r2", "r3"] {
            script.join(name)
            script.wait(.milliseconds(200))
        }
        script.silent = ["r1", "r2", "r3"]
        script.classifyResnet(1...6)
        let lines = script.wait(.seconds(2))
        #expect(lines == ["resync r1", "resync r2", "resync r3"])
    }

    @Test func aJobOfASilentWorkerFailsAfterTheRejoinWait() throws {
        var script = Script { $0.rejoinWait = .seconds(3) }
        script.join("r1")
        script.classifyResnet(1...1)
        script.silent = ["r1"]
        #expect(script.wait(.milliseconds(4499)) == ["resync r1"])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 503 worker_lost"])
        let error = try #require(script.document(1)?.error)
        #expect(error.message == "the job was lost by a worker of resnet (silent); send it again")
    }

    @Test func theWaitForALostWorkerEndsWithTheBudget() {
        var script = Script { $0.rejoinWait = .seconds(60) }
        script.join("r1")
        script.classify(1) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 2000) }
        script.silent = ["r1"]
        #expect(script.wait(.milliseconds(1999)) == ["resync r1"])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 503 worker_lost"])
    }

    @Test func aJobEndsPartialIfALostWorkerDoesNotReturn() {
        var script = Script { $0.rejoinWait = .seconds(1) }
        for name in ["r1", "i1"] { script.join(name) }
        script.classify(1)
        script.score("i1", 1)
        script.silent = ["r1"]
        #expect(script.wait(.milliseconds(2500)) == ["resync r1", "reply 1: 206"])
    }

    @Test(arguments: [RouterCore.Loss.silent, .hung, .unreachable, .revoked])
    func
        aLossOtherThanADeadProcessDoesNotCountTowardsQuarantine(loss: RouterCore.Loss)
    {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.classifyResnet(1...1)
        #expect(script.lose("r1", loss) == ["job 1 to r2, attempt 2"])
        #expect(script.lose("r2") == ["reply 1: 503 worker_lost"])
        #expect(script.status.counters.quarantined == 0)
    }

    @Test func jobsGoToWorkersWithRecentHeartbeats() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name) }
        _ = script.classifyResnet(1...3)
        script.score("r2", 2)
        script.silent = ["r1", "r2"]
        script.wait(.seconds(1))
        #expect(script.classifyResnet(4...4) == ["job 4 to r3"])
        #expect(script.wait(.seconds(1)) == ["resync r1", "resync r2", "job 1 to r3, attempt 2"])
        #expect(script.status.counters.workersLost == 2)
    }

    @Test func aWorkerIsLostAfterThreeMissedHeartbeats() {
        var script = Script()
        script.join("r1")
        script.join("r2")
        script.silent = ["r1"]
        _ = script.classifyResnet(1...1)
        #expect(script.wait(.milliseconds(1499)) == [])
        #expect(script.wait(.milliseconds(1)) == ["resync r1", "job 1 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
    }

    @Test func aPauseOfTheRouterItselfLosesNoWorker() {
        var script = Script(locators: .byHand)
        script.join("r1")
        script.advanceClock(.seconds(60))
        // The messages that arrived meanwhile are read before the timer is checked.
        #expect(script.say("r1", script["r1"].ping()) == [])
        #expect(script.handle(.deadline) == [])
        #expect(script.status.workers.count == 1)
    }

    @Test func anyMessageCountsAsAHeartbeat() {
        var script = Script { $0.hangTimeout = .seconds(1000) }
        script.join("r1", credit: 9)
        script.silent = ["r1"]
        _ = script.classifyResnet(1...5)
        for token in 1...5 {
            #expect(script.wait(.milliseconds(1400)) == [])
            script.score("r1", token)
        }
    }

    @Test func aWorkerThatSendsHeartbeatsWithoutProgressIsLost() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        _ = script.classifyResnet(1...1)
        script.join("r2")
        #expect(script.wait(.milliseconds(9_999)) == [])
        #expect(script.wait(.milliseconds(300)) == ["resync r1", "job 1 to r2, attempt 2"])
    }

    @Test func aSlowWorkerThatMakesProgressIsKept() {
        var script = Script()
        script.join("r1")
        _ = script.classifyResnet(1...1)
        #expect(script.wait(.seconds(50)) == [])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
    }

    @Test func anIdleWorkerDoesNotCountAsHung() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        #expect(script.wait(.seconds(100)) == [])
        // The time without progress starts with the job.
        _ = script.classifyResnet(1...1)
        #expect(script.wait(.seconds(9)) == [])
    }

    @Test func unsolicitedAnswersDoNotCountAsProgress() {
        var script = Script()
        script.join("r1")
        script.hung = ["r1"]
        _ = script.classifyResnet(1...1)
        for _ in 0..<9 {
            script.wait(.seconds(1))
            script.say("r1", script["r1"].score(12345))
        }
        #expect(script.wait(.milliseconds(1300)).contains("resync r1"))
    }
}

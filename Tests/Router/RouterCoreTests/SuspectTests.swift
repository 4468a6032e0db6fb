import BifronsWire
import RouterCore
import TestKit
import Testing

/// Jobs that may have killed a worker: how they are tried, and when they are quarantined.
struct SuspectTests {
    // MARK: Quarantine

    @Test func aJobThatKilledTwoWorkersIsQuarantinedIfNeitherReconnects() throws {
        var script = Script()
        for name in ["r1", "r2", "i1"] { script.join(name) }
        script.classify(1)
        script.score("i1", 1)
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.lose("r2") == [])
        #expect(script.wait(.milliseconds(2999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 422 quarantined"])
        let result = try #require(script.document(1))
        #expect(result.verdict == nil)
        #expect(result.attempts == 2)
        #expect(result.models.map(\.status) == [.unprocessable, .ok])
        #expect(script.status.counters.quarantined == 1)
    }

    @Test func aWorkerThatReconnectsDoesNotCountAsDead() {
        for returned in ["r1", "r2"] {
            var script = Script()
            for name in ["r1", "r2"] { script.join(name) }
            script.classifyResnet(1...1)
            script.lose("r1")
            script.lose("r2")
            script.wait(.seconds(1))
            #expect(script.reconnect(returned) == ["reply 1: 503 worker_lost", "welcome \(returned)"])
            #expect(script.status.counters.quarantined == 0)
        }
    }

    @Test func aWorkerThatReconnectedBeforeTheSecondDeathDoesNotCountAsDead() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.classifyResnet(1...1)
        script.lose("r1")
        script.reconnect("r1")
        #expect(script.lose("r2") == ["reply 1: 503 worker_lost"])
    }

    @Test func aRestartedWorkerStillCountsAsDead() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.classifyResnet(1...1)
        script.lose("r1")
        script.lose("r2")
        #expect(script.join("r1") == ["welcome r1"])
        #expect(script.wait(.seconds(3)) == ["reply 1: 422 quarantined"])
    }

    /// A connection that is cut for longer than the rest of a budget looks like two deaths, but is none.
    @Test func aJobIsNotQuarantinedIfItsBudgetEndsBeforeTheDeathIsConfirmed() {
        for (budget, answer) in [(3000, "reply 1: 422 quarantined"), (2999, "reply 1: 503 worker_lost")] {
            var script = Script()
            for name in ["r1", "r2"] { script.join(name) }
            script.classify(1) { ($0.models, $0.budgetMilliseconds) = (["resnet"], budget) }
            script.lose("r1")
            #expect(script.lose("r2") + script.wait(.milliseconds(budget)) == [answer])
        }
    }

    @Test func aQuarantinedJobIsRemovedFromTheOtherModelsQueue() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.join("i1", credit: 0)
        script.classify(1)
        script.lose("r1")
        script.lose("r2")
        #expect(script.wait(.seconds(3)) == ["reply 1: 422 quarantined"])
        #expect(script.say("i1", script["i1"].credit(1)) == [])
        #expect(script.status.models[1].waiting == 0)
    }

    @Test func oneFailureAndOneDeathDoNotQuarantineAJob() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name) }
        script.classifyResnet(1...1)
        script.fail("r1", 1, .unavailable)
        #expect(script.lose("r2") == ["reply 1: 503 worker_lost"])
    }

    @Test func aSuspectWaitsForANewWorkerWithinItsBudget() {
        var script = Script { $0.rejoinWait = .zero }
        script.join("r1")
        script.classifyResnet(1...1)
        script.lose("r1")
        script.wait(.seconds(30))
        #expect(script.join("r2") == ["welcome r2", "job 1 to r2, attempt 2"])
    }

    // MARK: Trials

    @Test func suspectsAreTriedOneAtATimeAndAlone() {
        var script = Script()
        script.join("r1")
        script.classifyResnet(1...3)
        script.join("r2")
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.classifyResnet(4...4) == [])
        #expect(script.score("r2", 1) == ["reply 1: 200", "job 2 to r2, attempt 2"])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 3 to r2, attempt 2"])
        #expect(script.score("r2", 3) == ["reply 3: 200", "job 4 to r2"])
    }

    @Test func aSecondDeathQuarantinesOneSuspectAndTheOthersAreRetried() {
        var script = Script()
        script.join("r1")
        script.classifyResnet(1...3)
        script.join("r2")
        script.lose("r1")
        script.score("r2", 1)
        script.lose("r2")
        #expect(script.join("r3") == ["welcome r3", "job 3 to r3, attempt 2"])
        #expect(script.score("r3", 3) == ["reply 3: 200"])
        #expect(script.wait(.seconds(3)) == ["reply 2: 422 quarantined"])
    }

    @Test func aBusyWorkerIsReservedForASuspect() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name, credit: 2) }
        script.classifyResnet(1...4)
        // r1 had jobs 1 and 3; r2 has 2 and 4.
        #expect(script.lose("r1") == [])
        #expect(script.classifyResnet(5...5) == [])
        #expect(script.score("r2", 2) == ["reply 2: 200"])
        #expect(script.score("r2", 4) == ["reply 4: 200", "job 1 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200", "job 3 to r2, attempt 2"])
        #expect(script.score("r2", 3) == ["reply 3: 200", "job 5 to r2"])
    }

    @Test func otherWorkersGetJobsWhileOneTriesASuspect() {
        var script = Script()
        for name in ["r1", "r2", "r3"] { script.join(name, credit: 2) }
        script.classifyResnet(1...1)
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.classifyResnet(2...3) == ["job 2 to r3", "job 3 to r3"])
    }

    @Test func aCancelledSuspectReleasesItsWorker() {
        var script = Script()
        for name in ["r1", "r2"] { script.join(name, credit: 2) }
        script.classifyResnet(1...2)
        script.lose("r1")
        script.classifyResnet(3...3)
        #expect(script.ask(9, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 9: 200", "job 3 to r2"])
    }

    /// Two workers of each model, restarted when they die, and one image that kills every worker that gets it.
    @Test func onePoisonJobAmongTwoHundredGoodOnesIsTheOnlyOneLost() {
        var script = Script()
        let poison = 77
        var started = 0
        var holds: [String: [Int]] = [:]
        func start(_ model: String) -> [String] {
            started += 1
            holds["\(model)\(started)"] = []
            return script.join("\(model)\(started)", credit: 16)
        }
        func note(_ lines: [String]) {
            for line in lines where line.hasPrefix("job ") {
                let words = line.split { " ,".contains($0) }
                holds[String(words[3])]?.append(Int(words[1])!)
            }
        }
        for model in ["r", "i", "r", "i"] { note(start(model)) }
        for token in 1...201 { note(script.classify(token) { $0.budgetMilliseconds = 60_000 }) }
        for _ in 0..<5000 where script.replies.count < 201 {
            let busy = holds.filter { !$0.value.isEmpty }.min { $0.key < $1.key }
            guard let (name, jobs) = busy else {
                note(script.wait(.milliseconds(100)))
                continue
            }
            if jobs.contains(poison), script.document(poison) == nil {
                holds[name] = nil
                note(script.lose(name))
                note(start(String(name.prefix(1))))
            } else {
                holds[name]?.removeFirst()
                note(script.score(name, jobs[0]))
            }
        }
        let statuses = (1...201).map { script.document($0)?.status }
        #expect(statuses.filter { $0 == .ok }.count == 200)
        #expect(statuses[poison - 1] == .unprocessable)
        #expect(started <= 8)
    }
}

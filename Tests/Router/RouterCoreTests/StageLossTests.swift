import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// Lost workers in each stage: what is done again, what is not, and what is blamed.
struct StageLossTests {
    private func script(
        _ names: [String], credit: UInt32 = 4, _ configure: (inout RouterCore.Configuration) -> Void = { _ in }
    ) -> Script {
        var script = Script(locators: .byHand, configure)
        for name in names { script.join(name, credit: credit) }
        return script
    }

    @Test(arguments: [RouterCore.Loss.connectionEnded, .unreachable, .revoked])
    func aLostLocatorsImagesGoToAnotherLocator(loss: RouterCore.Loss) {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...1)
        script.join("l2")
        #expect(script.lose("l1", loss) == ["image 1 to l2, attempt 2"])
        #expect(script.cut("l2", 1) == ["job 1 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 200"])
        #expect(script.document(1)?.attempts == 2)
        #expect(script.document(1)?.locator?.worker == "l2")
    }

    @Test(arguments: [RouterCore.Loss.connectionEnded, .unreachable, .revoked])
    func aLostNetworkWorkersCropsAreSentAgainWithoutCuttingAgain(loss: RouterCore.Loss) throws {
        var script = script(["l1", "r1", "r2"])
        script.classifyResnet(1...1)
        script.cut("l1", 1)
        let first = try #require(script.lastActions.last)
        #expect(script.lose("r1", loss) == ["job 1 to r2, attempt 2"])
        guard case .score(_, _, let crops, let frame) = first,
            case .score(_, _, crops, frame)? = script.lastActions.last
        else {
            Issue.record("\(script.lastActions)")
            return
        }
        #expect(script.status.models.map(\.inFlight) == [1, 0, 0])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        #expect(script.status.workers.first { $0.name == "l1" }?.scored == 1)
    }

    @Test func aLocatorIsLostAfterThreeMissedHeartbeatsOrTheHangTimeout() {
        for isHung in [false, true] {
            var script = script(["l1", "r1"])
            if isHung { script.hung = ["l1"] } else { script.silent = ["l1"] }
            script.classifyResnet(1...1)
            script.join("l2")
            let lines = script.wait(isHung ? .milliseconds(10_300) : .milliseconds(1500))
            #expect(lines == ["resync l1", "image 1 to l2, attempt 2"])
        }
    }

    @Test func anImageOfASilentLocatorFailsAfterTheRejoinWait() {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...1)
        script.silent = ["l1"]
        #expect(script.wait(.milliseconds(4499)) == ["resync l1"])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 503 worker_lost"])
        #expect(
            script.document(1)?.error?.message == "the job was lost by a worker of locator (silent); send it again")
        #expect(script.core.cropBytes == 0)
    }

    @Test func aLocatorThatReconnectsGetsItsImageAgain() {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...1)
        #expect(script.reconnect("l1") == ["welcome l1", "image 1 to l1, attempt 2"])
        #expect(script.lose("l1") == ["reply 1: 503 worker_lost"])
        #expect(script.core.cropBytes == 0)
    }

    @Test func aDrainingLocatorGetsNoNewImagesAndItsCropsCount() {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...1)
        script.say("l1", script["l1"].drain)
        script.join("l2")
        #expect(script.classifyResnet(2...2) == ["image 2 to l2"])
        #expect(script.cut("l1", 1) == ["job 1 to r1"])
        #expect(script.say("l1", script["l1"].bye) == [])
    }

    // MARK: Blame

    @Test func anImageIsQuarantinedAfterTwoLocatorDeaths() throws {
        var script = script(["l1", "l2", "r1", "i1"])
        script.classify(1)
        script.lose("l1")
        #expect(script.lose("l2") == [])
        #expect(script.core.cropBytes == 0)
        #expect(script.wait(.milliseconds(2999)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 422 quarantined"])
        let result = try #require(script.document(1))
        #expect(
            result.error?.message
                == "2 workers of locator died with this image in their hands; it is not tried again")
        #expect(result.models.map(\.status) == [.unprocessable, .unprocessable])
        #expect(result.attempts == 2)
        #expect(script.status.counters.quarantined == 1)
    }

    @Test func cropsAreQuarantinedAfterTwoNetworkWorkerDeaths() {
        var script = script(["l1", "r1", "r2", "i1"])
        script.classify(1)
        script.cut("l1", 1)
        script.score("i1", 1)
        script.lose("r1")
        script.lose("r2")
        #expect(script.wait(.seconds(3)) == ["reply 1: 422 quarantined"])
        #expect(
            script.document(1)?.error?.message
                == "2 workers of resnet died with this image's crops in their hands; it is not tried again")
        #expect(script.kept.isEmpty)
    }

    /// Two deaths, but of two different steps: neither step has been tried twice.
    @Test func aDeathInEachStageIsNoReasonForQuarantine() {
        var script = script(["l1", "l2", "r1", "r2"])
        script.classifyResnet(1...1)
        #expect(script.lose("l1") == ["image 1 to l2, attempt 2"])
        #expect(script.cut("l2", 1) == ["job 1 to r1"])
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.wait(.seconds(10)) == [])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        #expect(script.status.counters.quarantined == 0)
    }

    @Test func aLocatorThatReconnectsDoesNotCountAsDead() {
        for returned in ["l1", "l2"] {
            var script = script(["l1", "l2", "r1"])
            script.classifyResnet(1...1)
            script.lose("l1")
            script.lose("l2")
            script.wait(.seconds(1))
            #expect(script.reconnect(returned) == ["reply 1: 503 worker_lost", "welcome \(returned)"])
            #expect(script.status.counters.quarantined == 0)
        }
    }

    @Test func suspectImagesAreTriedOneAtATimeAndAlone() {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...3)
        script.join("l2")
        #expect(script.lose("l1") == ["image 1 to l2, attempt 2"])
        #expect(script.classifyResnet(4...4) == [])
        #expect(script.cut("l2", 1) == ["job 1 to r1", "image 2 to l2, attempt 2"])
        #expect(script.fail("l2", 2, .unprocessable) == ["reply 2: 422 scripted", "image 3 to l2, attempt 2"])
        #expect(script.cut("l2", 3) == ["job 3 to r1", "image 4 to l2"])
        // The suspicion was of the image, not of its crops, so these are not suspects.
        #expect(script.status.models.map(\.inFlight) == [2, 0, 1])
    }

    @Test func suspectCropsAreTriedAloneWhileLocatorsContinue() {
        var script = script(["l1", "r1"])
        script.classifyResnet(1...2)
        script.cut("l1", 1)
        script.cut("l1", 2)
        script.join("r2")
        #expect(script.lose("r1") == ["job 1 to r2, attempt 2"])
        #expect(script.classifyResnet(3...4) == ["image 3 to l1", "image 4 to l1"])
        #expect(script.cut("l1", 3) == [])
        #expect(script.score("r2", 1) == ["reply 1: 200", "job 2 to r2, attempt 2"])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 3 to r2"])
    }

    /// Two locators and two workers of each model, restarted when they die, and one image that kills its locators.
    @Test func onePoisonImageAmongTwoHundredGoodOnesIsTheOnlyOneLost() {
        var script = Script(locators: .byHand)
        let poison = 77
        var started = 0
        var holds: [String: [Int]] = [:]
        func start(_ kind: String) -> [String] {
            started += 1
            holds["\(kind)\(started)"] = []
            return script.join("\(kind)\(started)", credit: 16)
        }
        func note(_ lines: [String]) {
            for line in lines where line.hasPrefix("job ") || line.hasPrefix("image ") {
                let words = line.split { " ,".contains($0) }
                holds[String(words[3])]?.append(Int(words[1])!)
            }
        }
        for kind in ["r", "i", "l", "r", "i", "l"] { note(start(kind)) }
        for token in 1...201 { note(script.classify(token) { $0.budgetMilliseconds = 60_000 }) }
        for _ in 0..<5000 where script.replies.count < 201 {
            guard let (name, jobs) = holds.filter({ !$0.value.isEmpty }).min(by: { $0.key < $1.key }) else {
                note(script.wait(.milliseconds(100)))
                continue
            }
            if name.hasPrefix("l"), jobs.contains(poison), script.document(poison) == nil {
                holds[name] = nil
                note(script.lose(name))
                note(start("l"))
            } else {
                holds[name]?.removeFirst()
                note(name.hasPrefix("l") ? script.cut(name, jobs[0]) : script.score(name, jobs[0]))
            }
        }
        let statuses = (1...201).map { script.document($0)?.status }
        #expect(statuses.filter { $0 == .ok }.count == 200)
        #expect(statuses[poison - 1] == .unprocessable)
        #expect(started <= 8)
        #expect(script.kept.isEmpty && script.core.jobsInHand == 0)
    }
}

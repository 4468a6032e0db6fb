import BifronsWire
import Glibc
import Hashing
import Inference
import Settings
import TestImages
import Testing
import WorkerService

/// Tests what both kinds of workers have in common, from a router's side, over ipc.
@Suite struct WorkerServiceTests {
    @Test func theLargestHeatMapFitsIntoAScoreMessage() {
        #expect(Evidence.largestSide <= Limits.mapSide)
    }

    @Test func aConfiguredNameIsUsed() throws {
        let harness = try Harness()
        try harness.startNetwork { $0.name = "left" }
        #expect(try harness.nextHello().worker == "left")
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func heartbeatsContinueWhileTheComputingThreadIsBlocked() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startNetwork(gate: gate)
        try harness.welcome(heartbeat: 10)
        try harness.score(1, [1])
        try gate.waitUntilReached()
        var (beats, before) = (0, UInt64.max)
        while beats < 3 {
            let message = try harness.nextOfAnyKind()
            guard case .ping(7, let inFlight, let progress) = message else { throw Harness.Unexpected() }
            try harness.say(.pong(epoch: 7))
            // The thread hangs in the engine, so its progress must not change.
            if inFlight == 1, progress == before { beats += 1 }
            before = progress
        }
        gate.open()
        #expect(try harness.nextScore().job == 1)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func drainAnswersJobsInFlightFirst() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startLocator(gate: gate)
        try harness.welcome()
        try harness.locate(1, TestImages.png(width: 1, height: 1))
        try harness.locate(2, TestImages.png(width: 2, height: 1))
        try harness.waitUntilRead()
        harness.kill()
        #expect(try harness.next() == .drain(epoch: 7))
        gate.open()
        #expect(try Set([harness.nextCrops().job, harness.nextCrops().job]) == [1, 2])
        #expect(try harness.next() == .bye(epoch: 7))
        #expect(try harness.end() == .drained)
    }

    @Test func drainEndsInTimeWhenTheEngineHangs() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startNetwork(gate: gate) { $0.drainTime = .milliseconds(50) }
        try harness.welcome()
        try harness.score(1, [1])
        try gate.waitUntilReached()
        harness.kill(SIGINT)
        #expect(try harness.next() == .drain(epoch: 7))
        #expect(try harness.next() == .bye(epoch: 7))
        #expect(try harness.end() == .abandoned)
        gate.open()
    }

    @Test func secondSignalEndsTheDrain() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startNetwork(gate: gate)
        try harness.welcome()
        try harness.score(1, [1])
        try gate.waitUntilReached()
        harness.kill(SIGINT)
        #expect(try harness.next() == .drain(epoch: 7))
        harness.kill(SIGINT)
        #expect(try harness.next() == .bye(epoch: 7))
        #expect(try harness.end() == .abandoned)
        gate.open()
    }

    @Test func aModelThatCannotBeLoadedEndsTheWorkerBeforeHello() throws {
        struct NoEngine: Error, CustomStringConvertible { let description = "no engine" }
        let harness = try Harness()
        try harness.start({ throw NoEngine() })
        let error = #expect(throws: UnfitWorker.self) { try harness.end() }
        #expect(error?.description == "no engine")
        #expect(try harness.isSilent())
    }

    @Test func aFinalByeEndsTheWorkerWithItsReason() throws {
        let harness = try Harness()
        try harness.startNetwork()
        _ = try harness.nextHello()
        try harness.say(.bye(reason: "models of 1.0.0 are served", isFinal: true))
        let error = #expect(throws: UnfitWorker.self) { try harness.end() }
        #expect(
            error?.description
                == "the router at \(harness.endpoint) will not take this worker: models of 1.0.0 are served")
    }

    @Test func aRouterOfAnotherProtocolVersionEndsTheWorker() throws {
        let harness = try Harness()
        try harness.startNetwork()
        _ = try harness.nextHello()
        try harness.say([Limits.workerProtocolVersion - 1, 65, 0, 0])
        let error = #expect(throws: UnfitWorker.self) { try harness.end() }
        #expect(error?.description.hasPrefix("the router at \(harness.endpoint) will not take this worker: ") == true)
        let other = Limits.workerProtocolVersion - 1
        #expect(error?.description.contains("it speaks version \(other) of the worker protocol") == true)
    }

    @Test func resyncMakesTheWorkerRegisterAgain() throws {
        let harness = try Harness()
        try harness.startNetwork()
        let first = try harness.welcome()
        try harness.say(.resync)
        #expect(try harness.welcome(epoch: 8) == first)
        try harness.score(1, [1])
        #expect(try harness.nextScore().epoch == 8)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func aSilentRouterIsReconnected() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome(heartbeat: 10)
        let old = harness.peer
        // Three heartbeats without a message.
        try harness.welcome(epoch: 8)
        #expect(harness.peer != old)
        try harness.score(1, [1])
        #expect(try harness.nextScore().epoch == 8)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func theWorkerRegistersAtOnceWithARestartedRouter() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome()
        try harness.restart()
        try harness.welcome(epoch: 8)
        try harness.score(1, [1])
        #expect(try harness.nextScore().epoch == 8)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func malformedMessagesOfTheRouterAreIgnored() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome()
        try harness.say([UInt8]())
        try harness.say([Limits.workerProtocolVersion])
        try harness.say([Limits.workerProtocolVersion, 99], [1, 2, 3])
        try harness.say([Limits.workerProtocolVersion, 66, 1], [1], [2], [3])
        try harness.score(1, [1])
        #expect(try harness.nextScore().job == 1)
        harness.kill()
        #expect(try harness.end() == .drained)
    }
}

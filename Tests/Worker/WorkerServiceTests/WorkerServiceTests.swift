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
    @Test func everyMapThatANetworkMayHaveFitsIntoAScore() {
        #expect(Evidence.largestSide <= Limits.mapSide)
    }

    @Test func nameOfItsOwnIsUsed() throws {
        let bench = try Bench()
        try bench.startNetwork { $0.name = "left" }
        #expect(try bench.nextHello().worker == "left")
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func heartBeatsWhileTheThreadIsHeldUp() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startNetwork(gate: gate)
        try bench.welcome(heartbeat: 10)
        try bench.score(1, [1])
        try gate.waitUntilReached()
        var (beats, before) = (0, UInt64.max)
        while beats < 3 {
            let message = try bench.nextOfAnyKind()
            guard case .ping(7, let inFlight, let progress) = message else { throw Bench.Unexpected() }
            try bench.say(.pong(epoch: 7))
            // The thread hangs in the engine, so its progress must not change.
            if inFlight == 1, progress == before { beats += 1 }
            before = progress
        }
        gate.open()
        #expect(try bench.nextScore().job == 1)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func drainAnswersWhatIsInHandFirst() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startLocator(gate: gate)
        try bench.welcome()
        try bench.locate(1, TestImages.png(width: 1, height: 1))
        try bench.locate(2, TestImages.png(width: 2, height: 1))
        try bench.waitUntilRead()
        bench.kill()
        #expect(try bench.next() == .drain(epoch: 7))
        gate.open()
        #expect(try Set([bench.nextCrops().job, bench.nextCrops().job]) == [1, 2])
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .drained)
    }

    @Test func drainEndsInTimeWhenTheEngineHangs() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startNetwork(gate: gate) { $0.drainTime = .milliseconds(50) }
        try bench.welcome()
        try bench.score(1, [1])
        try gate.waitUntilReached()
        bench.kill(SIGINT)
        #expect(try bench.next() == .drain(epoch: 7))
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .abandoned)
        gate.open()
    }

    @Test func secondSignalEndsTheDrain() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startNetwork(gate: gate)
        try bench.welcome()
        try bench.score(1, [1])
        try gate.waitUntilReached()
        bench.kill(SIGINT)
        #expect(try bench.next() == .drain(epoch: 7))
        bench.kill(SIGINT)
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .abandoned)
        gate.open()
    }

    @Test func modelThatCannotBeServedEndsTheWorkerBeforeItSaysHello() throws {
        struct Unfit: Error, CustomStringConvertible { let description = "no engine" }
        let bench = try Bench()
        try bench.start({ throw Unfit() })
        let error = #expect(throws: UnfitWorker.self) { try bench.end() }
        #expect(error?.description == "no engine")
        #expect(try bench.isSilent())
    }

    @Test func routerThatRefusesForGoodEndsTheWorker() throws {
        let bench = try Bench()
        try bench.startNetwork()
        _ = try bench.nextHello()
        try bench.say(.bye(reason: "models of 1.0.0 are served", isFinal: true))
        let error = #expect(throws: UnfitWorker.self) { try bench.end() }
        #expect(
            error?.description
                == "the router at \(bench.endpoint) will not take this worker: models of 1.0.0 are served")
    }

    @Test func routerOfAnotherVersionEndsTheWorker() throws {
        let bench = try Bench()
        try bench.startNetwork()
        _ = try bench.nextHello()
        try bench.say([Limits.workerProtocolVersion - 1, 65, 0, 0])
        let error = #expect(throws: UnfitWorker.self) { try bench.end() }
        #expect(error?.description.hasPrefix("the router at \(bench.endpoint) will not take this worker: ") == true)
        #expect(error?.description.contains("it speaks version 3 of the worker protocol") == true)
    }

    @Test func routerThatForgotTheWorkerIsGreetedAgain() throws {
        let bench = try Bench()
        try bench.startNetwork()
        let first = try bench.welcome()
        try bench.say(.resync)
        #expect(try bench.welcome(epoch: 8) == first)
        try bench.score(1, [1])
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func routerThatFallsSilentIsCalledAgainOnANewConnection() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome(heartbeat: 10)
        let old = bench.peer
        // Three heartbeats without a message.
        try bench.welcome(epoch: 8)
        #expect(bench.peer != old)
        try bench.score(1, [1])
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func routerThatComesBackIsGreetedAtOnce() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome()
        try bench.restart()
        try bench.welcome(epoch: 8)
        try bench.score(1, [1])
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func garbageFromARouterIsPassedOver() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome()
        try bench.say([UInt8]())
        try bench.say([Limits.workerProtocolVersion])
        try bench.say([Limits.workerProtocolVersion, 99], [1, 2, 3])
        try bench.say([Limits.workerProtocolVersion, 66, 1], [1], [2], [3])
        try bench.score(1, [1])
        #expect(try bench.nextScore().job == 1)
        bench.kill()
        #expect(try bench.end() == .drained)
    }
}

import BifronsWire
import Settings
import Testing
import WorkerService

/// Tests a network's worker from a router's side, over ipc. Only the network is fake.
@Suite struct NetworkServiceTests {
    @Test func introducesItselfWithItsSpecification() throws {
        let bench = try Bench()
        try bench.startNetwork { $0.maxBatch = 3 }
        let hello = try bench.nextHello()
        #expect(hello.role == .network(faces))
        #expect(hello.model == "resnet" && hello.metrics == resnet.metrics && hello.credit == 6)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func everyCropHasItsScoreAndItsMap() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome(epoch: 9)
        try bench.score(5, [3, 2, 1])
        let score = try bench.nextScore()
        #expect(score.epoch == 9 && score.job == 5 && score.timings.batch == 1)
        #expect(score.crops.map(\.logit) == [3, 2, 1])
        #expect(score.crops.map(\.map?.cells) == [[3], [2], [1]])
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func batchesAreFilledWithTheCropsOfManyJobsAndAFaceWithoutAScoreFailsItsJobAlone() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startNetwork(gate: gate)
        try bench.welcome()
        try bench.score(1, [1])
        // The first batch is in the engine, so the other jobs wait and are scored together.
        try gate.waitUntilReached()
        try bench.score(2, [2, 2])
        try bench.score(3, [3, 14, 3])
        try bench.score(4, [4])
        try bench.waitUntilRead()
        gate.open()
        #expect(try bench.nextScore().job == 1)
        gate.open()
        let second = try bench.nextScore()
        #expect(second.job == 2 && second.crops.map(\.logit) == [2, 2] && second.timings.batch == 3)
        #expect(try bench.nextFailure() == (3, 503, "inference_failed"))
        #expect(try bench.nextScore().crops.map(\.logit) == [4])
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func crowdIsScoredInSeveralBatches() throws {
        let bench = try Bench()
        try bench.startNetwork { $0.maxBatch = 4 }
        try bench.welcome()
        let crops = (20..<36).map { UInt8($0) }
        try bench.score(1, crops)
        #expect(try bench.nextScore().crops.map(\.logit) == crops.map { Float($0) })
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func engineThatFailsIsAnInternalErrorAndTheWorkerGoesOn() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome()
        try bench.score(1, [1, 13])
        #expect(try bench.nextFailure() == (1, 503, "inference_failed"))
        try bench.score(2, [2])
        #expect(try bench.nextScore().job == 2)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func cropsThatAreNotWholeAreRefused() throws {
        let bench = try Bench()
        try bench.startNetwork()
        try bench.welcome()
        try bench.say(.score(.init(job: 1, attempt: 1, remainingMilliseconds: 100)), [1, 2, 3])
        #expect(try bench.nextFailure() == (1, 503, "job_malformed"))
        try bench.locate(2, [1, 2, 3])
        #expect(try bench.nextFailure() == (2, 503, "job_misdirected"))
        bench.kill()
        #expect(try bench.end() == .drained)
    }
}

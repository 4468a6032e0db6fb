import BifronsWire
import Settings
import Testing
import WorkerService

/// Tests a network's worker from a router's side, over ipc. Only the network is fake.
@Suite struct NetworkServiceTests {
    @Test func helloStatesTheNetworksCropSpecificationAndCredit() throws {
        let harness = try Harness()
        try harness.startNetwork { $0.maxBatch = 3 }
        let hello = try harness.nextHello()
        #expect(hello.role == .network(faces))
        #expect(hello.model == "resnet" && hello.metrics == resnet.metrics && hello.credit == 6)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func everyCropGetsAScoreAndAHeatMap() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome(epoch: 9)
        try harness.score(5, [3, 2, 1])
        let score = try harness.nextScore()
        #expect(score.epoch == 9 && score.job == 5 && score.timings.batch == 1)
        #expect(score.crops.map(\.logit) == [3, 2, 1])
        #expect(score.crops.map(\.map?.cells) == [[3], [2], [1]])
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func batchesCombineJobsAndACropWithoutAScoreFailsOnlyItsOwnJob() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startNetwork(gate: gate)
        try harness.welcome()
        try harness.score(1, [1])
        // The first batch is in the engine, so the other jobs wait and are scored together.
        try gate.waitUntilReached()
        try harness.score(2, [2, 2])
        try harness.score(3, [3, 14, 3])
        try harness.score(4, [4])
        try harness.waitUntilRead()
        gate.open()
        #expect(try harness.nextScore().job == 1)
        gate.open()
        let second = try harness.nextScore()
        #expect(second.job == 2 && second.crops.map(\.logit) == [2, 2] && second.timings.batch == 3)
        #expect(try harness.nextFailure() == (3, 503, "inference_failed"))
        #expect(try harness.nextScore().crops.map(\.logit) == [4])
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func aJobWithManyCropsIsScoredInSeveralBatches() throws {
        let harness = try Harness()
        try harness.startNetwork { $0.maxBatch = 4 }
        try harness.welcome()
        let crops = (20..<36).map { UInt8($0) }
        try harness.score(1, crops)
        #expect(try harness.nextScore().crops.map(\.logit) == crops.map { Float($0) })
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func anEngineFailureFailsItsJobAndTheWorkerContinues() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome()
        try harness.score(1, [1, 13])
        #expect(try harness.nextFailure() == (1, 503, "inference_failed"))
        try harness.score(2, [2])
        #expect(try harness.nextScore().job == 2)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func incompleteCropsAndImagesAreRefused() throws {
        let harness = try Harness()
        try harness.startNetwork()
        try harness.welcome()
        try harness.say(.score(.init(job: 1, attempt: 1, remainingMilliseconds: 100)), [1, 2, 3])
        #expect(try harness.nextFailure() == (1, 503, "job_malformed"))
        try harness.locate(2, [1, 2, 3])
        #expect(try harness.nextFailure() == (2, 503, "job_misdirected"))
        harness.kill()
        #expect(try harness.end() == .drained)
    }
}

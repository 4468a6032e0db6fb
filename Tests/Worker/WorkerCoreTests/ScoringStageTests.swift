import BifronsWire
import TestKit
import Testing
import WorkerCore

@Suite struct ScoringStageTests {
    @Test func creditIsTwoBatches() {
        var script = Script.network(maxBatch: 5)
        var hello = networkHello
        hello.credit = 10
        #expect(script.at(0, .connected(0)) == [.send(0, .hello(hello))])
    }

    @Test func cropsOfManyJobsFillABatch() {
        var script = Script.network()
        script.register()
        #expect(script.score(1) == [order(1, [1: 0..<1]), .release(1)])
        #expect(script.score(2) == [])
        #expect(script.score(3, crops: 2) == [])
        #expect(
            script.scored(1, [0.5], at: 8) == [
                score(1, [0.5], computed: 8000), order(2, [2: 0..<1, 3: 0..<2]), .release(2), .release(3),
            ])
        #expect(
            script.scored(2, [1, 2, 3], at: 20) == [
                score(2, [1], queued: 8000, computed: 12_000, batch: 2),
                score(3, [2, 3], queued: 8000, computed: 12_000, batch: 2),
            ])
    }

    @Test func aFullNextBatchIsChosenAtOnceButNoThirdOne() {
        var script = Script.network(maxBatch: 2, credit: 20)
        script.register()
        script.score(1)
        #expect(script.score(2) == [])
        #expect(script.score(3) == [order(2, [2: 0..<1, 3: 0..<1]), .release(2), .release(3)])
        #expect(script.score(4) == [])
        #expect(script.score(5) == [])
        #expect(
            script.scored(1, [0], at: 5) == [
                score(1, [0], computed: 5000), order(3, [4: 0..<1, 5: 0..<1]), .release(4), .release(5),
            ])
        // The second batch began when the first was done.
        #expect(
            script.scored(2, [0, 1], at: 9) == [
                score(2, [0], queued: 5000, computed: 4000, batch: 2),
                score(3, [1], queued: 5000, computed: 4000, batch: 2),
            ])
    }

    @Test func aPartialNextBatchIsChosenShortlyBeforeTheCurrentOneEnds() {
        var script = Script.network()
        script.register()
        script.score(1)
        script.scored(1, [0], at: 10)
        script.score(2, at: 20)
        #expect(script.score(3, at: 21) == [])
        // The pace is 10 ms per crop.
        #expect(script.due == 28)
        #expect(script.score(4, at: 27) == [])
        #expect(script.at(28, .deadline(progress: 0)) == [order(3, [3: 0..<1, 4: 0..<1]), .release(3), .release(4)])
        #expect(script.scored(2, [0], at: 30).count == 1)
        #expect(
            script.scored(3, [0, 1], at: 50).first == score(3, [0], queued: 9000, computed: 20_000, batch: 2))
    }

    @Test func aJobWithManyCropsSharesBatchesWithOtherJobs() {
        var script = Script.network(maxBatch: 8, credit: 20)
        script.register()
        script.score(1)
        #expect(script.score(2, crops: 16) == [order(2, [2: 0..<8])])
        for job in 3...7 { #expect(script.score(job) == []) }
        // A quarter of a batch per turn, then what the other jobs leave.
        #expect(
            script.scored(1, [0], at: 0).dropFirst() == [
                order(3, [2: 8..<11, 3: 0..<1, 4: 0..<1, 5: 0..<1, 6: 0..<1, 7: 0..<1]),
                .release(3), .release(4), .release(5), .release(6), .release(7),
            ])
        let first = (0..<8).map(Float.init)
        #expect(script.scored(2, first, at: 10) == [])
        #expect(
            script.scored(3, [8, 9, 10, 0, 0, 0, 0, 0], at: 20).dropFirst(5) == [order(4, [2: 11..<16]), .release(2)])
        #expect(
            script.scored(4, [11, 12, 13, 14, 15], at: 30)
                == [score(2, (0..<16).map(Float.init), computed: 30_000, batch: 6)])
    }

    @Test func aBatchIsNoLargerThanItsEarliestDeadlineAllows() {
        var script = Script.network(maxBatch: 4, credit: 20)
        script.register()
        script.score(1)
        script.scored(1, [0], at: 20)
        for job in 2...9 { script.score(job, at: 20, budget: 150) }
        // The pace is 20 ms per crop. The second job's batch holds one crop and ends at 40. At that time 130 ms are
        // left, enough for six crops, and the next four are already in a batch.
        #expect(script.scored(2, [0], at: 40).count == 1)
        // These four end at 120. 50 ms are left, enough for two crops.
        #expect(
            script.scored(3, [0, 0, 0, 0], at: 120).dropFirst(4) == [
                order(4, [7: 0..<1, 8: 0..<1]), .release(7), .release(8),
            ])
    }

    @Test func aJobThatWillMissItsDeadlineDoesNotDelayOthers() {
        var script = Script.network()
        script.register()
        script.score(1)
        script.score(2, budget: 110)
        for job in 3...5 { script.score(job, budget: 1000) }
        // The pace is unknown, so the first four waiting crops are a batch.
        #expect(script.core.jobsInHand == 5)
        script.scored(1, [0], at: 100)
        script.score(6, at: 100, budget: 110)
        script.score(7, at: 100, budget: 1000)
        script.score(8, at: 100, budget: 1000)
        // The pace is 100 ms per crop, with four crops in a batch before.
        #expect(
            script.scored(2, [0, 0, 0, 0], at: 200).suffix(3) == [
                order(3, [7: 0..<1, 8: 0..<1]), .release(7), .release(8),
            ])
    }

    @Test func aCropWithoutAScoreFailsOnlyItsOwnJob() {
        var script = Script.network(credit: 20)
        script.register()
        script.score(1)
        script.score(2, crops: 6)
        script.score(3)
        let error = WireError(.unavailable, code: "inference_failed", "it is not a number")
        let good = WorkerMessage.CropScore(logit: 2)
        script.scored(1, [0], at: 0)
        #expect(
            script.at(
                5, .computed(.scored(batch: 2, [.success(good), .failure(error), .success(good), .success(good)])))
                == [failure(2, error)])
        #expect(script.core.jobsInHand == 2)
        #expect(script.scored(3, [9, 9, 1], at: 9).count == 1)
        #expect(script.core.jobsInHand == 0)
    }

    @Test func aPartlyScoredJobFailsTheMomentItsBudgetEnds() {
        var script = Script.network(credit: 20)
        script.register()
        script.score(1, budget: 90)
        script.score(2, crops: 16, budget: 50)
        #expect(script.due == 50)
        #expect(script.at(50, .deadline(progress: 0)) == [.release(2), failure(2, spent)])
        // Nobody waits for its four crops.
        #expect(script.scored(1, [0], at: 60).count == 1)
        #expect(script.core.jobsInHand == 1)
        #expect(script.scored(2, [0, 0, 0, 0], at: 70) == [])
        #expect(script.core.jobsInHand == 0)
    }

    @Test func aLostRoutersCropsAreDroppedAndOthersAreScored() {
        var script = Script.network(routers: 2, credit: 20)
        script.register(0, epoch: 8)
        script.register(1, epoch: 7)
        script.score(1, from: 0)
        script.score(2, crops: 6, from: 0)
        script.score(3, from: 0)
        script.score(4, from: 1)
        #expect(
            script.at(1, .disconnected(0)) == [.release(2), .release(3), .send(1, .credit(epoch: 7, jobs: 20))])
        #expect(script.at(1, .connected(0)) == [])
        // An outcome proves that the thread works.
        var hello = networkHello
        hello.credit = 10
        #expect(script.scored(1, [0], at: 2) == [.send(0, .hello(hello))])
        #expect(script.scored(2, [0, 0, 0, 0], at: 3) == [order(3, [4: 0..<1]), .release(4)])
        #expect(script.scored(3, [1], at: 4) == [score(4, [1], to: 1, queued: 3000, computed: 1000)])
    }

    @Test func aResultForAnUnknownBatchIsDropped() {
        var script = Script.network()
        script.register()
        script.score(1)
        #expect(script.scored(2, [0]) == [])
        #expect(script.scored(1, [0, 0]) == [])
        #expect(script.at(0, .computed(.failed(1, spent))) == [])
        #expect(script.scored(1, [0]).count == 1)
        #expect(script.scored(1, [0]) == [])
    }

    @Test func drainAnswersAllBatches() {
        var script = Script.network(maxBatch: 1, credit: 3)
        script.register()
        for job in 1...3 { script.score(job) }
        #expect(script.at(10, .drain) == [.send(0, .drain(epoch: 7))])
        #expect(script.scored(1, [0], at: 20).count == 3)
        #expect(script.scored(2, [0], at: 30).count == 1)
        #expect(
            script.scored(3, [0], at: 40) == [
                score(3, [0], queued: 30_000, computed: 10_000), .send(0, .bye(epoch: 7)), .finished,
            ])
    }

    @Test(arguments: [0, 1, 11, 13, 17 * 12])
    func aCropsFrameOfTheWrongSizeIsRefusedWithItsSize(bytes: Int) {
        var script = Script.network()
        script.register()
        let job = RouterMessage.score(.init(job: 1, attempt: 1, remainingMilliseconds: 100))
        let error = WireError(
            .unavailable, code: "job_malformed",
            "the router sent \(bytes) bytes of crops, which are not 1 to 16 crops of 12 bytes")
        #expect(
            script.at(0, .received(0, job, .init(token: 1, byteCount: bytes))) == [.release(1), failure(1, error)])
    }

    @Test func aNetworkWorkerRefusesImagesAndJobsWithoutCrops() {
        var script = Script.network()
        script.register()
        let misdirected = WireError(
            .unavailable, code: "job_misdirected",
            "the router sent an image to a worker of resnet, which scores crops")
        #expect(script.locate(1) == [.release(1), failure(1, misdirected)])
        let job = RouterMessage.score(.init(job: 2, attempt: 1, remainingMilliseconds: 100))
        let incomplete = WireError(.unavailable, code: "job_incomplete", "the router sent a job without its crops")
        #expect(script.at(0, .received(0, job, nil)) == [failure(2, incomplete)])
    }
}

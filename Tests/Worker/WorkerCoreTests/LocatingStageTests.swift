import BifronsWire
import TestKit
import Testing
import WorkerCore

@Suite struct LocatingStageTests {
    @Test func eachLaneCutsAnImageAndAnswersAsSoonAsItIsReady() {
        var script = Script.locator(lanes: 2)
        script.register()
        #expect(script.locate(1) == [.locate(1, specifications)])
        #expect(script.locate(2) == [.locate(2, specifications)])
        #expect(script.locate(3) == [])
        #expect(script.cut(2, at: 5) == [crops(2, computed: 5000), .locate(3, specifications)])
        #expect(script.cut(3, at: 9) == [crops(3, queued: 5000, computed: 4000)])
        #expect(script.cut(1, at: 12) == [crops(1, computed: 12_000)])
    }

    @Test func creditIsTwiceTheLanes() {
        var script = Script.locator(lanes: 3)
        #expect(script.at(0, .connected(0)) == [.send(0, .hello(hello(6)))])
    }

    @Test func imagesGoByEarliestDeadlineAndThenByArrival() {
        var script = Script.locator(credit: 8)
        script.register()
        script.locate(1)
        for (job, budget) in [(2, 3000), (3, 1000), (4, 3000), (5, 2000)] {
            script.locate(job, budget: UInt32(budget))
        }
        for (done, next) in [(1, 3), (3, 5), (5, 2), (2, 4)] {
            #expect(script.cut(done, at: 0).last == .locate(next, specifications))
        }
    }

    @Test func anImageThatWillMissItsDeadlineDoesNotDelayOthers() {
        var script = Script.locator(credit: 8)
        script.register()
        script.locate(1)
        script.locate(2, budget: 110)
        script.locate(3, budget: 1000)
        // The estimated pace is 100 ms per image, and the second has 10 ms left. One slow image must not make all later
        // ones fail.
        #expect(script.cut(1, at: 100).last == .locate(3, specifications))
        #expect(script.cut(3, at: 105).last == .locate(2, specifications))
    }

    @Test func aJobWithoutRemainingBudgetFailsWithoutBeingCut() {
        var script = Script.locator()
        script.register()
        #expect(script.locate(1, budget: 0) == [.release(1), failure(1, spent)])
    }

    @Test func aWaitingJobFailsTheMomentItsBudgetEnds() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        script.locate(2, budget: 50)
        #expect(script.due == 50)
        #expect(script.at(50, .deadline(progress: 0)) == [.release(2), failure(2, spent)])
        #expect(script.cut(1, at: 60) == [crops(1, computed: 60_000)])
    }

    @Test func aBrokenImageFailsOnlyItsOwnJob() {
        var script = Script.locator(lanes: 2)
        script.register()
        script.locate(1)
        script.locate(2)
        let broken = WireError(.unprocessable, code: "image_truncated", "it ends early")
        #expect(script.at(5, .computed(.failed(1, broken))) == [failure(1, broken)])
        #expect(script.cut(2, at: 9) == [crops(2, computed: 9000)])
    }

    @Test func aResultForAnUnknownImageIsDropped() {
        var script = Script.locator()
        script.register()
        script.locate(1)
        #expect(script.cut(9) == [.release(9)])
        #expect(script.scored(1, [0]) == [])
        #expect(script.cut(1).count == 1)
        #expect(script.cut(1) == [.release(1)])
    }

    // MARK: Slow images

    @Test func aSlowImageFreesItsLaneAndRaisesTheCreditMeanwhile() {
        var script = Script.locator(slowLanes: 2)
        script.register()
        script.locate(1)
        script.locate(2)
        #expect(script.due == 100)
        #expect(script.at(99, .deadline(progress: 0)) == [])
        let ping = WorkerCore.Action.send(0, .ping(epoch: 7, inFlight: 2, progress: 0))
        #expect(
            script.at(100, .deadline(progress: 0, computed: [1: .milliseconds(100)])) == [
                .demote(1), ping, .locate(2, specifications), .send(0, .credit(epoch: 7, jobs: 3)),
            ])
        #expect(script.cut(2, at: 105) == [crops(2, queued: 100_000, computed: 5000)])
        #expect(script.cut(1, at: 900) == [crops(1, computed: 900_000), .send(0, .credit(epoch: 7, jobs: 2))])
    }

    @Test func anImageGetsMoreTimeOnABusyMachine() {
        var script = Script.locator(slowLanes: 2)
        script.at(0, .connected(0))
        script.at(0, .received(0, .welcome(epoch: 7, heartbeatMilliseconds: 60_000), nil))
        script.locate(1)
        #expect(script.at(100, .deadline(progress: 0, computed: [1: .milliseconds(30)])) == [])
        #expect(script.due == 170)
        #expect(script.at(170, .deadline(progress: 0, computed: [1: .milliseconds(31)])) == [])
        #expect(script.due == 239)
        #expect(script.at(239, .deadline(progress: 0, computed: [1: .milliseconds(100)])).first == .demote(1))
        // An image that gets no processor time is checked again and leaves its lane after a second.
        script.locate(2, at: 300)
        for time: Int64 in stride(from: 400, to: 1300, by: 100) {
            #expect(script.due == time)
            #expect(script.at(time, .deadline(progress: 0)) == [])
        }
        #expect(script.at(1300, .deadline(progress: 0)).first == .demote(2))
    }

    @Test func theSlowLanesLimitHowManyImagesLeaveTheirLanes() {
        var script = Script.locator(credit: 9, slowLanes: 2)
        script.register()
        for job in 1...4 { script.locate(job) }
        let long = Duration.milliseconds(100)
        #expect(script.at(100, .deadline(progress: 0, computed: [1: long])).contains(.demote(1)))
        #expect(script.at(200, .deadline(progress: 0, computed: [2: long])).contains(.demote(2)))
        script.at(201, .received(0, .pong(epoch: 7), nil))
        let actions = script.at(300, .deadline(progress: 0, computed: [3: long]))
        #expect(actions == [.send(0, .ping(epoch: 7, inFlight: 4, progress: 0))])
        #expect(script.due == 400)
        // The third image has taken the first one's lane and is due for its check.
        #expect(script.cut(1, at: 350) == [crops(1, computed: 350_000), .send(0, .credit(epoch: 7, jobs: 10))])
        #expect(script.due == 300)
        #expect(
            script.at(350, .deadline(progress: 0, computed: [3: long])) == [
                .demote(3), .locate(4, specifications), .send(0, .credit(epoch: 7, jobs: 11)),
            ])
    }

    @Test func slowImagesDoNotAffectTheMeasuredPace() {
        var script = Script.locator(credit: 9, slowLanes: 1)
        script.register()
        script.locate(1)
        script.at(100, .deadline(progress: 0, computed: [1: .milliseconds(100)]))
        script.locate(2, at: 100)
        script.cut(2, at: 110)
        script.cut(1, at: 2000)
        // The pace is 10 ms per image, not 2 s, so the third is in time.
        script.locate(3, at: 2000)
        script.locate(4, at: 2000, budget: 50)
        script.locate(5, at: 2000, budget: 5000)
        #expect(script.cut(3, at: 2010).last == .locate(4, specifications))
    }

    @Test func aHungThreadLosesItsLaneAndDoesNotBlockTheNextHello() {
        var script = Script.locator(slowLanes: 1)
        script.register()
        script.locate(1)
        script.at(50, .disconnected(0))
        #expect(script.at(60, .connected(0)) == [])
        #expect(script.at(100, .deadline(progress: 0)) == [])
        #expect(
            script.at(1000, .deadline(progress: 0)) == [.demote(1), .send(0, .hello(hello(3)))])
    }

    // MARK: Bad jobs

    @Test func jobWithoutItsImageFails() {
        var script = Script.locator()
        script.register()
        let job = RouterMessage.locate(.init(job: 1, attempt: 1, remainingMilliseconds: 100), specifications)
        let error = WireError(.unavailable, code: "job_incomplete", "the router sent a job without its image")
        #expect(script.at(0, .received(0, job, nil)) == [failure(1, error)])
    }

    @Test func thePayloadOfAMessageThatNeedsNoneIsReleased() {
        var script = Script.locator()
        script.register()
        #expect(script.at(0, .received(0, .pong(epoch: 7), .init(token: 5, byteCount: 9))) == [.release(5)])
    }

    @Test func aLocatorRefusesCropsAndOtherPreprocessingVersions() {
        var script = Script.locator()
        script.register()
        let misdirected = WireError(
            .unavailable, code: "job_misdirected", "the router sent crops to a locator, which cuts them out")
        #expect(script.score(1) == [.release(1), failure(1, misdirected)])
        var newer = CropSpecification.sample
        newer.preprocessing = 4
        let job = RouterMessage.locate(.init(job: 2, attempt: 1, remainingMilliseconds: 100), specifications + [newer])
        let malformed = WireError(
            .unavailable, code: "job_malformed",
            "the router asked for crops of preprocessing version 4, and this locator makes those of version 3")
        #expect(
            script.at(0, .received(0, job, .init(token: 2, byteCount: 9))) == [.release(2), failure(2, malformed)])
    }

    // MARK: Evidence

    private func evidence(_ job: Int, queued: UInt32 = 0, computed: UInt32 = 0) -> WorkerCore.Action {
        .send(
            0,
            .evidence(
                .init(
                    epoch: 7, job: UInt64(job), report: .generated,
                    timings: .init(queueMicroseconds: queued, computeMicroseconds: computed, batch: 1))))
    }

    private func greeting(_ digest: String) -> WorkerCore.Action {
        var hello = examinerHello
        hello.credit = 2
        hello.digest = digest
        return .send(0, .hello(hello))
    }

    @Test func anExaminerWhoseFilesHaveChangedRegistersAnewAfterTheImageInWork() {
        var script = Script.examiner()
        script.register()
        script.examine(1)
        script.examine(2)
        #expect(script.at(10, .redescribed(digest: "sha256:00")) == [])
        #expect(script.at(10, .redescribed(digest: "sha256:01")) == [.release(2)])
        #expect(script.examine(3) == [.release(3)])
        #expect(script.at(20, .computed(.examined(1, .generated))) == [greeting("sha256:01")])
        let welcome = RouterMessage.welcome(epoch: 8, heartbeatMilliseconds: 100)
        #expect(script.at(21, .received(0, welcome, nil)) == [])
        #expect(script.examine(1, at: 22) == [.examine(1)])
    }

    @Test func anExaminerWhoseFilesChangeWhileItRegistersDoesSoAnew() {
        var script = Script.examiner()
        #expect(script.at(0, .connected(0)) == [greeting("sha256:00")])
        #expect(script.at(1, .redescribed(digest: "sha256:01")) == [])
        let welcome = RouterMessage.welcome(epoch: 7, heartbeatMilliseconds: 100)
        #expect(script.at(2, .received(0, welcome, nil)) == [greeting("sha256:01")])
        #expect(script.at(3, .received(0, welcome, nil)) == [])
        script.at(4, .drain)
        #expect(script.at(5, .redescribed(digest: "sha256:02")) == [])
    }

    @Test func imagesAreExaminedOneByOneInEachLane() {
        var script = Script.examiner(credit: 8)
        script.register()
        #expect(script.examine(1) == [.examine(1)])
        #expect(script.examine(2, at: 3) == [])
        #expect(
            script.at(10, .computed(.examined(1, .generated))) == [evidence(1, computed: 10_000), .examine(2)])
        let error = WireError(.unprocessable, code: "evidence_too_complex", "it has too many boxes")
        #expect(script.at(12, .computed(.failed(2, error))) == [failure(2, error)])
    }

    @Test func anImageThatWaitsTooLongIsNotExamined() {
        var script = Script.examiner(credit: 8)
        script.register()
        script.examine(1)
        script.examine(2, budget: 20)
        #expect(script.at(20, .deadline(progress: 1)).prefix(2) == [.release(2), failure(2, spent)])
    }

    @Test func anExaminerTakesNothingElseAndNobodyElseExamines() {
        var script = Script.examiner()
        script.register()
        let other = WireError(
            .unavailable, code: "job_misdirected",
            "the router sent a job of another role to a worker that finds evidence (provenance)")
        #expect(script.locate(1) == [.release(1), failure(1, other)])
        #expect(script.score(2) == [.release(2), failure(2, other)])
        var locator = Script.locator()
        locator.register()
        let error = WireError(
            .unavailable, code: "job_misdirected", "the router asked a locator for evidence, which it does not find")
        #expect(locator.examine(1) == [.release(1), failure(1, error)])
        var network = Script.network()
        network.register()
        #expect(network.examine(1).first == .release(1))
    }
}

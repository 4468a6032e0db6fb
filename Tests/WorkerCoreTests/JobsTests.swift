import Testing
import Wire
import WorkerCore

@Suite struct JobsTests {
    @Test func whatWaitsIsTakenTogetherWithoutLingering() {
        var script = Script(maxBatch: 3)
        script.register()
        #expect(script.job(1) == [.compute([1])])
        for job in 2...6 { #expect(script.job(job) == []) }
        #expect(script.score(1, at: 8) == [.send(0, scored(1, computed: 8000)), .compute([2, 3, 4])])
        script.score(3, at: 16)
        script.score(2, at: 16)
        #expect(
            script.score(4, at: 18) == [
                .send(0, scored(4, queued: 8000, computed: 10_000, batch: 3)), .compute([5, 6]),
            ])
    }

    @Test func earliestDeadlineGoesFirstAndEqualsInTheirOrder() {
        var script = Script(maxBatch: 2, credit: 8)
        script.register()
        script.job(1)
        script.job(2, budget: 3000)
        script.job(3, budget: 1000)
        script.job(4, budget: 3000)
        script.job(5, budget: 2000)
        #expect(script.score(1, at: 0).last == .compute([3, 5]))
        script.score(3)
        #expect(script.score(5).last == .compute([2, 4]))
    }

    @Test func jobWithItsBudgetSpentIsAnsweredWithoutComputing() {
        var script = Script(maxBatch: 1)
        script.register()
        let failure = WorkerCore.Action.send(0, .fail(.init(epoch: 7, job: 1, error: spent)))
        #expect(script.job(1, budget: 0) == [.release(1), failure])
    }

    @Test func waitingJobIsAnsweredTheMomentItsBudgetIsSpent() {
        var script = Script(maxBatch: 1)
        script.register()
        script.job(1)
        script.job(2, budget: 50)
        #expect(script.due == 50)
        let failure = WorkerCore.Action.send(0, .fail(.init(epoch: 7, job: 2, error: spent)))
        #expect(script.at(50, .deadline(progress: 0)) == [.release(2), failure])
        #expect(script.score(1, at: 60) == [.send(0, scored(1, computed: 60_000))])
    }

    @Test func batchIsNoLargerThanItsShortestDeadlineAllows() {
        var script = Script(maxBatch: 4, credit: 20)
        script.register()
        script.job(1)
        for job in 2...9 { script.job(job, budget: 150) }
        // 20 ms for a picture: of the 130 ms that are left, six pictures would take 120.
        #expect(script.score(1, at: 20).last == .compute([2, 3, 4, 5]))
        for job in 2...4 { script.score(job, at: 100) }
        // 20 ms again, and 50 ms left: two.
        #expect(script.score(5, at: 100).last == .compute([6, 7]))
    }

    @Test func jobThatIsTooLateAnywayDoesNotMakeTheOthersLate() {
        var script = Script(maxBatch: 4)
        script.register()
        script.job(1)
        script.job(2, budget: 110)
        for job in 3...5 { script.job(job, budget: 1000) }
        // 100 ms for a picture, 10 left for the second.
        #expect(script.score(1, at: 100).last == .compute([3, 4, 5]))
    }

    @Test func jobsThatAreAllTooLateAreTriedAllTheSame() {
        var script = Script(maxBatch: 4)
        script.register()
        script.job(1)
        script.job(2, budget: 150)
        script.job(3, budget: 160)
        // A single slow batch must not have everything refused after it.
        #expect(script.score(1, at: 100).last == .compute([2, 3]))
    }

    @Test func brokenPictureFailsAloneAndTheOthersOfItsBatchGoOn() {
        var script = Script(maxBatch: 3)
        script.register()
        script.job(1)
        for job in 2...4 { script.job(job) }
        script.score(1, at: 0)
        let broken = WireError(.unprocessable, code: "image_truncated", "it ends early")
        #expect(script.at(5, .failed(3, broken)) == [.send(0, .fail(.init(epoch: 7, job: 3, error: broken)))])
        #expect(script.score(2, at: 9) == [.send(0, scored(2, computed: 9000, batch: 3))])
        #expect(script.score(4, at: 9) == [.send(0, scored(4, computed: 9000, batch: 3))])
    }

    @Test func answerForAPictureThatIsNotInHandIsDropped() {
        var script = Script()
        script.register()
        script.job(1)
        #expect(script.score(9) == [])
        #expect(script.score(1).count == 1)
        #expect(script.score(1) == [])
    }

    @Test func jobWithoutItsImageFails() {
        var script = Script()
        script.register()
        let job = RouterMessage.job(.init(job: 1, attempt: 1, remainingMilliseconds: 100))
        let error = WireError(.unavailable, code: "job_incomplete", "the router sent a job without its image")
        #expect(
            script.at(0, .received(0, job, picture: nil)) == [.send(0, .fail(.init(epoch: 7, job: 1, error: error)))])
    }

    @Test func imageBehindAnotherMessageIsLetGo() {
        var script = Script()
        script.register()
        #expect(script.at(0, .received(0, .pong(epoch: 7), picture: 5)) == [.release(5)])
    }
}

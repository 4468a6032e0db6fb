import BifronsWire
import Testing

@testable import RouterCore

struct DrainRateTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// Returns the rate after answers every 10 ms from two workers, with a backlog.
    private func measured(answers: Int = 100) -> DrainRate {
        var rate = DrainRate()
        rate.note(isBacklogged: true, at: start)
        for index in 1...answers { rate.noteAnswer(workers: 2, computing: nil, at: start + .milliseconds(10 * index)) }
        return rate
    }

    @Test func theExpectedWaitScalesWithTheCurrentNumberOfWorkers() throws {
        let two = try #require(measured().time(behind: 200, workers: 2))
        #expect(abs(two.milliseconds - 2000) < 1)
        let one = try #require(measured().time(behind: 200, workers: 1))
        #expect(abs(one.milliseconds - 4000) < 1)
        #expect(measured().time(behind: 0, workers: 1) == .zero)
    }

    @Test func theExpectedWaitIncludesTheJobsOwnBatch() throws {
        var rate = measured(answers: 1)
        for index in 2...100 {
            rate.noteAnswer(
                workers: 2, computing: .milliseconds(index < 50 ? 80 : 40), at: start + .milliseconds(10 * index))
        }
        #expect(abs(try #require(rate.time(behind: 200, workers: 2)).milliseconds - 2040) < 1)
        #expect(abs(try #require(rate.perSecond(workers: 2)) - 100) < 0.1)
    }

    /// A batch of eight every 200 ms, with a backlog only during the last 10 ms of each.
    @Test func aBriefBacklogBeforeEachBatchDoesNotRaiseTheRate() throws {
        var rate = DrainRate()
        for batch in 1...100 {
            let end = start + .milliseconds(200 * batch)
            rate.note(isBacklogged: true, at: start + .milliseconds(200 * batch - 10))
            for _ in 1...8 { rate.noteAnswer(workers: 1, computing: .milliseconds(200), at: end) }
            rate.note(isBacklogged: false, at: end)
        }
        #expect(abs(try #require(rate.perSecond(workers: 1)) - 40) < 1)
    }

    @Test func givesNoEstimateWithoutEnoughAnswersOrAnyWorker() {
        #expect(measured(answers: 5).time(behind: 200, workers: 2) == nil)
        #expect(measured().time(behind: 200, workers: 0) == nil)
        #expect(DrainRate().time(behind: 200, workers: 2) == nil)
    }

    @Test func timeWithoutABacklogDoesNotAffectTheRate() throws {
        var rate = measured()
        rate.note(isBacklogged: false, at: start + .seconds(1))
        rate.noteAnswer(workers: 2, computing: nil, at: start + .seconds(50))
        rate.note(isBacklogged: true, at: start + .seconds(100))
        rate.noteAnswer(workers: 2, computing: nil, at: start + .seconds(100) + .milliseconds(10))
        #expect(abs(try #require(rate.time(behind: 200, workers: 2)).milliseconds - 2000) < 1)
    }

    @Test func theRateFollowsRecentAnswers() throws {
        var rate = measured()
        for index in 1...2000 {
            rate.noteAnswer(workers: 2, computing: nil, at: start + .seconds(1) + .milliseconds(20 * index))
        }
        #expect(abs(try #require(rate.time(behind: 200, workers: 2)).milliseconds - 4000) < 40)
    }
}

import BifronsWire
import Testing

@testable import RouterCore

struct StatisticsTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// Returns the rate after the last of several answers at an even pace.
    private func rate(every interval: Duration, count: Int) -> Double {
        var statistics = Statistics(start: start)
        var now = start
        for _ in 0..<count {
            now = now + interval
            statistics.answered(.ok, after: .milliseconds(1), at: now)
        }
        return statistics.answersPerSecond(at: now)
    }

    @Test func theRateIsAccurateFromTheFirstSecond() {
        #expect(abs(rate(every: .milliseconds(10), count: 100) - 100) < 2)
        #expect(abs(rate(every: .milliseconds(10), count: 10_000) - 100) < 2)
        #expect(abs(rate(every: .milliseconds(1), count: 60_000) - 1000) < 2)
    }

    @Test func theRateFallsWhenNothingIsAnswered() {
        var statistics = Statistics(start: start)
        #expect(statistics.answersPerSecond(at: start) == 0)
        for step in 1...1000 {
            statistics.answered(.ok, after: .zero, at: start + .milliseconds(10 * step))
        }
        let end = start + .seconds(10)
        #expect(statistics.answersPerSecond(at: end + .seconds(5)) < 50)
        #expect(statistics.answersPerSecond(at: end + .seconds(60)) < 0.01)
    }

    @Test func theBusyRateIgnoresIdleTime() {
        var statistics = Statistics(start: start)
        var now = start + .seconds(100)
        for _ in 0..<1000 {
            statistics.noteWork(at: now)
            now = now + .milliseconds(10)
            statistics.answered(.ok, after: .milliseconds(10), at: now)
            statistics.noteIdleness(at: now)
            now = now + .milliseconds(990)
        }
        #expect(abs(statistics.answersPerBusySecond(at: now) - 100) < 2)
        #expect(abs(statistics.answersPerSecond(at: now) - 1) < 0.2)
    }

    @Test func latenciesOutOfTheHistogramsRangeAreTolerated() {
        var statistics = Statistics(start: start)
        statistics.answered(.timeout, after: .seconds(100_000), at: start)
        statistics.answered(.timeout, after: .seconds(-1), at: start)
        #expect(statistics.report.repliesByStatus == ["408": 2])
        #expect(statistics.latencyQuantiles.count == 1)
    }
}

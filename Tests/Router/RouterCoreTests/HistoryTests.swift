import BifronsWire
import Testing

@testable import RouterCore

struct HistoryTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let levels = History.Levels(queue: 3, workers: [2])

    private func report(_ history: History) -> HistoryReport { history.report(id: nil, pools: ["resnet"]) }

    @Test func eachMinuteHasItsOwnCounts() {
        var history = History(pools: 1, start: start)
        history.count(.review)
        history.count(.tooManyRequests)
        history.count(.ok)
        for milliseconds in 1...100 { history.record(.milliseconds(milliseconds)) }
        history.note(queue: 7)
        history.note(queue: 1)
        history.advance(to: start + .seconds(150), levels)
        history.count(.timeout)
        history.note(workers: 1, of: 0)
        history.note(workers: 4, of: 0)
        let report = report(history)
        #expect(report.fromMs == -150_000)
        #expect(report.actions == ["allow": [0, 0, 0], "review": [1, 0, 0], "block": [0, 0, 0]])
        #expect(report.errors["refused"] == [1, 0, 0])
        #expect(report.errors["timeout"] == [0, 0, 1])
        #expect(report.errors["unavailable"] == [0, 0, 0])
        #expect(report.queueJobs == [7, 3, 3])
        #expect(report.workers == ["resnet": [0, 2, 1]])
        #expect(abs((report.p50Ms[0] ?? 0) - 50) < 1)
        #expect(abs((report.p99Ms[0] ?? 0) - 99) < 1)
        #expect(report.p50Ms[1...] == [nil, nil])
    }

    @Test func onlyTheLastDayIsKept() {
        var history = History(pools: 1, start: start)
        for minute in 1...3000 {
            history.advance(to: start + .seconds(60 * minute), levels)
            for _ in 0..<minute { history.count(.block) }
        }
        let report = report(history)
        #expect(report.actions["block"] == Array(1561...3000))
        #expect(report.fromMs == -1439 * 60_000)
        #expect(report.workers["resnet"]?.count == 1440)
    }

    @Test func aClockThatStepsBackLosesNothingAndGoesOn() {
        var history = History(pools: 1, start: start)
        history.advance(to: start + .seconds(90), levels)
        history.count(.allow)
        history.advance(to: start - .seconds(100_000), levels)
        history.count(.allow)
        #expect(report(history).actions["allow"] == [0, 2])
        history.advance(to: start - .seconds(100_000) + .seconds(40), levels)
        history.count(.allow)
        #expect(report(history).actions["allow"] == [0, 2, 1])
    }

    @Test(arguments: [86_400, 1_000_000_000]) func aClockThatJumpsAheadLeavesAnEmptyDay(seconds: Int) {
        var history = History(pools: 1, start: start)
        history.count(.allow)
        history.advance(to: start + .seconds(seconds), levels)
        #expect(report(history).actions["allow"] == [Int](repeating: 0, count: 1440))
        #expect(report(history).queueJobs == [Int](repeating: 3, count: 1440))
        history.count(.allow)
        history.advance(to: start + .seconds(seconds + 60), levels)
        #expect(report(history).actions["allow"]?.suffix(2) == [1, 0])
    }

    @Test func theRouterKeepsItFromItsEvents() throws {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.budgetMilliseconds = 10 }
        script.wait(.seconds(61))
        let answer = script.history
        let report = try #require(answer)
        #expect(report.errors["timeout"] == [1, 0])
        #expect(report.queueJobs == [1, 0])
        #expect(report.workers["resnet"] == [0, 1])
        #expect(report.workers["inception"] == [0, 0])
        #expect(try HistoryReport.decode(report.encoded()) == report)
    }
}

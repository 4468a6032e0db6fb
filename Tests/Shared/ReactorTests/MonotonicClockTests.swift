import BifronsWire
import Reactor
import Testing

@Suite struct MonotonicClockTests {
    @Test func timeNeverRunsBackwards() {
        var last = MonotonicClock.now()
        for _ in 0..<10_000 {
            let now = MonotonicClock.now()
            #expect(now >= last)
            last = now
        }
    }

    @Test(arguments: [
        (0, 0), (-1, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (5_000_000_000, 5000),
        (Int64.max / 2, Int(Int32.max)),
    ])
    func waitingTimesAreRoundedUpToWholeMilliseconds(_ nanoseconds: Int64, _ milliseconds: Int) {
        let now = Instant(nanoseconds: 123_456_789)
        let deadline = Instant(nanoseconds: now.nanoseconds + nanoseconds)
        #expect(now.pollMilliseconds(until: deadline) == milliseconds)
    }

    @Test func withoutADeadlineThePollWaitsForEver() {
        #expect(Instant(nanoseconds: 0).pollMilliseconds(until: nil) == -1)
    }

    @Test func extremeDeadlinesDoNotTrap() {
        let (first, last) = (Instant(nanoseconds: .min), Instant(nanoseconds: .max))
        #expect(first.pollMilliseconds(until: last) == Int(Int32.max))
        #expect(last.pollMilliseconds(until: first) == 0)
    }
}

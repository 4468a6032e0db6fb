package import BifronsWire
import Glibc

/// The clock that the services pass to the cores: `CLOCK_MONOTONIC`, which never jumps and stops while the machine
/// sleeps.
package enum MonotonicClock {
    /// Returns the current time. A call costs about 20 ns, because it needs no system call.
    package static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

extension Instant {
    /// Returns the milliseconds that a poll may wait to return by `deadline`: 0 if that has passed, -1 (for ever)
    /// without one.
    ///
    /// The value is rounded up. A poll that ended a fraction of a millisecond early would find nothing due and spin.
    package func pollMilliseconds(until deadline: Instant?) -> Int {
        guard let deadline else { return -1 }
        if deadline <= self { return 0 }
        let (nanoseconds, overflow) = deadline.nanoseconds.subtractingReportingOverflow(self.nanoseconds)
        if overflow { return Int(Int32.max) }
        let (milliseconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return Int(min(milliseconds + (rest > 0 ? 1 : 0), Int64(Int32.max)))
    }
}

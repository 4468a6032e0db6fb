import BifronsWire
import Glibc

/// The CPU time that was spent: whatever else the machine does is not in it.
enum CPUClock {
    /// Of this thread.
    static func thread() -> Instant { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Of all threads of this process.
    static func process() -> Instant { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Instant {
        var time = timespec()
        clock_gettime(clock, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

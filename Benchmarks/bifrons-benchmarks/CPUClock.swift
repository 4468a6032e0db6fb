import BifronsWire
import Glibc

/// Reads processor time, which excludes what the rest of the machine does.
enum CPUClock {
    /// Returns the processor time of this thread.
    static func thread() -> Instant { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Returns the processor time of all threads of this process.
    static func process() -> Instant { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Instant {
        var time = timespec()
        clock_gettime(clock, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

internal import CLinux
internal import Glibc

/// A thread that runs, as others may see and treat it. Only for as long as it does: its number may then be another's.
package struct RunningThread: Sendable {
    private let id: pid_t
    private let clock: clockid_t

    /// The calling thread.
    package static var current: RunningThread {
        var clock = clockid_t()
        pthread_getcpuclockid(pthread_self(), &clock)
        return RunningThread(id: bifrons_thread_id(), clock: clock)
    }

    /// Has others go first, as much as `nice` means by the number (1 to 19: at 10 it gets a tenth of a processor that
    /// another wants). Without privileges it cannot be undone.
    ///
    /// - Returns: whether the system allowed it.
    @discardableResult
    package func giveWay(niceness: Int32) -> Bool {
        setpriority(Int32(PRIO_PROCESS.rawValue), id_t(id), niceness) == 0
    }

    /// For how long it has had a processor.
    package var computingTime: Duration {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return .zero }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

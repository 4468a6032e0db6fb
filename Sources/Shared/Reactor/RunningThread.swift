internal import CLinux
internal import Glibc

/// A handle to a running thread. It is valid only while the thread runs, because the system reuses thread ids.
package struct RunningThread: Sendable {
    private let id: pid_t
    private let clock: clockid_t

    /// The calling thread.
    package static var current: RunningThread {
        var clock = clockid_t()
        pthread_getcpuclockid(pthread_self(), &clock)
        return RunningThread(id: bifrons_thread_id(), clock: clock)
    }

    /// Lowers the thread's priority to this niceness (1 to 19). At 10 the thread gets a tenth of a processor that
    /// another thread wants. The priority cannot be raised again without privileges.
    ///
    /// - Returns: whether the system allowed it.
    @discardableResult
    package func giveWay(niceness: Int32) -> Bool {
        setpriority(Int32(PRIO_PROCESS.rawValue), id_t(id), niceness) == 0
    }

    /// The processor time that the thread has used.
    package var computingTime: Duration {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return .zero }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

import Glibc

/// The processor time that the calling thread may still use, for decoders that are not interrupted by C code.
struct ProcessorTime {
    private let began: UInt64
    private let most: UInt64

    /// Starts to count.
    ///
    /// - Parameter most: The most processor time in nanoseconds.
    init(most: UInt64) {
        began = Self.now
        self.most = most
    }

    /// Whether the thread has used all of it. Asking is a system call.
    var isSpent: Bool { Self.now - began >= most }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

import Glibc

/// The processor time that decoding one file may take, for decoders that no C code interrupts. Only the thread that
/// creates it may check it.
struct ProcessorTime {
    private let began: UInt64
    private let limits: DecodeLimits

    /// Starts to count.
    init(_ limits: DecodeLimits) {
        began = Self.now
        self.limits = limits
    }

    /// Checks that time is left. It takes a system call.
    ///
    /// - Throws: ``DecodeError`` if the thread has used as much as the limits allow.
    func check(_ format: ImageFormat) throws(DecodeError) {
        guard Self.now - began < limits.nanoseconds else { throw .outOfTime(format, limits) }
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

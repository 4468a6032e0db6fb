import CLinux
import Glibc

/// Wakes the thread that waits in a ``PollSet``, from any thread: an eventfd.
public final class WakeUp: Sendable {
    /// Readable from ``signal()`` to ``clear()``.
    public let descriptor: Int32

    public init() throws(ZeroMQError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        if descriptor < 0 { throw ZeroMQError(errno: errno, operation: "open", subject: "eventfd") }
    }

    deinit { close(descriptor) }

    /// Makes the descriptor readable. Any number of signals before a ``clear()`` count as one.
    public func signal() {
        var one: UInt64 = 1
        // Full is as good as written: the descriptor is readable.
        while write(descriptor, &one, 8) < 0 && errno == EINTR {}
    }

    /// Makes the descriptor unreadable again. Look at what the signal was for after this, not before.
    public func clear() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0 && errno == EINTR {}
    }
}

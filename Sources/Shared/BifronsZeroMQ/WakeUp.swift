import CLinux
import Glibc

/// Wakes a thread that waits in a ``PollSet``, from any thread, by an eventfd.
public final class WakeUp: Sendable {
    /// The descriptor, readable from ``signal()`` to ``clear()``.
    public let descriptor: Int32

    /// Opens the eventfd.
    /// - Throws: ``ZeroMQError`` if the system has no more descriptors.
    public init() throws(ZeroMQError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        if descriptor < 0 { throw ZeroMQError(errno: errno, operation: "open", subject: "eventfd") }
    }

    deinit { close(descriptor) }

    /// Makes the descriptor readable. Several signals before a ``clear()`` count as one.
    public func signal() {
        var one: UInt64 = 1
        // A full counter is fine, because the descriptor is readable then.
        while write(descriptor, &one, 8) < 0 && errno == EINTR {}
    }

    /// Makes the descriptor unreadable again. Check the reason for the signal after this call, not before.
    public func clear() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0 && errno == EINTR {}
    }
}

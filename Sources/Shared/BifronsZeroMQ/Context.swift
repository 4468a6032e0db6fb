import CZeroMQ
import Glibc

// @unchecked: the pointer never changes, and libzmq serialises every use of a context itself (`zmq_ctx_t` is documented
// as thread-safe).
/// libzmq's context: its I/O threads and the namespace of its `inproc://` endpoints. Usually one per process.
///
/// Every ``Socket`` keeps its context alive, so the context ends after its last socket. Ending waits until queued
/// messages are sent, at most for the sockets' ``SocketOptions/linger`` (zero by default).
public final class Context: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    /// Creates a context.
    ///
    /// - Parameter ioThreads: The number of threads that move bytes between sockets and network. One carries about a
    ///   gigabyte per second.
    /// - Throws: ``ZeroMQError`` if there is no memory, or if so many threads are not allowed.
    public init(ioThreads: Int = 1) throws(ZeroMQError) {
        guard let raw = zmq_ctx_new() else { throw .last("create", "context") }
        guard zmq_ctx_set(raw, ZMQ_IO_THREADS, Int32(clamping: ioThreads)) == 0 else {
            let error = ZeroMQError.last("set", "ioThreads")
            zmq_ctx_term(raw)
            throw error
        }
        self.raw = raw
    }

    deinit {
        while zmq_ctx_term(raw) != 0 && zmq_errno() == EINTR {}
    }
}

import CZeroMQ
import Glibc

/// libzmq's context: its I/O threads and the name space of its `inproc://` endpoints. Usually one a process.
///
/// Every ``Socket`` keeps its context alive, so the context ends after its last socket. Ending waits until messages that
/// are still to be sent have left, at most for the sockets' ``SocketOptions/linger`` (none unless set).
// @unchecked: the pointer never changes, and libzmq serialises every use of a context itself (`zmq_ctx_t` is
// documented as thread-safe).
public final class Context: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    /// - Parameter ioThreads: threads that move bytes between sockets and network; one carries about a gigabyte a second.
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

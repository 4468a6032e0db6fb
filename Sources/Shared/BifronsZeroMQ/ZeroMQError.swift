import CZeroMQ
import Glibc

/// An operation that libzmq refused, its subject, and the reason.
///
/// `description` is one sentence for the person who started the program: `cannot bind tcp://127.0.0.1:5555: address
/// already in use; stop the other process or choose another endpoint`.
public struct ZeroMQError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The meaning of an errno from libzmq.
    public enum Code: Equatable, Sendable {
        /// Another process or socket is bound to that endpoint.
        case addressInUse
        /// No interface of this machine has that address, or the host or interface name is unknown.
        case addressNotAvailable
        /// The endpoint, option or argument is malformed or out of range.
        case invalidArgument
        /// The transport does not exist (`http://`) or does not fit the kind of socket.
        case transportNotSupported
        /// The rights are missing: a port below 1024, or a folder that is not writable.
        case permissionDenied
        /// The folder of an `ipc://` path does not exist, or the endpoint to unbind or disconnect was not in use.
        case notFound
        /// The path of an `ipc://` endpoint is longer than the 107 bytes of `sockaddr_un`.
        case pathTooLong
        /// Nobody is bound to that `inproc://` or `ipc://` endpoint.
        case connectionRefused
        /// The process's limit of descriptors or the context's limit of sockets is reached.
        case tooManyDescriptors
        /// The context was shut down; close the socket.
        case contextTerminated
        /// A REQ or REP socket was used out of turn.
        case wrongState
        /// The handle is not an open socket.
        case notASocket
        /// libzmq or the system ran out of memory.
        case outOfMemory
        /// This build of libzmq does not support it (for instance CURVE without libsodium).
        case notSupported
        /// Any other error: see ``ZeroMQError/errno``.
        case other
    }

    /// The meaning of the error.
    public let code: Code
    /// The errno: libzmq's own if above 156384712, otherwise the system's.
    public let errno: Int32
    /// The operation: `bind`, `connect`, `receive from`, `set`…
    public let operation: String
    /// The subject of the operation: an endpoint, an option's name, or the kind of socket. Never a key.
    public let subject: String

    /// Creates the error for an `errno` that libzmq has set.
    public init(errno: Int32, operation: String, subject: String) {
        self.errno = errno
        self.operation = operation
        self.subject = subject
        self.code = Code(errno: errno)
    }

    /// The endpoint, if ``subject`` is one; nil otherwise.
    public var endpoint: String? {
        subject.utf8.indices.contains { subject[$0...].hasPrefix("://") } ? subject : nil
    }

    /// The meaning and the remedy, without operation and subject.
    public var meaning: String {
        switch code {
        case .addressInUse: "address already in use; stop the other process or choose another endpoint"
        case .addressNotAvailable: "no such address, host or interface here; choose an address of this machine"
        case .invalidArgument where endpoint != nil || operation == "bind" || operation == "connect":
            "not a valid endpoint; write tcp://HOST:PORT or ipc:///PATH"
        case .invalidArgument: "invalid value; see the documentation of the option"
        case .transportNotSupported: "unknown or unfitting transport; use tcp://, ipc:// or inproc://"
        case .permissionDenied: "permission denied; choose a port above 1023 or a folder this user may write"
        case .notFound where operation == "bind": "no such folder; create it or choose another endpoint"
        case .notFound: "it is not in use there; name the endpoint as it was given or as lastEndpoint tells it"
        case .pathTooLong: "the path has more than 107 bytes; choose a shorter one"
        case .connectionRefused: "nobody is bound there; start the other side first"
        case .tooManyDescriptors: "too many open descriptors or sockets; raise the limit (ulimit -n)"
        case .contextTerminated: "the context was shut down; close the socket"
        case .wrongState: "it is the other side's turn; REQ and REP alternate between send and receive"
        case .notASocket: "the socket is closed; open a new one"
        case .outOfMemory: "out of memory; lower the high-water marks or the message size limit"
        case .notSupported: "this libzmq was built without it; install libzmq with libsodium"
        case .other: "\(String(cString: zmq_strerror(errno))) (errno \(errno))"
        }
    }

    /// The whole sentence: operation, subject, meaning and what to do.
    public var description: String { "cannot \(operation) \(subject): \(meaning)" }

    static func last(_ operation: String, _ subject: String) -> ZeroMQError {
        ZeroMQError(errno: zmq_errno(), operation: operation, subject: subject)
    }
}

extension ZeroMQError.Code {
    /// Returns the meaning of `errno`.
    public init(errno: Int32) {
        self =
            switch errno {
            case EADDRINUSE: .addressInUse
            case EADDRNOTAVAIL, ENODEV: .addressNotAvailable
            case EINVAL: .invalidArgument
            case EPROTONOSUPPORT, ENOCOMPATPROTO: .transportNotSupported
            case EACCES, EPERM, EROFS: .permissionDenied
            case ENOENT, ENOTDIR: .notFound
            case ENAMETOOLONG: .pathTooLong
            case ECONNREFUSED: .connectionRefused
            case EMFILE, ENFILE: .tooManyDescriptors
            case ETERM: .contextTerminated
            case EFSM: .wrongState
            case ENOTSOCK: .notASocket
            case ENOMEM, ENOBUFS: .outOfMemory
            case ENOTSUP: .notSupported
            default: .other
            }
    }
}

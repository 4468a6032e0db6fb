import CZeroMQ
import Glibc

/// What libzmq refused to do, to what, and why.
///
/// `description` is one sentence for the person who started the program:
/// `cannot bind tcp://127.0.0.1:5555: address already in use; stop the other process or choose another endpoint`.
public struct ZeroMQError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The meaning of an errno of libzmq.
    public enum Code: Equatable, Sendable {
        /// Somebody else is bound to that endpoint.
        case addressInUse
        /// No interface of this machine has that address, or the name of the host or interface is not known.
        case addressNotAvailable
        /// The endpoint, option or argument is malformed or out of range.
        case invalidArgument
        /// There is no such transport (`http://`), or the transport does not fit the kind of the socket.
        case transportNotSupported
        /// Missing rights: a port below 1024, a folder that cannot be written.
        case permissionDenied
        /// The path of an `ipc://` endpoint has no folder; or the endpoint to unbind or disconnect was not in use.
        case notFound
        /// The path of an `ipc://` endpoint is longer than the 107 bytes of `sockaddr_un`.
        case pathTooLong
        /// Nobody is bound to that `inproc://` or `ipc://` endpoint.
        case connectionRefused
        /// The limit of descriptors of the process or of sockets of the context is reached.
        case tooManyDescriptors
        /// The context was shut down; close the socket.
        case contextTerminated
        /// A REQ or REP socket was used out of turn.
        case wrongState
        /// The handle is not an open socket.
        case notASocket
        /// libzmq or the system ran out of memory.
        case outOfMemory
        /// This build of libzmq cannot do it (for instance CURVE without libsodium).
        case notSupported
        /// Anything else: see ``ZeroMQError/errno``.
        case other
    }

    /// What went wrong, by meaning.
    public let code: Code
    /// The number behind ``code``: libzmq's own above 156384712, else the system's.
    public let errno: Int32
    /// What was tried: `bind`, `connect`, `receive from`, `set`…
    public let operation: String
    /// What it was tried on: an endpoint, the name of an option, or the kind of the socket. Never a key.
    public let subject: String

    /// An error of `errno`, as libzmq left it.
    public init(errno: Int32, operation: String, subject: String) {
        self.errno = errno
        self.operation = operation
        self.subject = subject
        self.code = Code(errno: errno)
    }

    /// The endpoint in question, if ``subject`` is one.
    public var endpoint: String? {
        subject.utf8.indices.contains { subject[$0...].hasPrefix("://") } ? subject : nil
    }

    /// The meaning and what to do, without operation and subject.
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

    public var description: String { "cannot \(operation) \(subject): \(meaning)" }

    static func last(_ operation: String, _ subject: String) -> ZeroMQError {
        ZeroMQError(errno: zmq_errno(), operation: operation, subject: subject)
    }
}

extension ZeroMQError.Code {
    /// The meaning of `errno`.
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

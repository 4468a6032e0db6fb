import CZeroMQ
import Glibc

/// A libzmq socket. It is closed when its owner releases it.
///
/// Only one thread at a time may use it. It never blocks unless asked to wait; use a ``PollSet`` for several sockets.
/// It may be passed to another thread as a `sending` value.
public struct Socket: ~Copyable {
    /// A socket's messaging pattern.
    public enum Kind: String, Sendable {
        /// `ZMQ_ROUTER`: any number of peers, each addressed by its routing id.
        case router
        /// `ZMQ_DEALER`: any number of messages in flight.
        case dealer
        /// `ZMQ_REQ`: one request, then its reply.
        case req
        /// `ZMQ_REP`: one reply to each request.
        case rep
        /// `ZMQ_PAIR`: one peer, within the process.
        case pair

        var number: Int32 {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .req: ZMQ_REQ
            case .rep: ZMQ_REP
            case .pair: ZMQ_PAIR
            }
        }
    }

    /// The result of sending a message.
    public enum SendOutcome: Sendable {
        /// libzmq owns the message now, and the ``Message`` is empty.
        case sent
        /// No peer is connected, or the peer's queue is at its high-water mark. The message is unchanged.
        case wouldBlock
        /// ROUTER: no peer has the routing id in the first frame. The message is unchanged.
        case unroutable
    }

    /// The messaging pattern.
    public let kind: Kind
    /// Shared with the monitor and the poll sets that contain this socket, so that they notice when it is closed.
    let handle: Handle
    private let raw: UnsafeMutableRawPointer

    /// Opens a socket.
    /// - Throws: ``ZeroMQError`` if an option is out of its range, or the context has no more sockets.
    public init(_ kind: Kind, context: Context, options: SocketOptions = .init()) throws(ZeroMQError) {
        guard let raw = zmq_socket(context.raw, kind.number) else { throw .last("open", "\(kind) socket") }
        let handle = Handle(raw, context)
        try options.apply(to: raw, kind: kind)
        self.kind = kind
        self.handle = handle
        self.raw = raw
    }

    deinit { handle.close() }

    /// Closes the socket now, not at the end of its scope.
    public consuming func close() {}

    // MARK: Endpoints

    /// Listens at `endpoint`: `tcp://127.0.0.1:5555`, `tcp://127.0.0.1:*` (any free port, see ``lastEndpoint``),
    /// `ipc:///run/bifrons/router`, `inproc://name`.
    /// - Throws: ``ZeroMQError``: the endpoint is malformed, taken or not to be used.
    public borrowing func bind(_ endpoint: String) throws(ZeroMQError) {
        try Self.checkPort(of: endpoint, "bind")
        guard zmq_bind(raw, endpoint) == 0 else { throw .last("bind", endpoint) }
    }

    /// Stops listening at `endpoint`.
    /// - Throws: ``ZeroMQError`` if it does not listen there.
    public borrowing func unbind(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_unbind(raw, endpoint) == 0 else { throw .last("unbind", endpoint) }
    }

    /// Connects to `endpoint`, as soon as a peer listens there, and again whenever the connection is lost.
    ///
    /// - Throws: ``ZeroMQError`` if the endpoint is malformed.
    public borrowing func connect(_ endpoint: String) throws(ZeroMQError) {
        try Self.checkPort(of: endpoint, "connect")
        guard zmq_connect(raw, endpoint) == 0 else { throw .last("connect", endpoint) }
    }

    /// Ends the connection to `endpoint` and discards all messages queued to and from it.
    ///
    /// - Throws: ``ZeroMQError`` if the socket is not connected there.
    public borrowing func disconnect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_disconnect(raw, endpoint) == 0 else { throw .last("disconnect", endpoint) }
    }

    /// The endpoint of the last `bind` or `connect`, with the actual port; empty before the first one.
    public var lastEndpoint: String {
        var text = [UInt8](repeating: 0, count: 256)
        var length = text.count
        guard zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &text, &length) == 0 else { return "" }
        return String(decoding: text.prefix(max(length - 1, 0)), as: UTF8.self)
    }

    /// Rejects port numbers above 65535: libzmq takes them modulo 65536 and would listen elsewhere.
    private static func checkPort(of endpoint: String, _ operation: String) throws(ZeroMQError) {
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":"),
            let port = Int(endpoint[colon...].dropFirst()), !(0...65535).contains(port)
        else { return }
        throw ZeroMQError(errno: EINVAL, operation: operation, subject: endpoint)
    }

    // MARK: Messages

    /// Receives the next message, if any, into `message`, replacing its frames. Never waits.
    ///
    /// - Parameters:
    ///   - message: The message to fill.
    ///   - maxFrames: The most frames to keep. Further ones are discarded and counted in ``Message/droppedFrames``.
    /// - Throws: ``ZeroMQError`` if the context was shut down, or a REQ or REP socket is used out of turn.
    /// - Returns: False, with `message` empty, if there was no message.
    public borrowing func receive(into message: Message, maxFrames: Int = 64) throws(ZeroMQError) -> Bool {
        let errno = message.receive(from: raw, maxFrames: maxFrames)
        if errno == 0 { return true }
        if errno == EAGAIN { return false }
        throw ZeroMQError(errno: errno, operation: "receive from", subject: "\(kind) socket")
    }

    /// Sends `message`, entirely or not at all. Never waits. A ROUTER takes the first frame as the peer's routing id
    /// and needs at least one more frame.
    ///
    /// - Throws: ``ZeroMQError`` if the context was shut down, or a REQ or REP socket is used out of turn.
    public borrowing func send(_ message: Message) throws(ZeroMQError) -> SendOutcome {
        precondition(message.count > 0, "a message without frames cannot be sent")
        let errno = message.send(to: raw)
        switch errno {
        case 0: return .sent
        case EAGAIN: return .wouldBlock
        case EHOSTUNREACH: return .unroutable
        default: throw ZeroMQError(errno: errno, operation: "send to", subject: "\(kind) socket")
        }
    }

    /// Waits until the socket is ready. For programs with a single socket; others use a ``PollSet``.
    ///
    /// - Parameters:
    ///   - interest: The condition to wait for.
    ///   - milliseconds: The longest time to wait; -1: no limit.
    /// - Throws: ``ZeroMQError`` if the context was shut down.
    /// - Returns: Whether the socket is ready.
    public borrowing func wait(
        for interest: PollSet.Interest = .readable, milliseconds: Int
    ) throws(ZeroMQError) -> Bool {
        var item = zmq_pollitem_t(socket: raw, fd: -1, events: interest.rawValue, revents: 0)
        if zmq_poll(&item, 1, milliseconds) >= 0 { return item.revents & interest.rawValue != 0 }
        guard zmq_errno() == EINTR else { throw .last("wait for", "\(kind) socket") }
        return false
    }

    // MARK: Monitor

    /// Returns a monitor of this socket's connections from now on. A socket has at most one; a second ends the first.
    ///
    /// - Throws: ``ZeroMQError`` if the socket is closed.
    public borrowing func monitor(
        _ kinds: Set<MonitorEvent.Kind> = Set(MonitorEvent.Kind.allCases)
    ) throws(ZeroMQError) -> Monitor {
        try Monitor(of: handle, kinds)
    }

    /// The raw socket; nil once it is closed.
    final class Handle {
        private(set) var raw: UnsafeMutableRawPointer?
        let context: Context

        init(_ raw: UnsafeMutableRawPointer, _ context: Context) {
            self.raw = raw
            self.context = context
        }

        deinit { close() }

        func close() {
            if let raw { zmq_close(raw) }
            raw = nil
        }
    }
}

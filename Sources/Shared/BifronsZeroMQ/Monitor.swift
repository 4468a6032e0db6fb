import CZeroMQ
import Glibc
import Synchronization

/// Something that happened to a connection of a socket.
public struct MonitorEvent: Equatable, Sendable, CustomStringConvertible {
    /// What happened; the raw values are libzmq's `ZMQ_EVENT_…`.
    public enum Kind: UInt16, CaseIterable, Sendable {
        /// A connection that this socket asked for is made (the handshake follows).
        case connected = 0x0001
        /// The connection could not be made at once and is under way.
        case connectDelayed = 0x0002
        /// The connection failed and is tried again after ``MonitorEvent/value`` milliseconds.
        case connectRetried = 0x0004
        case listening = 0x0008
        case bindFailed = 0x0010
        /// A connection from outside is made (the handshake follows).
        case accepted = 0x0020
        case acceptFailed = 0x0040
        /// A descriptor was closed by this side before or instead of a connection.
        case closed = 0x0080
        case closeFailed = 0x0100
        /// A connection ended, whoever ended it.
        case disconnected = 0x0200
        /// The monitored socket is closed; nothing follows.
        case monitorStopped = 0x0400
        /// The other side ended the connection within the handshake; value: errno.
        case handshakeFailedNoDetail = 0x0800
        /// The connection is ready for messages.
        case handshakeSucceeded = 0x1000
        /// The other side does not speak ZMTP, or another mechanism, or has another key; value: `ZMQ_PROTOCOL_ERROR_…`.
        case handshakeFailedProtocol = 0x2000
        /// The ZAP handler refused; value: its status code (300, 400, 500).
        case handshakeFailedAuthentication = 0x4000

        /// Whether the handshake failed in one of the three ways.
        public var isHandshakeFailure: Bool {
            switch self {
            case .handshakeFailedNoDetail, .handshakeFailedProtocol, .handshakeFailedAuthentication: true
            default: false
            }
        }
    }

    /// What happened.
    public let kind: Kind
    /// A descriptor, an errno, a time: see ``Kind``.
    public let value: Int32
    /// The endpoint that was bound or connected to, not the peer's.
    public let endpoint: String

    /// The connection's descriptor, if that is what ``value`` is; the one ``Message/sourceDescriptor`` gives.
    public var descriptor: Int32? {
        switch kind {
        case .connected, .accepted, .disconnected, .closed, .listening: value
        default: nil
        }
    }

    public var description: String { "\(kind) \(value) \(endpoint)" }
}

/// The events of a socket's connections, in their order. Used by the thread that uses the socket.
public struct Monitor: ~Copyable {
    let socket: Socket
    private let monitored: Socket.Handle
    private let message = Message()

    init(of monitored: Socket.Handle, _ kinds: Set<MonitorEvent.Kind>) throws(ZeroMQError) {
        guard let raw = monitored.raw else {
            throw ZeroMQError(errno: ENOTSOCK, operation: "monitor", subject: "socket")
        }
        let endpoint = "inproc://bifrons-monitor-\(Monitor.serial.add(1, ordering: .relaxed).newValue)"
        let mask = kinds.reduce(0) { $0 | Int32($1.rawValue) }
        guard zmq_socket_monitor(raw, endpoint, mask) == 0 else { throw .last("monitor", endpoint) }
        // libzmq's I/O thread blocks, and the whole process with it, when nobody reads its events: no high-water mark here,
        // and `deinit` stops the events before the reader goes.
        var options = SocketOptions()
        options.receiveHighWater = 0
        do {
            let socket = try Socket(.pair, context: monitored.context, options: options)
            try socket.connect(endpoint)
            self.socket = socket
        } catch {
            zmq_socket_monitor(raw, nil, 0)
            throw error
        }
        self.monitored = monitored
    }

    deinit {
        if let raw = monitored.raw { zmq_socket_monitor(raw, nil, 0) }
    }

    /// The next event, if there is one. Never waits.
    public borrowing func receive() throws(ZeroMQError) -> MonitorEvent? {
        while try socket.receive(into: message, maxFrames: 2) {
            // Frame 0: event (16 bits) and value (32 bits) in the machine's byte order; frame 1: the endpoint.
            guard message.count == 2, message.byteCount(at: 0) == 6 else { continue }
            let (number, value) = message.withBytes(at: 0) {
                ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
            }
            guard let kind = MonitorEvent.Kind(rawValue: number) else { continue }
            return MonitorEvent(kind: kind, value: value, endpoint: message.string(at: 1))
        }
        return nil
    }

    /// Waits for an event; for programs with a single monitor, others use a ``PollSet``.
    public borrowing func wait(milliseconds: Int) throws(ZeroMQError) -> Bool {
        try socket.wait(milliseconds: milliseconds)
    }

    /// Numbers the endpoints: a name is used once a process.
    private static let serial = Atomic<Int>(0)
}

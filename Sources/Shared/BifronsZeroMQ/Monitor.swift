import CZeroMQ
import Glibc
import Synchronization

/// An event of one of a socket's connections.
public struct MonitorEvent: Equatable, Sendable, CustomStringConvertible {
    /// The kind of event. The raw values are libzmq's `ZMQ_EVENT_…`.
    public enum Kind: UInt16, CaseIterable, Sendable {
        /// A connection to a peer was made; the handshake follows.
        case connected = 0x0001
        /// A connection could not be made at once and is in progress.
        case connectDelayed = 0x0002
        /// A connection attempt failed and will be repeated after ``MonitorEvent/value`` milliseconds.
        case connectRetried = 0x0004
        /// The socket listens; value: the descriptor.
        case listening = 0x0008
        /// The socket could not listen; value: errno.
        case bindFailed = 0x0010
        /// A connection from a peer was accepted; the handshake follows.
        case accepted = 0x0020
        /// A connection from outside could not be made; value: errno.
        case acceptFailed = 0x0040
        /// This side closed a descriptor before a connection was made, or instead of one.
        case closed = 0x0080
        /// A descriptor could not be closed; value: errno.
        case closeFailed = 0x0100
        /// A connection ended, whichever side ended it.
        case disconnected = 0x0200
        /// The monitored socket was closed. No further events follow.
        case monitorStopped = 0x0400
        /// The peer ended the connection during the handshake; value: errno.
        case handshakeFailedNoDetail = 0x0800
        /// The connection is ready for messages.
        case handshakeSucceeded = 0x1000
        /// The peer does not speak ZMTP, uses another mechanism or has another key; value: `ZMQ_PROTOCOL_ERROR_…`.
        case handshakeFailedProtocol = 0x2000
        /// The ZAP handler refused the connection; value: its status code (300, 400, 500).
        case handshakeFailedAuthentication = 0x4000

        /// Whether the handshake failed, for any reason.
        public var isHandshakeFailure: Bool {
            switch self {
            case .handshakeFailedNoDetail, .handshakeFailedProtocol, .handshakeFailedAuthentication: true
            default: false
            }
        }
    }

    /// The kind of event.
    public let kind: Kind
    /// A descriptor, an errno or a time, depending on ``kind``.
    public let value: Int32
    /// The endpoint that was bound or connected to, not the peer's address.
    public let endpoint: String

    /// The connection's descriptor, as in ``Message/sourceDescriptor``; nil if ``value`` is not a descriptor.
    public var descriptor: Int32? {
        switch kind {
        case .connected, .accepted, .disconnected, .closed, .listening: value
        default: nil
        }
    }

    /// Kind, value and endpoint, for logs.
    public var description: String { "\(kind) \(value) \(endpoint)" }
}

/// The events of a socket's connections, in order. Only the thread that uses the socket may use it.
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
        // If nobody reads the events, libzmq's I/O thread blocks, and with it the whole process. Therefore this socket
        // has no high-water mark, and `deinit` stops the events before the reader is closed.
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

    /// Returns the next event; nil if there is none. Never waits.
    ///
    /// - Throws: ``ZeroMQError`` if the context was shut down.
    public borrowing func receive() throws(ZeroMQError) -> MonitorEvent? {
        while try socket.receive(into: message, maxFrames: 2) {
            // Frame 0: event (16 bits) and value (32 bits) in native byte order; frame 1: the endpoint.
            guard message.count == 2, message.byteCount(at: 0) == 6 else { continue }
            let (number, value) = message.withBytes(at: 0) {
                ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
            }
            guard let kind = MonitorEvent.Kind(rawValue: number) else { continue }
            return MonitorEvent(kind: kind, value: value, endpoint: message.string(at: 1))
        }
        return nil
    }

    /// Waits for an event and returns whether there is one. For programs with a single monitor; others use a
    /// ``PollSet``.
    ///
    /// - Throws: ``ZeroMQError`` if the context was shut down.
    public borrowing func wait(milliseconds: Int) throws(ZeroMQError) -> Bool {
        try socket.wait(milliseconds: milliseconds)
    }

    /// The last endpoint number. Each endpoint name is used once per process.
    private static let serial = Atomic<Int>(0)
}

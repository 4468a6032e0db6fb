import CZeroMQ
import Glibc

/// The settings of a ``Socket``, applied before it binds or connects. Durations count in whole milliseconds.
///
/// `ZMQ_IMMEDIATE` is not among them: with it libzmq takes a lost connection's queue away from under the reader, and ends the
/// program by an assertion (`!_more`, `fq.cpp`) if that happens between two frames of a message.
public struct SocketOptions: Sendable {
    /// libzmq's own heartbeats on a connection (ZMTP PING): they find a peer whose machine or network has gone.
    public struct Heartbeat: Sendable {
        /// Between two pings.
        public var interval: Duration
        /// Without traffic for so long after a ping the connection is closed.
        public var timeout: Duration
        /// What the other side is told to use as its timeout (in tenths of a second); `nil`: nothing.
        public var timeToLive: Duration?

        public init(interval: Duration, timeout: Duration, timeToLive: Duration? = nil) {
            self.interval = interval
            self.timeout = timeout
            self.timeToLive = timeToLive
        }
    }

    /// TCP's keep-alive probes; `nil` leaves a number to the system.
    public struct KeepAlive: Sendable {
        /// Seconds without traffic before the first probe.
        public var idleSeconds: Int?
        /// Seconds between probes.
        public var intervalSeconds: Int?
        /// Unanswered probes after which the connection is closed.
        public var probes: Int?

        public init(idleSeconds: Int? = nil, intervalSeconds: Int? = nil, probes: Int? = nil) {
            self.idleSeconds = idleSeconds
            self.intervalSeconds = intervalSeconds
            self.probes = probes
        }
    }

    /// ROUTER: tell of messages to unknown or full peers instead of dropping them silently.
    public var routerMandatory = true
    /// ROUTER: a peer that brings the routing id of another one takes its place; otherwise it is not heard until that one has
    /// gone.
    public var routerHandover = false
    /// DEALER, REQ, ROUTER: send an empty message on connecting, so that a ROUTER learns of this peer at once.
    public var probeRouter = false
    /// The name under which a ROUTER knows this socket: 1 to 255 bytes, the first not zero; `nil`: it makes one.
    public var routingID: [UInt8]?
    /// Messages queued to a peer before ``Socket/send(_:)`` says `wouldBlock`; 0: no limit.
    public var sendHighWater = 1000
    /// Messages queued from a peer before its sender is held up; 0: no limit.
    public var receiveHighWater = 1000
    /// How long closing may go on sending what is queued; `nil`: for ever (then ending the context can hang).
    public var linger: Duration? = .zero
    /// Bytes of a single frame beyond which the connection is closed; `nil`: no limit.
    public var maxMessageSize: Int?
    /// libzmq's heartbeats; `nil`: none. Not for a socket that strangers connect to: libzmq 4.3.4 ends the program by an
    /// assertion (`!_io_error`, `stream_engine_base.cpp`) at the next PING if a connection is reset from which it takes no
    /// messages just then, as from one whose routing id another one took over.
    public var heartbeat: Heartbeat?
    /// How long TCP may take to make a connection before it is tried anew, with the name looked up again; `nil`: as long as
    /// the system tries, which is two minutes for a machine that has gone.
    public var connectTimeout: Duration? = .seconds(3)
    /// How long a connection may take for its handshake; `nil`: for ever.
    public var handshakeInterval: Duration? = .seconds(30)
    /// TCP keep-alive; `nil`: as the system has it.
    public var tcpKeepAlive: KeepAlive?
    /// How long what was sent may stay unacknowledged by the other side's TCP, or its keep-alive probes unanswered, before
    /// the connection is closed; `nil`: as the system has it.
    public var tcpAcknowledgementTimeout: Duration?
    /// Waiting time before connecting again after a lost connection, doubled up to `reconnectMaximum`.
    public var reconnectMinimum: Duration = .milliseconds(100)
    /// The longest such waiting time; not more than `reconnectMinimum`: no doubling.
    public var reconnectMaximum: Duration = .seconds(2)
    /// IPv6 besides IPv4.
    public var ipv6 = false
    /// Encryption and authentication of the connections.
    public var curve: Curve.Role = .none
    /// What the ZAP handler of the context is told to judge connections by; `nil`: none.
    public var zapDomain: String?

    public init() {}

    func apply(to socket: UnsafeMutableRawPointer, kind: Socket.Kind) throws(ZeroMQError) {
        func set(_ option: Int32, _ value: Int32, _ name: String) throws(ZeroMQError) {
            var value = value
            guard zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size) == 0 else {
                throw .last("set", name)
            }
        }
        func set(_ option: Int32, _ flag: Bool, _ name: String) throws(ZeroMQError) {
            if flag { try set(option, 1, name) }
        }
        func set(_ option: Int32, _ bytes: [UInt8], _ name: String) throws(ZeroMQError) {
            guard zmq_setsockopt(socket, option, bytes, bytes.count) == 0 else { throw .last("set", name) }
        }

        switch kind {
        case .router:
            try set(ZMQ_ROUTER_MANDATORY, routerMandatory, "routerMandatory")
            try set(ZMQ_ROUTER_HANDOVER, routerHandover, "routerHandover")
            try set(ZMQ_PROBE_ROUTER, probeRouter, "probeRouter")
        case .dealer, .req:
            try set(ZMQ_PROBE_ROUTER, probeRouter, "probeRouter")
        default: break
        }
        if let routingID { try set(ZMQ_ROUTING_ID, routingID, "routingID") }
        try set(ZMQ_SNDHWM, Int32(clamping: sendHighWater), "sendHighWater")
        try set(ZMQ_RCVHWM, Int32(clamping: receiveHighWater), "receiveHighWater")
        try set(ZMQ_LINGER, linger?.wholeMilliseconds ?? -1, "linger")
        if let maxMessageSize {
            var size = Int64(maxMessageSize)
            guard zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size, MemoryLayout<Int64>.size) == 0 else {
                throw .last("set", "maxMessageSize")
            }
        }
        if let heartbeat {
            try set(ZMQ_HEARTBEAT_IVL, heartbeat.interval.wholeMilliseconds, "heartbeat.interval")
            try set(ZMQ_HEARTBEAT_TIMEOUT, heartbeat.timeout.wholeMilliseconds, "heartbeat.timeout")
            if let timeToLive = heartbeat.timeToLive {
                try set(ZMQ_HEARTBEAT_TTL, timeToLive.wholeMilliseconds, "heartbeat.timeToLive")
            }
        }
        try set(ZMQ_CONNECT_TIMEOUT, connectTimeout?.wholeMilliseconds ?? 0, "connectTimeout")
        try set(ZMQ_HANDSHAKE_IVL, handshakeInterval?.wholeMilliseconds ?? 0, "handshakeInterval")
        if let tcpKeepAlive {
            try set(ZMQ_TCP_KEEPALIVE, 1, "tcpKeepAlive")
            try set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(clamping: tcpKeepAlive.idleSeconds ?? -1), "tcpKeepAlive.idleSeconds")
            try set(
                ZMQ_TCP_KEEPALIVE_INTVL, Int32(clamping: tcpKeepAlive.intervalSeconds ?? -1),
                "tcpKeepAlive.intervalSeconds")
            try set(ZMQ_TCP_KEEPALIVE_CNT, Int32(clamping: tcpKeepAlive.probes ?? -1), "tcpKeepAlive.probes")
        }
        if let tcpAcknowledgementTimeout {
            try set(ZMQ_TCP_MAXRT, tcpAcknowledgementTimeout.wholeMilliseconds, "tcpAcknowledgementTimeout")
        }
        try set(ZMQ_RECONNECT_IVL, reconnectMinimum.wholeMilliseconds, "reconnectMinimum")
        try set(ZMQ_RECONNECT_IVL_MAX, reconnectMaximum.wholeMilliseconds, "reconnectMaximum")
        try set(ZMQ_IPV6, ipv6, "ipv6")
        switch curve {
        case .none: break
        case .server(let secretKey):
            try set(ZMQ_CURVE_SERVER, 1, "curve")
            try set(ZMQ_CURVE_SECRETKEY, Curve.decode(secretKey, "curve.secretKey"), "curve.secretKey")
        case .client(let serverKey, let publicKey, let secretKey):
            try set(ZMQ_CURVE_SERVERKEY, Curve.decode(serverKey, "curve.serverKey"), "curve.serverKey")
            try set(ZMQ_CURVE_PUBLICKEY, Curve.decode(publicKey, "curve.publicKey"), "curve.publicKey")
            try set(ZMQ_CURVE_SECRETKEY, Curve.decode(secretKey, "curve.secretKey"), "curve.secretKey")
        }
        if let zapDomain { try set(ZMQ_ZAP_DOMAIN, Array(zapDomain.utf8), "zapDomain") }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up so that a short time is never taken for none.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? .min : .max) : Int32(clamping: whole + milliseconds)
    }
}

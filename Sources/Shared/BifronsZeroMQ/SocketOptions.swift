import CZeroMQ
import Glibc

/// The settings of a ``Socket``, applied before it binds or connects. Durations are rounded up to whole milliseconds.
///
/// `ZMQ_IMMEDIATE` is deliberately missing. With it libzmq removes a lost connection's queue while it is being read,
/// and aborts the program with an assertion (`!_more`, `fq.cpp`) if that happens between two frames of a message.
public struct SocketOptions: Sendable {
    /// libzmq's own heartbeats on a connection (ZMTP PING), which detect a peer whose machine or network is gone.
    public struct Heartbeat: Sendable {
        /// The time between two pings.
        public var interval: Duration
        /// The time without traffic after a ping until the connection is closed.
        public var timeout: Duration
        /// The timeout that the peer is told to use, in steps of 0.1 s; nil: the peer is told none.
        public var timeToLive: Duration?

        /// Heartbeats of an interval and a timeout, in whole milliseconds.
        public init(interval: Duration, timeout: Duration, timeToLive: Duration? = nil) {
            self.interval = interval
            self.timeout = timeout
            self.timeToLive = timeToLive
        }
    }

    /// TCP keep-alive probes; nil leaves a value to the system.
    public struct KeepAlive: Sendable {
        /// The seconds without traffic before the first probe.
        public var idleSeconds: Int?
        /// The seconds between probes.
        public var intervalSeconds: Int?
        /// The number of unanswered probes after which the connection is closed.
        public var probes: Int?

        /// Probes after so many seconds; nil leaves a number to the system.
        public init(idleSeconds: Int? = nil, intervalSeconds: Int? = nil, probes: Int? = nil) {
            self.idleSeconds = idleSeconds
            self.intervalSeconds = intervalSeconds
            self.probes = probes
        }
    }

    /// ROUTER: whether sending to an unknown or full peer reports an error instead of silently dropping the message.
    public var routerMandatory = true
    /// ROUTER: whether a new peer takes over the routing id of a connected one. Otherwise the new peer's messages are
    /// not read until the old one is gone.
    public var routerHandover = false
    /// DEALER, REQ, ROUTER: whether to send an empty message on connecting, so that a ROUTER learns of this peer at
    /// once.
    public var probeRouter = false
    /// The routing id under which a ROUTER knows this socket: 1 to 255 bytes, the first not zero; nil: the ROUTER makes
    /// one.
    public var routingID: [UInt8]?
    /// The number of messages queued for a peer at which ``Socket/send(_:)`` returns `wouldBlock`; 0: no limit.
    public var sendHighWater = 1000
    /// The number of messages queued from a peer at which its sender is blocked; 0: no limit.
    public var receiveHighWater = 1000
    /// How long closing may continue to send queued messages; nil: no limit (then ending the context can hang).
    public var linger: Duration? = .zero
    /// The largest frame in bytes; a larger one closes the connection. Nil: no limit.
    public var maxMessageSize: Int?
    /// libzmq's heartbeats; nil: none. Do not use them on a socket that unknown peers connect to: libzmq 4.3.4 aborts
    /// the program with an assertion (`!_io_error`, `stream_engine_base.cpp`) at the next PING if a connection is reset
    /// while no messages are taken from it, as happens after another peer took over its routing id.
    public var heartbeat: Heartbeat?
    /// How long a TCP connection attempt may take before a new one starts, which resolves the name again; nil: as long
    /// as the system tries, about two minutes for a machine that is gone.
    public var connectTimeout: Duration? = .seconds(3)
    /// How long a connection's handshake may take; nil: no limit.
    public var handshakeInterval: Duration? = .seconds(30)
    /// TCP keep-alive; nil: the system's default.
    public var tcpKeepAlive: KeepAlive?
    /// How long sent data may stay unacknowledged by the peer's TCP, or keep-alive probes unanswered, before the
    /// connection is closed; nil: the system's default.
    public var tcpAcknowledgementTimeout: Duration?
    /// The time before the first reconnection attempt. It doubles with each attempt up to `reconnectMaximum`.
    public var reconnectMinimum: Duration = .milliseconds(100)
    /// The longest time between reconnection attempts. If it does not exceed `reconnectMinimum`, the time does not
    /// double.
    public var reconnectMaximum: Duration = .seconds(2)
    /// Whether to use IPv6 in addition to IPv4.
    public var ipv6 = false
    /// The encryption and authentication of the connections.
    public var curve: Curve.Role = .none
    /// The domain under which the context's ZAP handler judges connections; nil: none.
    public var zapDomain: String?

    /// The defaults: none of libzmq's high-water marks is changed, nothing lingers, nothing is encrypted.
    public init() {}
}

extension Duration {
    /// The duration in milliseconds, rounded up so that a short time does not become zero, and clamped to 32 bits.
    package var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        // Clamped first, so that the product cannot overflow.
        let bounded = Int64(Int32(clamping: seconds))
        return Int32(clamping: bounded * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

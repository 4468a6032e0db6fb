internal import BifronsWire
internal import BifronsZeroMQ

/// The worker's end of the connection to one router. libzmq makes it again whenever it is lost.
final class Connection {
    /// How long the last message, a BYE, may take to leave.
    private static let linger = Duration.seconds(1)

    let socket: Socket
    let monitor: Monitor

    /// - Parameter payloadBytes: of the largest frame that a router is going to send.
    init(to endpoint: String, context: Context, curve: Curve.Role, payloadBytes: Int) throws(ZeroMQError) {
        var options = SocketOptions()
        options.curve = curve
        options.ipv6 = endpoint.contains("[")
        options.linger = Self.linger
        options.maxMessageSize = payloadBytes + Limits.frameSlackBytes
        options.handshakeInterval = .seconds(3)
        options.reconnectMaximum = .seconds(1)
        socket = try Socket(.dealer, context: context, options: options)
        monitor = try socket.monitor([.handshakeSucceeded, .disconnected])
        try socket.connect(endpoint)
    }
}

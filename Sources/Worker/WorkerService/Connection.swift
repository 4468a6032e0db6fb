internal import BifronsWire
internal import BifronsZeroMQ

/// The worker's connection to one router. libzmq reconnects it whenever it is lost.
final class Connection {
    /// The longest time that closing waits for the last message, a BYE, to be sent.
    private static let linger = Duration.seconds(1)

    let socket: Socket
    let monitor: Monitor

    /// Starts to connect to a router.
    ///
    /// - Parameters:
    ///   - endpoint: The router's endpoint.
    ///   - context: The context that the socket belongs to.
    ///   - curve: The keys of the connection.
    ///   - payloadBytes: The size of the largest frame that the router may send.
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

internal import BifronsZeroMQ

/// One of the router's sockets with the guard of its connections.
struct Listener: ~Copyable {
    /// The bytes that the system may buffer for a connection before libzmq reads them. They count as received.
    private static let unreadBytes = 8 << 20

    let socket: Socket
    /// The socket's monitor, for the poll set. `readEvents` reads it.
    let monitor: Monitor
    private var connections: ConnectionGuard
    /// Whether the system counts the bytes of the socket's connections, as it does over TCP.
    private let isCounted: Bool

    /// - Parameter bounds: the limits of connections, with the protocol's limit as `messageBytes`.
    init(
        _ endpoint: String, context: Context, options: SocketOptions, bounds: ConnectionGuard.Bounds
    ) throws(ZeroMQError) {
        let socket = try Socket(.router, context: context, options: options)
        let monitor = try socket.monitor([.accepted, .disconnected])
        try socket.bind(endpoint)
        self.socket = socket
        self.monitor = monitor
        var bounds = bounds
        bounds.messageBytes += Self.unreadBytes
        connections = ConnectionGuard(bounds)
        isCounted = endpoint.hasPrefix("tcp://")
    }

    /// Whether `look` has connections to examine.
    var isWatched: Bool { isCounted && !connections.isEmpty }

    /// Whether the connection is known to be open.
    func isOpen(_ connection: ConnectionDescriptor) -> Bool { connections.isOpen(connection) }

    /// Reads the monitor's events, and ends the connections that must end.
    ///
    /// - Returns: the connections that have ended, and the number of connections refused.
    mutating func readEvents() throws(ZeroMQError) -> (ended: [ConnectionDescriptor], refused: Int) {
        var (ended, refused) = ([ConnectionDescriptor](), 0)
        while let event = try monitor.receive() {
            guard let connection = event.descriptor.map(ConnectionDescriptor.init) else { continue }
            if event.kind == .accepted {
                if !connections.accepted(connection) { refused += 1 }
            } else {
                connections.ended(connection)
                ended.append(connection)
            }
        }
        for connection in connections.takeEnding() { connection.end() }
        return (ended, refused)
    }

    /// Notes that a message was received.
    mutating func noteDelivery(of message: Message) {
        guard isCounted, let descriptor = message.sourceDescriptor else { return }
        connections.delivered(ConnectionDescriptor(descriptor))
    }

    /// Finds messages without an end. The next `readEvents` ends their connections.
    ///
    /// - Returns: the number of these connections.
    mutating func look() -> Int {
        isCounted ? connections.look(bytesReceived: \.bytesReceived) : 0
    }
}

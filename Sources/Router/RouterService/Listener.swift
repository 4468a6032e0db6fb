internal import BifronsZeroMQ

/// One of the router's sockets, and the guard of its connections.
struct Listener: ~Copyable {
    /// What the system may hold of a connection that libzmq has not read yet: it counts as arrived.
    private static let unreadBytes = 8 << 20

    let socket: Socket
    /// For the poll set; read by `readEvents`.
    let monitor: Monitor
    private var connections: ConnectionGuard
    /// Whether the system counts the bytes of its connections.
    private let isCounted: Bool

    /// - Parameter bounds: `messageBytes` as the protocol has them.
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

    /// Whether there is something to `look` at.
    var isWatched: Bool { isCounted && !connections.isEmpty }

    /// Whether the connection is known to be open.
    func isOpen(_ connection: ConnectionDescriptor) -> Bool { connections.isOpen(connection) }

    /// Takes note of who has come and gone, and ends the connections that must end.
    /// - Returns: those that have ended, and how many were not let in.
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

    /// Takes note of a message that was received.
    mutating func noteDelivery(of message: Message) {
        guard isCounted, let descriptor = message.sourceDescriptor else { return }
        connections.delivered(ConnectionDescriptor(descriptor))
    }

    /// Looks for messages without an end; `readEvents` then ends their connections.
    /// - Returns: how many there are.
    mutating func look() -> Int {
        isCounted ? connections.look(bytesReceived: \.bytesReceived) : 0
    }
}

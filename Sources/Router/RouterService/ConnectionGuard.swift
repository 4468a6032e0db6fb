internal import BifronsZeroMQ

/// Tracks a socket's connections and decides which of them must end: those beyond the limit, and those that send a
/// message without an end.
///
/// libzmq accepts every connection, and ends the process when an ipc connection finds no free descriptor. It collects
/// the frames of a message until the last one arrives, however many come, and reports nothing meanwhile. But its
/// monitor reports connections, the system counts the bytes received on each (over TCP), and the receiver knows which
/// connections have delivered a whole message.
///
/// This type only decides. The caller ends the connections.
struct ConnectionGuard {
    /// The limits of one socket.
    struct Bounds {
        /// The most connections that may be open.
        var connections: Int
        /// The most bytes of an unfinished message on one connection.
        var messageBytes: Int
        /// The most bytes of unfinished messages on all connections together.
        var totalBytes: Int
    }

    private struct Traffic {
        /// The byte count up to which all messages are known to have been delivered.
        var handedOver: UInt64 = 0
        /// The byte count at the last look.
        var seen: UInt64 = 0
        /// Whether a message has been delivered since the last look.
        var hasDelivered = false
    }

    private let bounds: Bounds
    private var open: [ConnectionDescriptor: Traffic] = [:]
    /// The connections that must end, until `takeEnding` returns them.
    private(set) var ending: Set<ConnectionDescriptor> = []

    init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    var isEmpty: Bool { open.isEmpty }

    /// Whether the connection was accepted, has not ended and need not end.
    func isOpen(_ connection: ConnectionDescriptor) -> Bool { open[connection] != nil }

    /// Notes a new connection.
    ///
    /// - Returns: whether there is room for it. If not, it must end.
    mutating func accepted(_ connection: ConnectionDescriptor) -> Bool {
        ended(connection)
        guard open.count < bounds.connections else {
            ending.insert(connection)
            return false
        }
        open[connection] = Traffic()
        return true
    }

    /// Notes that a connection has ended.
    mutating func ended(_ connection: ConnectionDescriptor) {
        open[connection] = nil
        ending.remove(connection)
    }

    /// Returns the connections that must end, each only once: with a crowd of connections there is no time to end one
    /// twice.
    mutating func takeEnding() -> Set<ConnectionDescriptor> {
        defer { ending = [] }
        return ending
    }

    /// Notes that a whole message arrived on the connection.
    mutating func delivered(_ connection: ConnectionDescriptor) {
        open[connection]?.hasDelivered = true
    }

    /// Finds messages that are too long. Call it when every complete message has been received.
    ///
    /// Only the bytes that had arrived at the previous look count: if they completed a message, `delivered` was called
    /// meanwhile.
    ///
    /// - Parameter bytesReceived: returns the bytes that a connection has received, or nil if unknown.
    /// - Returns: the number of connections that must end for such a message.
    mutating func look(bytesReceived: (ConnectionDescriptor) -> UInt64?) -> Int {
        var unfinished: [(connection: ConnectionDescriptor, bytes: Int)] = []
        for (connection, var traffic) in open {
            guard let received = bytesReceived(connection) else { continue }
            // A lower count than before: the descriptor belongs to another connection by now.
            if traffic.hasDelivered || received < traffic.seen {
                traffic.handedOver = received
            } else if traffic.seen > traffic.handedOver {
                unfinished.append((connection, Int(traffic.seen - traffic.handedOver)))
            }
            traffic.seen = received
            traffic.hasDelivered = false
            open[connection] = traffic
        }
        unfinished.sort { $0.bytes > $1.bytes }
        var total = unfinished.reduce(0) { $0 + $1.bytes }
        let tooLong = unfinished.prefix { entry in
            defer { total -= entry.bytes }
            return entry.bytes > bounds.messageBytes || total > bounds.totalBytes
        }
        for (connection, _) in tooLong {
            open[connection] = nil
            ending.insert(connection)
        }
        return tooLong.count
    }
}

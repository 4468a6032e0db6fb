internal import BifronsZeroMQ

/// Which connections a socket has, and which of them must end: those beyond the limit, and those that send a message without
/// an end.
///
/// libzmq accepts whoever connects, and ends the process when an ipc connection finds no descriptor left. It collects a
/// message until the last frame is there, however many come, and tells nobody. But its monitor tells of connections, the
/// system counts the bytes that they bring (over TCP), and whoever receives knows which of them have brought a whole message.
/// Decides and does nothing: ending is the caller's.
struct ConnectionGuard {
    struct Bounds {
        var connections: Int
        /// Bytes of the longest message of one connection that is not there in whole.
        var messageBytes: Int
        /// The same of all connections together.
        var totalBytes: Int
    }

    private struct Traffic {
        /// Bytes up to which everything was known to have been handed over.
        var handedOver: UInt64 = 0
        /// Bytes at the last look.
        var seen: UInt64 = 0
        /// Whether a message has come since then.
        var hasDelivered = false
    }

    private let bounds: Bounds
    private var open: [ConnectionDescriptor: Traffic] = [:]
    /// Connections that must end, until they are taken.
    private(set) var ending: Set<ConnectionDescriptor> = []

    init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    var isEmpty: Bool { open.isEmpty }

    /// Whether the connection was accepted and has neither ended nor been told to.
    func isOpen(_ connection: ConnectionDescriptor) -> Bool { open[connection] != nil }

    /// - Returns: whether there is room for it; otherwise it must end.
    mutating func accepted(_ connection: ConnectionDescriptor) -> Bool {
        ended(connection)
        guard open.count < bounds.connections else {
            ending.insert(connection)
            return false
        }
        open[connection] = Traffic()
        return true
    }

    mutating func ended(_ connection: ConnectionDescriptor) {
        open[connection] = nil
        ending.remove(connection)
    }

    /// Hands over the connections that must end. To end one once is enough, and in a crowd there is no time to do more.
    mutating func takeEnding() -> Set<ConnectionDescriptor> {
        defer { ending = [] }
        return ending
    }

    /// A whole message came over the connection.
    mutating func delivered(_ connection: ConnectionDescriptor) {
        open[connection]?.hasDelivered = true
    }

    /// Looks for messages that are too long, when everything that is there in whole has been received. What counts are the
    /// bytes that had arrived at the look before: of a message among them, `delivered` has told meanwhile.
    ///
    /// - Parameter bytesReceived: how many bytes a connection has brought; nil: nobody knows.
    /// - Returns: how many connections must end for it.
    mutating func look(bytesReceived: (ConnectionDescriptor) -> UInt64?) -> Int {
        var unfinished: [(connection: ConnectionDescriptor, bytes: Int)] = []
        for (connection, var traffic) in open {
            guard let received = bytesReceived(connection) else { continue }
            // Fewer than before: the descriptor is another connection's by now.
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

package import BifronsZeroMQ

/// The ZAP handler (RFC 27) of a context. libzmq asks it about every CURVE handshake of the context's sockets.
///
/// It is one more socket in the poll set of the thread that owns it. A connection's user id is its public key, so every
/// message is judged by the current list, not by that of the time of the handshake.
package final class Authenticator {
    /// The ZAP domain of a socket, which decides the roles that may connect to it.
    package enum Domain: String, Sendable {
        case clients, workers

        /// Returns whether owners of keys with this role may connect.
        func allows(_ role: AllowList.Role) -> Bool {
            switch self {
            case .clients: role != .worker
            case .workers: role == .worker
            }
        }
    }

    /// The endpoint at which libzmq expects the handler.
    static let endpoint = "inproc://zeromq.zap.01"
    private static let version = "1.0"
    /// Version, request id, domain, address, identity, mechanism, and CURVE's one credential.
    private static let requestFrames = 7

    /// The handler's socket, for the poll set.
    package let socket: Socket
    private var list: AllowList
    private let request = Message()
    private let reply = Message()

    /// Binds the handler. Call this before binding the sockets that it guards, otherwise early connections find no
    /// handler.
    package init(_ list: AllowList, context: Context) throws(ZeroMQError) {
        self.list = list
        socket = try Socket(.rep, context: context)
        try socket.bind(Self.endpoint)
    }

    /// Replaces the list. Connections stay open, and their rights follow the new list.
    ///
    /// - Returns: The roles of the keys that were removed.
    package func replace(_ list: AllowList) -> [AllowList.Role] {
        defer { self.list = list }
        return self.list.roles(notIn: list)
    }

    /// Returns the principal that sent a message to a socket of a domain; nil if no allowed principal did.
    package func sender(of message: Message, in domain: Domain) -> AllowList.Entry? {
        guard let key = message.userID, let entry = list[key], domain.allows(entry.role) else { return nil }
        return entry
    }

    /// Answers waiting handshakes.
    ///
    /// - Parameter limit: The most handshakes to answer, so that a flood of them does not delay other work.
    /// - Returns: The number of refused handshakes.
    package func answer(atMost limit: Int) throws(ZeroMQError) -> Int {
        var refused = 0
        for _ in 0..<limit {
            guard try socket.receive(into: request, maxFrames: Self.requestFrames) else { break }
            let key = judge()
            if key == nil { refused += 1 }
            reply.removeAll()
            reply.append(Self.version)
            if request.count > 1 { reply.append(sharing: request, at: 1) } else { reply.appendEmpty() }
            // 300, a temporary failure, ends the connection but lets the peer try again, because its key may be listed
            // later. After 400 libzmq would never reconnect.
            reply.append(key == nil ? "300" : "200")
            reply.append(key == nil ? "not allowed" : "OK")
            reply.append(key ?? "")
            reply.appendEmpty()
            _ = try socket.send(reply)
        }
        return refused
    }

    /// Returns the public key of an allowed peer; nil if the peer is refused.
    private func judge() -> String? {
        guard request.count == Self.requestFrames, request.droppedFrames == 0, request.string(at: 0) == Self.version,
            let domain = Domain(rawValue: request.string(at: 2)), request.string(at: 5) == "CURVE",
            let key = request.withBytes(at: 6, { Curve.text(ofKey: $0) }),
            let entry = list[key], domain.allows(entry.role)
        else { return nil }
        return key
    }
}

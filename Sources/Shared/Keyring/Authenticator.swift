package import BifronsZeroMQ

/// The ZAP handler (RFC 27) of a context: libzmq asks it about every CURVE handshake of the context's sockets.
///
/// It is one more socket in the poll set of the thread that owns it. The user id of a connection is its public key, so that
/// every message of it can be judged by the list of the moment, and not by that of the handshake.
package final class Authenticator {
    /// The domain of a socket, which decides on the roles that may connect to it.
    package enum Domain: String, Sendable {
        case clients, workers

        /// Whether the owner of a key may connect.
        func allows(_ role: AllowList.Role) -> Bool {
            switch self {
            case .clients: role != .worker
            case .workers: role == .worker
            }
        }
    }

    /// Where libzmq looks for the handler.
    static let endpoint = "inproc://zeromq.zap.01"
    private static let version = "1.0"
    /// version, request id, domain, address, identity, mechanism, and CURVE's one credential.
    private static let requestFrames = 7

    /// For the poll set.
    package let socket: Socket
    private var list: AllowList
    private let request = Message()
    private let reply = Message()

    /// Binds the handler; before the sockets that it guards are bound, or early connections would meet none.
    package init(_ list: AllowList, context: Context) throws(ZeroMQError) {
        self.list = list
        socket = try Socket(.rep, context: context)
        try socket.bind(Self.endpoint)
    }

    /// Puts another list in place of the present one. Connections stay; what they may do follows the new list.
    package func replace(_ list: AllowList) {
        self.list = list
    }

    /// Who sent a message to a socket of that domain; `nil` if it is nobody who may.
    package func sender(of message: Message, in domain: Domain) -> AllowList.Entry? {
        guard let key = message.userID, let entry = list[key], domain.allows(entry.role) else { return nil }
        return entry
    }

    /// Answers the handshakes that wait.
    /// - Parameter atMost: how many, so that a flood of handshakes holds up nobody else.
    /// - Returns: how many were refused.
    package func answer(atMost limit: Int) throws(ZeroMQError) -> Int {
        var refused = 0
        for _ in 0..<limit {
            guard try socket.receive(into: request, maxFrames: Self.requestFrames) else { break }
            let key = judge()
            if key == nil { refused += 1 }
            reply.removeAll()
            reply.append(Self.version)
            if request.count > 1 { reply.append(sharing: request, at: 1) } else { reply.appendEmpty() }
            // 300, a temporary failure, ends the connection and lets the peer try again: its key may be listed later. After
            // 400 libzmq would never dial again.
            reply.append(key == nil ? "300" : "200")
            reply.append(key == nil ? "not allowed" : "OK")
            reply.append(key ?? "")
            reply.appendEmpty()
            _ = try socket.send(reply)
        }
        return refused
    }

    /// The public key of whom is let in; `nil` if nobody is.
    private func judge() -> String? {
        guard request.count == Self.requestFrames, request.droppedFrames == 0, request.string(at: 0) == Self.version,
            let domain = Domain(rawValue: request.string(at: 2)), request.string(at: 5) == "CURVE",
            let key = request.withBytes(at: 6, { Curve.text(ofKey: $0) }),
            let entry = list[key], domain.allows(entry.role)
        else { return nil }
        return key
    }
}

internal import BifronsZeroMQ
internal import Keyring
internal import Logging
internal import Reactor
internal import RouterCore
internal import Settings

/// Authentication, and the start and end of connections.
extension RouterService {
    /// Returns the principal that sent a client's message.
    func principal(of message: Message) -> Principal {
        guard let authenticator else {
            return Principal(.connection(Sender(message).identity), .operator)
        }
        guard let sender = authenticator.sender(of: message, in: .clients) else { return Principal(.key(""), .none) }
        return Principal(.key(sender.name), Principal.Rights(sender.role))
    }

    /// Answers waiting ZAP requests, up to the limit per turn.
    func answerHandshakes() throws {
        let refused = try authenticator?.answer(atMost: Self.handshakesPerTurn) ?? 0
        if let count = unlistedKeys.take(refused, at: MonotonicClock.now()) {
            logger.warning("connections were refused: unlisted key", metadata: ["count": "\(count)"])
        }
    }

    /// Reads the allow-list again. A list that cannot be used leaves the old one in place.
    func reloadAllowList() {
        guard let keys = settings.keys else { return }
        do {
            let removed = authenticator?.replace(try KeyFolder(keys).allowList()) ?? []
            if !removed.isEmpty { handle(.keysRevoked(removed.map(\.rawValue)), at: MonotonicClock.now()) }
            logger.info("allow-list was read again")
        } catch {
            logger.error("allow-list cannot be used, the old one stays", metadata: ["error": "\(error)"])
        }
    }

    /// Returns the connection on which a client's message arrived, and whether it has ended; nil if libzmq does not
    /// report it.
    func connection(of message: Message) throws -> (connection: Pending.Connection, hasEnded: Bool)? {
        guard let descriptor = message.sourceDescriptor.map(ConnectionDescriptor.init) else { return nil }
        let connection = Pending.Connection(descriptor: descriptor, sender: Sender(message))
        // Another sender on this descriptor is a newer connection, and the older one's end is still unread. A client
        // with a routing id of its own choice has the same sender on its newer connection.
        if case .numbered = connection.sender, senderOn[descriptor] == connection.sender { return (connection, false) }
        try readConnectionEvents()
        guard clients.isOpen(descriptor) else { return (connection, true) }
        // A message may be read after its connection's end, when the descriptor may already belong to another
        // connection.
        if let other = senderOn[descriptor] {
            if connection.sender.isOlder(than: other) { return (connection, true) }
            if other.isOlder(than: connection.sender) {
                clientsGone(pending.tokens(on: Pending.Connection(descriptor: descriptor, sender: other)))
            }
        }
        senderOn[descriptor] = connection.sender
        return (connection, false)
    }

    /// Cancels the requests of ended connections.
    func clientsGone(_ tokens: Set<RouterCore.Token>) {
        pending.disconnect(tokens)
        handle(.clientsGone(tokens), at: MonotonicClock.now())
    }

    /// Remembers which worker is on a connection. libzmq reports the end of a connection by its descriptor.
    func noteConnection(of peer: RouterCore.Peer, _ descriptor: Int32?) throws {
        guard let descriptor else { return }
        // The end of an older connection with this descriptor was reported before the newer one could send anything.
        try readConnectionEvents()
        peerOn[ConnectionDescriptor(descriptor)] = peer
    }

    /// Reads the events of both sockets' monitors, and reports lost workers and clients to the core.
    func readConnectionEvents() throws {
        let (clients, workers) = (try clients.readEvents(), try workers.readEvents())
        for connection in workers.ended {
            guard let peer = peerOn.removeValue(forKey: connection) else { continue }
            logger.info("worker's connection ended")
            handle(.lost(peer, .connectionEnded), at: MonotonicClock.now())
        }
        for descriptor in clients.ended {
            guard let sender = senderOn.removeValue(forKey: descriptor) else { continue }
            let tokens = pending.tokens(on: Pending.Connection(descriptor: descriptor, sender: sender))
            if !tokens.isEmpty { clientsGone(tokens) }
        }
        if let count = crowded.take(clients.refused + workers.refused, at: MonotonicClock.now()) {
            logger.warning(
                "connections were ended: there are max-connections already",
                metadata: ["count": "\(count)", "max-connections": "\(settings.maxConnections)"])
        }
    }

    /// Ends connections that send messages without an end.
    func endMessagesWithoutEnd() throws {
        // Events are read before, so that only open connections are examined, and after, so that those found are ended.
        try readConnectionEvents()
        let found = clients.look() + workers.look()
        if found > 0 { try readConnectionEvents() }
        if let count = endless.take(found, at: MonotonicClock.now()) {
            logger.warning("connections were ended: message without end", metadata: ["count": "\(count)"])
        }
    }
}

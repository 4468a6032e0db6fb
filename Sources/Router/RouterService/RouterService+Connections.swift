internal import BifronsZeroMQ
internal import Keyring
internal import Logging
internal import Reactor
internal import RouterCore
internal import Settings

/// Who may connect, who is connected, and who has gone.
extension RouterService {
    func principal(of message: Message) -> Principal {
        guard let authenticator else {
            return Principal(.connection(Sender(message).identity), .operator)
        }
        guard let sender = authenticator.sender(of: message, in: .clients) else { return Principal(.key(""), .none) }
        return Principal(.key(sender.name), Principal.Rights(sender.role))
    }

    func answerHandshakes() throws {
        let refused = try authenticator?.answer(atMost: Self.handshakesPerTurn) ?? 0
        if let count = unlistedKeys.take(refused, at: MonotonicClock.now()) {
            logger.warning("connections were refused: unlisted key", metadata: ["count": "\(count)"])
        }
    }

    func reloadAllowList() {
        guard let keys = settings.keys else { return }
        do {
            authenticator?.replace(try KeyFolder(keys).allowList())
            logger.info("allow-list was read again")
        } catch {
            logger.error("allow-list cannot be used, the old one stays", metadata: ["error": "\(error)"])
        }
    }

    /// The connection that a client's message came on, and whether that has ended; nil if libzmq does not tell.
    func connection(of message: Message) throws -> (connection: Pending.Connection, hasEnded: Bool)? {
        guard let descriptor = message.sourceDescriptor.map(ConnectionDescriptor.init) else { return nil }
        let connection = Pending.Connection(descriptor: descriptor, sender: Sender(message))
        // Another sender on this descriptor is a newer connection, and the end of the older one is still to be read. One that
        // chose its own routing id looks the same on its newer connection.
        if case .numbered = connection.sender, senderOn[descriptor] == connection.sender { return (connection, false) }
        try readConnectionEvents()
        guard clients.isOpen(descriptor) else { return (connection, true) }
        // Messages are read behind their connection's end, when its descriptor may be another one's already.
        if let other = senderOn[descriptor] {
            if connection.sender.isOlder(than: other) { return (connection, true) }
            if other.isOlder(than: connection.sender) {
                clientsGone(pending.tokens(on: Pending.Connection(descriptor: descriptor, sender: other)))
            }
        }
        senderOn[descriptor] = connection.sender
        return (connection, false)
    }

    func clientsGone(_ tokens: Set<RouterCore.Token>) {
        pending.disconnect(tokens)
        handle(.clientsGone(tokens), at: MonotonicClock.now())
    }

    /// libzmq tells of a connection's end by its descriptor; a message tells on which descriptor it came.
    func noteConnection(of peer: RouterCore.Peer, _ descriptor: Int32?) throws {
        guard let descriptor else { return }
        // The end of an older connection with this descriptor was reported before the newer one could send anything.
        try readConnectionEvents()
        peerOn[ConnectionDescriptor(descriptor)] = peer
    }

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

    func endMessagesWithoutEnd() throws {
        // First, and again: what is looked at must be there, and what is found must go.
        try readConnectionEvents()
        let found = clients.look() + workers.look()
        if found > 0 { try readConnectionEvents() }
        if let count = endless.take(found, at: MonotonicClock.now()) {
            logger.warning("connections were ended: message without end", metadata: ["count": "\(count)"])
        }
    }
}

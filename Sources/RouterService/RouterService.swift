internal import Glibc
internal import Hashing
internal import Journal
internal import Keyring
public import Logging
internal import Reactor
internal import RouterCore
public import Settings
internal import Wire
internal import ZeroMQ

/// The router's shell: one thread that receives, asks the core, and sends.
///
/// Everything that is decided is decided in `RouterCore`; this type turns frames into events and actions into frames, and
/// keeps the messages meanwhile. An image is never copied: the frame that the client sent is the frame that the workers get,
/// by reference.
public final class RouterService {
    /// Messages taken from one socket before the others have their turn.
    private static let messagesPerTurn = 256
    /// Bytes of the routing id that a ROUTER gives to a peer that brings none: a zero and a 32-bit number.
    private static let routingIDBytes = 5
    /// Messages that may wait for one worker to read them; beyond, it loses its place.
    private static let workerHighWater = 1000
    /// Replies that may wait for one client to read them, besides those to all the jobs that it can have in flight; beyond,
    /// it loses its replies.
    private static let clientHighWater = 1000
    /// How long replies may take to leave after the last one was sent.
    private static let linger = Duration.seconds(1)
    /// Whose machine or network is gone loses its connection, and with it what waits for it there. TCP finds that out, not
    /// libzmq: see ``SocketOptions/heartbeat``.
    private static let keepAlive = SocketOptions.KeepAlive(idleSeconds: 10, intervalSeconds: 10, probes: 3)
    private static let acknowledgementTimeout = Duration.seconds(40)
    /// Handshakes judged before messages have their turn.
    private static let handshakesPerTurn = 64
    /// Between two looks for messages that do not end.
    private static let lookInterval = Duration.milliseconds(100)
    /// How long messages that are still unread put such a look off.
    private static let lookPatience = Duration.seconds(1)
    /// Descriptors besides those of the connections that may stay: the process's own, and those of connections that are being
    /// ended.
    private static let spareDescriptors = 2000

    private let settings: RouterSettings
    private let logger: Logger
    private let context: Context
    private var clients: Listener
    private var workers: Listener
    /// Nil without keys: everybody may do everything.
    private let authenticator: Authenticator?
    private var unlistedKeys = RareNotice()
    private var crowded = RareNotice()
    private var endless = RareNotice()
    private let signals: SignalDescriptor
    private let journal: Journal?
    /// Why the journal fails; nil while it works.
    private var journalFailure: String?

    private var core: RouterCore
    private var pending = Pending()
    /// The workers by their connections' descriptors.
    private var peerOn: [ConnectionDescriptor: RouterCore.Peer] = [:]
    /// Who sent the last message on each client's connection.
    private var senderOn: [ConnectionDescriptor: Int] = [:]
    private var random = BufferedRandom()
    private var drainEnds: Instant?
    private var isDrained = false
    private let incoming = Message()
    private let outgoing = Message()
    /// Peers to which a message could not be sent; the core hears of them when it has been obeyed.
    private var unreachable: [RouterCore.Peer] = []

    /// Reads the ensemble and binds both sockets. Errors name the file or the endpoint and what to do.
    public init(settings: RouterSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        // Signals first: threads that libzmq starts inherit the mask.
        signals = try SignalDescriptor(
            settings.keys == nil ? [.terminate, .interrupt] : [.terminate, .interrupt, .hangUp])
        // At the limit libzmq would end the process over an ipc connection, and try without a pause to accept one of TCP.
        let (needed, allowed) = (2 * settings.maxConnections + Self.spareDescriptors, OpenFiles.raiseLimit())
        guard needed <= allowed else {
            throw RouterServiceError(
                "max-connections, which is \(settings.maxConnections), needs \(needed) descriptors and the system allows "
                    + "\(allowed); lower the one or raise the other (ulimit -Hn, LimitNOFILE= of systemd)")
        }
        context = try Context()
        var options = SocketOptions()
        if let keys = settings.keys.map({ KeyFolder($0) }) {
            options.curve = try keys.server()
            authenticator = try Authenticator(keys.allowList(), context: context)
        } else {
            authenticator = nil
        }
        options.linger = Self.linger
        options.sendHighWater = settings.maxJobs + Self.clientHighWater
        options.maxMessageSize = settings.imageBytes + Limits.frameSlackBytes
        options.handshakeInterval = .seconds(3)
        options.tcpKeepAlive = Self.keepAlive
        options.tcpAcknowledgementTimeout = Self.acknowledgementTimeout
        options.ipv6 = settings.clientEndpoint.contains("[")
        options.zapDomain = authenticator.map { _ in Authenticator.Domain.clients.rawValue }
        // With keys, one client could take another's replies by its routing id.
        options.routerHandover = authenticator == nil
        clients = try Listener(
            settings.clientEndpoint, context: context, options: options,
            bounds: ConnectionGuard.Bounds(
                connections: settings.maxConnections, messageBytes: settings.imageBytes + Limits.frameSlackBytes,
                totalBytes: settings.maxBytes))
        options.routerHandover = false
        options.sendHighWater = Self.workerHighWater
        options.maxMessageSize = Limits.workerFrameBytes
        options.ipv6 = settings.workerEndpoint.contains("[")
        options.zapDomain = authenticator.map { _ in Authenticator.Domain.workers.rawValue }
        workers = try Listener(
            settings.workerEndpoint, context: context, options: options,
            bounds: ConnectionGuard.Bounds(
                connections: settings.maxConnections, messageBytes: Limits.workerFrameBytes,
                totalBytes: settings.maxBytes))
        var configuration = RouterCore.Configuration()
        configuration.maxJobs = settings.maxJobs
        configuration.maxBytes = settings.maxBytes
        configuration.maxClientJobs = settings.maxClientJobs
        configuration.maxClientBytes = settings.maxClientBytes
        configuration.imageBytes = settings.imageBytes
        configuration.heartbeat = settings.heartbeat
        configuration.hangTimeout = settings.hangTimeout
        configuration.workerWait = settings.workerWait
        configuration.rejoinWait = settings.rejoinWait
        configuration.idempotencyRetention = settings.idempotencyRetention
        configuration.keepsJournal = settings.journal != nil
        let ensemble = try EnsembleFile.load("\(settings.modelsFolder)/ensemble.json")
        journal = try settings.journal.map { path in
            try Journal(
                path: path, maxBytes: settings.journalBytes, retention: settings.resultRetention,
                answer: { ensemble.answer($0, to: $1) })
        }
        core = RouterCore(
            configuration: configuration, ensemble: ensemble,
            epochSeed: .random(in: .min ... .max), at: MonotonicClock.now())
    }

    /// Serves until a signal has ended it and everything in flight is answered.
    public func run() throws {
        logger.info(
            "router is ready",
            metadata: [
                "clients": "\(clients.socket.lastEndpoint)", "workers": "\(workers.socket.lastEndpoint)",
            ])
        var polled = PollSet()
        let workersIndex = polled.add(workers.socket)
        let clientsIndex = polled.add(clients.socket)
        let connectionsIndices = [polled.add(workers.monitor), polled.add(clients.monitor)]
        let signalIndex = polled.add(descriptor: signals.descriptor)
        let journalIndex = journal.map { polled.add(descriptor: $0.mail.descriptor) }
        let handshakesIndex = authenticator.map { polled.add($0.socket) }
        var backlog = Backlog(patience: settings.heartbeat)
        var clientBacklog = Backlog(patience: Self.lookPatience)
        var nextLook = MonotonicClock.now()
        while !isDrained {
            let look = clients.isWatched || workers.isWatched ? nextLook : nil
            let deadline = [core.nextDeadline, drainEnds, look].compactMap(\.self).min()
            _ = try polled.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: deadline))
            let isUpToDate = try !polled.isReadable(workersIndex) || receiveFromWorkers()
            if connectionsIndices.contains(where: polled.isReadable) { try readConnectionEvents() }
            let hasHeardClients = try !polled.isReadable(clientsIndex) || receiveFromClients()
            if let journalIndex, polled.isReadable(journalIndex) { receiveFromJournal() }
            if polled.isReadable(signalIndex) { receiveSignals() }
            if let handshakesIndex, polled.isReadable(handshakesIndex) { try answerHandshakes() }
            let now = MonotonicClock.now()
            backlog.note(isUpToDate: isUpToDate, at: now)
            clientBacklog.note(isUpToDate: hasHeardClients, at: now)
            if look != nil, nextLook <= now, !backlog.isExcuse(at: now), !clientBacklog.isExcuse(at: now) {
                try endMessagesWithoutEnd()
                nextLook = now + Self.lookInterval
            }
            if !backlog.isExcuse(at: now), let next = core.nextDeadline, next <= now { handle(.deadline, at: now) }
            if let drainEnds, drainEnds <= now { handle(.abandon, at: now) }
        }
        journal?.close()
        logger.info("router has drained")
    }

    // MARK: Receiving

    /// - Returns: whether everything that had arrived was read.
    private func receiveFromClients() throws -> Bool {
        for _ in 0..<Self.messagesPerTurn {
            let (token, message) = pending.vacancy()
            guard try clients.socket.receive(into: message, maxFrames: Limits.clientMessageFrames) else { return true }
            clients.noteDelivery(of: message)
            if RequestFrames.isProbe(BehindRoutingID(message: message), dropped: message.droppedFrames) { continue }
            let connection = try connection(of: message)
            handle(event(for: message, token, connection), at: MonotonicClock.now())
            if let connection, !clients.isOpen(connection.descriptor) { clientsGone([token]) }
        }
        return false
    }

    private func event(
        for message: Message, _ token: RouterCore.Token, _ connection: Pending.Connection?
    ) -> RouterCore.Event {
        let frames: RequestFrames
        do {
            frames = try RequestFrames.locate(in: BehindRoutingID(message: message), dropped: message.droppedFrames)
        } catch {
            pending.occupy(
                token,
                Pending.Request(
                    echoedFrames: 1 + error.envelopeCount, form: error.form, image: nil, connection: connection))
            return .malformedRequest(token, id: nil, error.error)
        }
        let image = frames.image.map { $0 + 1 }
        pending.occupy(
            token,
            Pending.Request(
                echoedFrames: 1 + frames.envelopeCount, form: frames.form, image: image, connection: connection))
        var header = RequestHeader(verb: .classify)
        if let index = frames.header {
            let decoded = message.withBytes(at: index + 1) { bytes in
                Result { () throws(RequestHeader.Refused) in try RequestHeader.decode(bytes) }
            }
            switch decoded {
            case .success(let read): header = read
            case .failure(let refused): return .malformedRequest(token, id: refused.id, refused.error)
            }
        }
        if header.id == nil, header.verb == .classify {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            header.id = RequestID.make(nanoseconds: nanoseconds, random: &random)
        }
        let imageBytes = image.map { message.byteCount(at: $0) }
        return .request(
            token, header, imageBytes: imageBytes, sha256: digest(of: image, in: message, header),
            totalBytes: message.totalBytes, from: asker(of: message))
    }

    /// The image's SHA-256, which an idempotency key stands for; nil without a key, and of an image that is not taken.
    private func digest(of image: Int?, in message: Message, _ header: RequestHeader) -> [UInt8]? {
        guard let image, header.verb == .classify, header.idempotencyKey != nil,
            message.byteCount(at: image) <= settings.imageBytes
        else { return nil }
        return message.withBytes(at: image) { SHA256.digest(of: $0) }
    }

    /// - Returns: whether everything that had arrived was read.
    private func receiveFromWorkers() throws -> Bool {
        for _ in 0..<Self.messagesPerTurn {
            guard try workers.socket.receive(into: incoming, maxFrames: Limits.workerMessageFrames) else { return true }
            workers.noteDelivery(of: incoming)
            // Without a peer: only one that chose its own routing id can have another one, and workers choose none.
            guard let peer = Self.peer(incoming), incoming.count == 2, incoming.droppedFrames == 0 else {
                handle(.malformedMessage, at: MonotonicClock.now())
                continue
            }
            if let authenticator, authenticator.sender(of: incoming, in: .workers) == nil {
                // Its key was taken out of the list. If it was a worker, its jobs go to others at once.
                handle(.lost(peer, .revoked), at: MonotonicClock.now())
                continue
            }
            let decoded = incoming.withBytes(at: 1) { bytes in
                Result { () throws(MalformedMessage) in try WorkerMessage.decode(bytes) }
            }
            guard case .success(let message) = decoded else {
                handle(.malformedMessage, at: MonotonicClock.now())
                continue
            }
            let now = MonotonicClock.now()
            if case .hello(let hello) = message {
                try noteConnection(of: peer, incoming.sourceDescriptor)
                logger.info(
                    "worker said hello",
                    metadata: ["worker": "\(hello.worker)", "model": "\(hello.model)", "credit": "\(hello.credit)"])
            }
            handle(.worker(peer, message), at: now)
        }
        return false
    }

    private func receiveFromJournal() {
        for mail in journal?.mail.drain() ?? [] {
            let now = MonotonicClock.now()
            switch mail {
            case .persisted(let job, let outcome): handle(.persisted(job: job, .init(outcome)), at: now)
            case .recorded(let job, let failure): handle(.recorded(job: job, failure: failure), at: now)
            case .found(let token, let found): handle(.found(token, .init(found)), at: now)
            case .recovered(let jobs):
                logger.info("journal is open", metadata: ["unfinished": "\(jobs.count)"])
                for job in jobs {
                    let token = pending.adopt(job.image)
                    let event = RouterCore.Event.recovered(
                        token, job: job.job, job.header, key: job.key, sha256: job.sha256, bytes: job.image.byteCount)
                    handle(event, at: now)
                }
            case .failing(let reason):
                journalFailure = reason
                logger.error("journal fails, durable jobs are refused", metadata: ["reason": "\(reason)"])
            case .working:
                journalFailure = nil
                logger.info("journal works again")
            }
        }
    }

    private func receiveSignals() {
        while let signal = signals.receive() {
            if signal == .hangUp {
                reloadAllowList()
                continue
            }
            let now = MonotonicClock.now()
            if drainEnds != nil {
                handle(.abandon, at: now)
            } else {
                logger.info("router is draining", metadata: ["jobs": "\(core.jobsInHand)"])
                drainEnds = now + settings.drainTime
                handle(.drain, at: now)
            }
        }
    }

    // MARK: Keys

    private func asker(of message: Message) -> Asker {
        guard let authenticator else {
            return Asker(.connection(Self.sender(of: message)), .operator)
        }
        guard let sender = authenticator.sender(of: message, in: .clients) else { return Asker(.key(""), .none) }
        return Asker(.key(sender.name), Asker.Rights(sender.role))
    }

    private func answerHandshakes() throws {
        let refused = try authenticator?.answer(atMost: Self.handshakesPerTurn) ?? 0
        if let count = unlistedKeys.take(refused, at: MonotonicClock.now()) {
            logger.warning("connections were refused: unlisted key", metadata: ["count": "\(count)"])
        }
    }

    private func reloadAllowList() {
        guard let keys = settings.keys else { return }
        do {
            authenticator?.replace(try KeyFolder(keys).allowList())
            logger.info("allow-list was read again")
        } catch {
            logger.error("allow-list cannot be used, the old one stays", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Connections

    /// The connection that a client's message came on; nil if libzmq does not tell.
    private func connection(of message: Message) throws -> Pending.Connection? {
        guard let descriptor = message.sourceDescriptor.map(ConnectionDescriptor.init) else { return nil }
        let connection = Pending.Connection(descriptor: descriptor, sender: Self.sender(of: message))
        // Another sender on this descriptor is a newer connection, and the end of the older one is still to be read. One that
        // chose its own routing id looks the same on its newer connection.
        let isNamed = message.withBytes(at: 0) { $0.first != 0 }
        if isNamed || senderOn[descriptor] != connection.sender {
            try readConnectionEvents()
            if clients.isOpen(descriptor) { senderOn[descriptor] = connection.sender }
        }
        return connection
    }

    private func clientsGone(_ tokens: Set<RouterCore.Token>) {
        pending.disconnect(tokens)
        handle(.clientsGone(tokens), at: MonotonicClock.now())
    }

    /// A number that stands for the routing id of a client's message.
    private static func sender(of message: Message) -> Int {
        message.withBytes(at: 0) { bytes in
            var hasher = Hasher()
            hasher.combine(bytes: bytes)
            return hasher.finalize()
        }
    }

    /// libzmq tells of a connection's end by its descriptor; a message tells on which descriptor it came.
    private func noteConnection(of peer: RouterCore.Peer, _ descriptor: Int32?) throws {
        guard let descriptor else { return }
        // The end of an older connection with this descriptor was reported before the newer one could send anything.
        try readConnectionEvents()
        peerOn[ConnectionDescriptor(descriptor)] = peer
    }

    private func readConnectionEvents() throws {
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

    private func endMessagesWithoutEnd() throws {
        // First, and again: what is looked at must be there, and what is found must go.
        try readConnectionEvents()
        let found = clients.look() + workers.look()
        if found > 0 { try readConnectionEvents() }
        if let count = endless.take(found, at: MonotonicClock.now()) {
            logger.warning("connections were ended: message without end", metadata: ["count": "\(count)"])
        }
    }

    // MARK: Acting

    private func handle(_ event: RouterCore.Event, at now: Instant) {
        perform(core.handle(event, at: now))
        while let peer = unreachable.popLast() {
            logger.warning("worker cannot be reached")
            // If its connection has ended, that is the reason.
            try? readConnectionEvents()
            perform(core.handle(.lost(peer, .unreachable), at: now))
        }
    }

    private func perform(_ actions: [RouterCore.Action]) {
        for action in actions {
            switch action {
            case .reply(let token, let reply):
                send(reply, to: token)
                pending.release(token)
            case .acknowledge(let token, let reply): send(reply, to: token)
            case .release(let token): pending.release(token)
            case .persist(let token, let job, let header, let key, let sha256):
                persist(job, header, key: key, sha256: sha256, token)
            case .record(let job, let document): journal?.record(job, document)
            case .find(let token, let id, let principal): journal?.find(id, of: principal, for: token)
            case .send(let peer, let message): send(message, to: peer, image: nil)
            case .dispatch(let peer, let job, let token): send(.job(job), to: peer, image: token)
            case .drained: isDrained = true
            }
        }
    }

    private func send(_ reply: RouterCore.Reply, to token: RouterCore.Token) {
        guard let request = pending.request(token) else { return }
        guard request.isConnected else { return core.noteUndelivered() }
        outgoing.removeAll()
        outgoing.appendFrames(sharing: pending.message(token), 0..<request.echoedFrames)
        if request.form == .version1 { outgoing.append(Limits.magic) }
        switch reply {
        case .result(let document): outgoing.append(document.encoded())
        case .status(var report):
            report.journal = journalReport
            outgoing.append(report.encoded())
        case .models(let report): outgoing.append(report.encoded())
        }
        // A client that is gone, or does not read, loses its reply: nobody else may wait for it.
        do {
            if try clients.socket.send(outgoing) != .sent { core.noteUndelivered() }
        } catch {
            logger.warning("reply could not be sent", metadata: ["error": "\(error)"])
        }
    }

    private var journalReport: StatusReport.Journal? {
        journal.map {
            StatusReport.Journal(
                failure: journalFailure, unfinished: core.jobsUnfinishedOnDisk, bytes: $0.bytes,
                maxBytes: settings.journalBytes)
        }
    }

    private func send(_ message: RouterMessage, to peer: RouterCore.Peer, image token: RouterCore.Token?) {
        outgoing.removeAll()
        outgoing.append(byteCount: Self.routingIDBytes) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: peer.routingID >> (8 * index)) }
        }
        outgoing.append(message.encoded())
        if let token, let image = pending.request(token)?.image {
            outgoing.append(sharing: pending.message(token), at: image)
        }
        let outcome = try? workers.socket.send(outgoing)
        if outcome != .sent { unreachable.append(peer) }
    }

    private func persist(
        _ job: UInt64, _ header: RequestHeader, key: String?, sha256: [UInt8]?, _ token: RouterCore.Token
    ) {
        guard let image = pending.request(token)?.image else { return }
        journal?.persist(job, header, key: key, sha256: sha256, image: pending.message(token).frame(at: image))
    }

    private static func peer(_ message: Message) -> RouterCore.Peer? {
        guard message.count > 0, message.byteCount(at: 0) == routingIDBytes else { return nil }
        let routingID = message.withBytes(at: 0) { bytes in
            bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        return RouterCore.Peer(routingID: routingID)
    }
}

internal import BifronsWire
internal import BifronsZeroMQ
internal import Glibc
internal import Journal
internal import Keyring
package import Logging
internal import Reactor
internal import RouterCore
package import Settings

/// The router's shell: one thread that receives, passes events to the core, and sends.
///
/// `RouterCore` makes every decision. This type turns frames into events and actions into frames, and keeps the
/// messages meanwhile. Images and crops are never copied: workers get the very frame that a client or a locator sent,
/// by reference.
package final class RouterService {
    /// The most messages received from one socket before the others get their turn.
    static let messagesPerTurn = 256
    /// The bytes of a routing id that the ROUTER socket assigns: a zero and a 32-bit number.
    static let routingIDBytes = 5
    /// The most messages that may wait for one worker to read them. Beyond that, the worker counts as lost.
    static let workerHighWater = 1000
    /// The most replies that may wait for one client to read them, besides one for each of `max-jobs`. Further replies
    /// to it are lost.
    static let clientHighWater = 1000
    /// How long replies may take to leave after the last one was sent.
    static let linger = Duration.seconds(1)
    /// A peer whose machine or network is gone loses its connection, and the messages queued for it. TCP detects that,
    /// not libzmq: see ``SocketOptions/heartbeat``.
    static let keepAlive = SocketOptions.KeepAlive(idleSeconds: 10, intervalSeconds: 10, probes: 3)
    static let acknowledgementTimeout = Duration.seconds(40)
    /// The most handshakes judged before messages get their turn.
    static let handshakesPerTurn = 64
    /// The time between two looks for messages without an end.
    static let lookInterval = Duration.milliseconds(100)
    /// How long unread messages put off such a look.
    static let lookPatience = Duration.seconds(1)
    /// The descriptors needed besides those of the allowed connections: the process's own, and those of connections
    /// being ended.
    static let spareDescriptors = 2000

    let settings: RouterSettings
    let logger: Logger
    let context: Context
    var clients: Listener
    var workers: Listener
    /// The authenticator; nil without keys, when everybody may do everything.
    let authenticator: Authenticator?
    var unlistedKeys = RateLimitedLog()
    var crowded = RateLimitedLog()
    var endless = RateLimitedLog()
    let signals: SignalDescriptor
    let journal: Journal?
    /// Why the journal fails; nil while it works.
    var journalFailure: String?

    var core: RouterCore
    var pending = Pending()
    var crops = CropStore()
    /// The workers, by their connections' descriptors.
    var peerOn: [ConnectionDescriptor: RouterCore.Peer] = [:]
    /// The sender of the last message on each client's connection.
    var senderOn: [ConnectionDescriptor: Sender] = [:]
    var random = BufferedRandom()
    var drainEnds: Instant?
    var isDrained = false
    let incoming = Message()
    let outgoing = Message()
    /// Workers to which a message could not be sent. The core learns of them after its actions have been performed.
    var unreachable: [RouterCore.Peer] = []

    /// Reads the ensemble, opens the journal and binds both sockets.
    ///
    /// - Throws: an error that names the file or the endpoint, and what to do.
    package init(settings: RouterSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        // The signals are blocked first, because the threads that libzmq starts inherit the mask.
        signals = try SignalDescriptor(
            settings.keys == nil ? [.terminate, .interrupt] : [.terminate, .interrupt, .hangUp])
        // At the limit of descriptors libzmq would end the process on an ipc connection, and retry a TCP accept in a
        // busy loop.
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
        // With keys, a client could take another's replies by using its routing id.
        options.routerHandover = authenticator == nil
        clients = try Listener(
            settings.clientEndpoint, context: context, options: options,
            bounds: ConnectionGuard.Bounds(
                connections: settings.maxConnections, messageBytes: settings.imageBytes + Limits.frameSlackBytes,
                totalBytes: settings.maxBytes))
        options.routerHandover = false
        options.sendHighWater = Self.workerHighWater
        options.maxMessageSize = Limits.cropSetBytes
        options.ipv6 = settings.workerEndpoint.contains("[")
        options.zapDomain = authenticator.map { _ in Authenticator.Domain.workers.rawValue }
        workers = try Listener(
            settings.workerEndpoint, context: context, options: options,
            bounds: ConnectionGuard.Bounds(
                connections: settings.maxConnections, messageBytes: Limits.workerFrameBytes + settings.maxCropBytes,
                totalBytes: settings.maxBytes))
        let ensemble = try EnsembleFile.load(settings.ensemblePath)
        journal = try settings.journal.map { path in
            try Journal(
                path: path, maxBytes: settings.journalBytes, retention: settings.resultRetention,
                decisionRetention: settings.decisionRetention, personalRetention: settings.personalRetention,
                reviewBytes: settings.reviewBytes, ensemble: ensemble)
        }
        core = RouterCore(
            configuration: RouterCore.Configuration(settings), ensemble: ensemble,
            epochSeed: .random(in: .min ... .max), at: MonotonicClock.now())
    }

    /// Serves until a signal ends it and everything in flight is answered.
    package func run() throws {
        // The stored policies decide from the first job on.
        receiveFromJournal()
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
}

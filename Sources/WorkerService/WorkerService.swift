internal import Keyring
public import Logging
internal import Reactor
public import Settings
internal import Wire
internal import WorkerCore
internal import ZeroMQ

/// The worker's shell: a socket thread (the one that calls `run`), an inference thread, and one that follows names.
///
/// Everything that is decided is decided in `WorkerCore`; this type turns frames into events and actions into frames, and
/// keeps the pictures meanwhile. A picture is never copied: the frame that was received is what the inference thread reads.
public final class WorkerService {
    /// How a worker's life ended.
    public enum End: Sendable {
        /// Everything in hand was answered.
        case drained
        /// The inference thread was not waited for: the drain time was over, a second signal came, or the model was still
        /// being loaded. It is at work yet: leave by `_exit`, which does not take the engine's memory from under it.
        case abandoned
    }

    /// Called on the socket thread when a router has accepted the worker, with that router's endpoint.
    public var onWelcome: ((String) -> Void)?

    private let settings: WorkerSettings
    private let logger: Logger
    private let curve: Curve.Role
    private let signals: SignalDescriptor
    private let inference: InferenceThread
    private var context: Context?
    /// By the core's numbers.
    private var routers: [Router?] = []
    private var polled = PollSet()
    private let lookup: Resolver.Lookup
    /// Nil without names to follow.
    private var resolver: (thread: Resolver, index: Int)?
    /// The endpoints that each name stands for, as far as is known.
    private var resolved: [Resolver.Endpoint: [String]] = [:]
    /// Nil until the model is ready.
    private var core: WorkerCore?
    private var pictures: [WorkerCore.Token: Frame] = [:]
    private var lastToken = 0
    private var isDraining = false
    private var isFinished = false
    private let incoming = Message()
    private let outgoing = Message()

    private struct Router {
        let endpoint: String
        var connection: Connection
        /// The entries of the connection in `polled`.
        var entries: (socket: Int, monitor: Int)
        /// What the router last said why it does not accept the worker: told once, not every five seconds.
        var refusal: String?
    }

    /// Starts to load the model of the settings, on the inference thread.
    public convenience init(settings: WorkerSettings, logger: Logger) throws {
        try self.init(settings: settings, logger: logger) {
            try ModelScorer(settings: settings, logger: logger)
        }
    }

    /// Starts the inference thread, which makes the scorer.
    ///
    /// - Parameter lookup: finds the addresses of a name, as they stand in endpoints; nil: asks the system.
    public init(
        settings: WorkerSettings, logger: Logger, lookup: (@Sendable (_ name: String) throws -> [String])? = nil,
        makeScorer: @escaping @Sendable () throws -> any Scorer
    ) throws {
        self.settings = settings
        self.logger = logger
        self.lookup = lookup ?? Resolver.system
        curve = try settings.keys.map { try KeyFolder($0).client(.worker) } ?? .none
        // Signals first: the threads of libzmq, of the engine and of ours inherit the mask.
        signals = try SignalDescriptor([.terminate, .interrupt])
        context = try Context()
        inference = try InferenceThread(makeScorer: makeScorer)
    }

    /// Serves until a signal has ended it.
    ///
    /// - Throws: ``UnfitModel``, or what the system refused.
    public func run() throws -> End {
        let signalIndex = polled.add(descriptor: signals.descriptor)
        let reportIndex = polled.add(descriptor: inference.reports.descriptor)
        while !isFinished {
            _ = try polled.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: core?.nextDeadline))
            // Sockets before reports: a batch that ends makes room for all that has arrived meanwhile.
            for router in routers.indices { try receive(from: router) }
            if let resolver, polled.isReadable(resolver.index) {
                for report in resolver.thread.reports.drain() { try take(report) }
            }
            if polled.isReadable(reportIndex) { for report in inference.reports.drain() { try take(report) } }
            if polled.isReadable(signalIndex) { try receiveSignals() }
            let now = MonotonicClock.now()
            if let due = core?.nextDeadline, due <= now { try handle(.deadline(progress: inference.progress), at: now) }
        }
        resolver = nil
        // Waits until the last BYE has left.
        routers = []
        context = nil
        guard let core else {
            logger.info("worker was stopped before its model was ready")
            return .abandoned
        }
        guard core.jobsInHand == 0 else {
            logger.warning("worker leaves jobs behind", metadata: ["jobs": "\(core.jobsInHand)"])
            return .abandoned
        }
        inference.end()
        logger.info("worker has drained")
        return .drained
    }

    // MARK: Receiving

    private func receive(from router: WorkerCore.Router) throws {
        guard let connection = routers[router]?.connection else { return }
        var events: [MonitorEvent] = []
        while let event = try connection.monitor.receive() { events.append(event) }
        // All messages before the events: what came before a connection ended belongs to it.
        while try connection.socket.receive(into: incoming, maxFrames: Limits.workerMessageFrames) {
            try take(incoming, router)
        }
        for event in events {
            // The one before may have ended it.
            guard routers[router]?.connection === connection else { return }
            logger.debug("connection", metadata: ["event": "\(event)"])
            let now = MonotonicClock.now()
            switch event.kind {
            case .handshakeSucceeded: try handle(.connected(router), at: now)
            default: try handle(.disconnected(router), at: now)
            }
        }
    }

    private func take(_ message: Message, _ router: WorkerCore.Router) throws {
        let now = MonotonicClock.now()
        let decoded = message.withBytes(at: 0) { bytes in
            Result { () throws(MalformedMessage) in try RouterMessage.decode(bytes) }
        }
        switch decoded {
        case .failure(let malformed):
            logger.warning(
                "message of the router is malformed",
                metadata: [
                    "router": "\(endpoint(of: router))", "reason": "\(malformed.reason)",
                ])
        case .success(let content):
            note(content, router)
            var picture: WorkerCore.Token?
            if message.count > 1 {
                lastToken += 1
                picture = lastToken
                pictures[lastToken] = message.frame(at: 1)
            }
            try handle(.received(router, content, picture: picture), at: now)
        }
    }

    private func note(_ message: RouterMessage, _ router: WorkerCore.Router) {
        let endpoint: Logger.MetadataValue = "\(endpoint(of: router))"
        switch message {
        case .welcome:
            routers[router]?.refusal = nil
            onWelcome?(self.endpoint(of: router))
            logger.info("router accepts the worker", metadata: ["router": endpoint])
        case .resync: logger.warning("router does not know the worker any more", metadata: ["router": endpoint])
        case .bye(let reason):
            guard routers[router]?.refusal != reason else { return }
            routers[router]?.refusal = reason
            logger.warning("router does not accept the worker", metadata: ["router": endpoint, "reason": "\(reason)"])
        case .job, .pong: break
        }
    }

    private func endpoint(of router: WorkerCore.Router) -> String {
        routers[router]?.endpoint ?? "none"
    }

    /// A name that has no answer now keeps the addresses that it had.
    private func take(_ report: Resolver.Report) throws {
        let name = report.endpoint
        switch report.outcome {
        case .found(let endpoints):
            logger.info(
                "name of routers was resolved", metadata: ["name": "\(name.name)", "routers": "\(endpoints)"])
            resolved[name] = endpoints
            if !isDraining { try follow() }
        case .failed(let reason):
            logger.warning(
                "name of routers cannot be resolved", metadata: ["name": "\(name.name)", "reason": "\(reason)"])
        }
    }

    private func take(_ report: InferenceThread.Report) throws {
        let now = MonotonicClock.now()
        switch report {
        case .ready(let identity): try introduce(identity)
        case .unfit(let error): throw UnfitModel(description: "\(error)")
        case .broken(let error): throw error
        case .scored(let token, let regions, let facesFound, let image):
            try handle(.scored(token, regions, facesFound: facesFound, image), at: now)
        case .failed(let token, let error):
            if error.status == .unavailable {
                logger.error("picture could not be scored", metadata: ["error": "\(error.message)"])
            }
            try handle(.failed(token, error), at: now)
        }
    }

    private func receiveSignals() throws {
        while signals.receive() != nil {
            guard core != nil else {
                isFinished = true
                return
            }
            let now = MonotonicClock.now()
            if isDraining {
                try handle(.abandon, at: now)
            } else {
                isDraining = true
                logger.info("worker is draining", metadata: ["jobs": "\(core?.jobsInHand ?? 0)"])
                try handle(.drain, at: now)
            }
        }
    }

    // MARK: Acting

    /// The model is ready: connects to the routers, and begins to follow names.
    private func introduce(_ model: ModelIdentity) throws {
        let bootID = UInt64.random(in: .min ... .max)
        let digits = String(bootID % 0x10000, radix: 16)
        let madeName = model.name + "-" + String(repeating: "0", count: 4 - digits.count) + digits
        let hello = WorkerMessage.Hello(
            model: model.name, version: model.version, digest: model.digest, worker: settings.name ?? madeName,
            credit: 0, bootID: bootID, metrics: model.metrics)
        var configuration = WorkerCore.Configuration(
            hello: hello, routers: 0, maxBatch: settings.maxBatch)
        configuration.drainTime = settings.drainTime
        core = WorkerCore(configuration)
        try follow()
        let names = settings.routers.compactMap(Resolver.Endpoint.init)
        if !names.isEmpty {
            let resolver = try Resolver(names, every: settings.resolveInterval, lookup)
            self.resolver = (resolver, polled.add(descriptor: resolver.reports.descriptor))
        }
        logger.info(
            "worker is ready",
            metadata: [
                "worker": "\(hello.worker)", "model": "\(hello.model)", "version": "\(hello.version)",
                "digest": "\(hello.digest)", "routers": "\(settings.routers)",
            ])
    }

    /// Tells the core which routers there are by now, and connects to those that are new.
    private func follow() throws {
        var listed: Set<String> = []
        for given in settings.routers {
            listed.formUnion(Resolver.Endpoint(given).map { resolved[$0] ?? [] } ?? [given])
        }
        let now = MonotonicClock.now()
        for (index, router) in routers.enumerated() {
            guard let router else { continue }
            try handle(listed.remove(router.endpoint) != nil ? .listed(index) : .unlisted(index), at: now)
        }
        for endpoint in listed.sorted() {
            let connection = try connect(to: endpoint)
            let router = Router(
                endpoint: endpoint, connection: connection,
                entries: (polled.add(connection.socket), polled.add(connection.monitor)))
            let index = routers.firstIndex { $0 == nil } ?? routers.endIndex
            if index == routers.endIndex { routers.append(router) } else { routers[index] = router }
            try handle(.listed(index), at: now)
        }
    }

    private func connect(to endpoint: String) throws -> Connection {
        guard let context else { preconditionFailure("connecting after the end") }
        return try Connection(to: endpoint, context: context, curve: curve, imageBytes: settings.imageBytes)
    }

    private func handle(_ event: WorkerCore.Event, at now: Instant) throws {
        for action in core?.handle(event, at: now) ?? [] {
            switch action {
            case .send(let router, let message): send(message, to: router)
            case .compute(let tokens):
                inference.score(
                    tokens.compactMap { token in
                        pictures.removeValue(forKey: token).map { InferenceThread.Picture(token: token, file: $0) }
                    })
            case .release(let token): pictures[token] = nil
            case .reconnect(let router): try reconnect(router)
            case .leave(let router): leave(router)
            case .finished: isFinished = true
            }
        }
    }

    private func send(_ message: WorkerMessage, to router: WorkerCore.Router) {
        outgoing.removeAll()
        outgoing.append(message.encoded())
        // What cannot be sent has nobody to read it: the end of the connection is about to be told, or silence will tell.
        if (try? routers[router]?.connection.socket.send(outgoing)) != .sent {
            logger.debug("message could not be sent", metadata: ["router": "\(endpoint(of: router))"])
        }
    }

    private func reconnect(_ router: WorkerCore.Router) throws {
        guard let entries = routers[router]?.entries else { return }
        let endpoint = endpoint(of: router)
        logger.warning("router does not answer", metadata: ["router": "\(endpoint)"])
        polled.remove(entries.socket)
        polled.remove(entries.monitor)
        let connection = try connect(to: endpoint)
        routers[router]?.connection = connection
        routers[router]?.entries = (polled.add(connection.socket), polled.add(connection.monitor))
    }

    private func leave(_ router: WorkerCore.Router) {
        guard let entries = routers[router]?.entries else { return }
        logger.info("router is gone", metadata: ["router": "\(endpoint(of: router))"])
        polled.remove(entries.socket)
        polled.remove(entries.monitor)
        routers[router] = nil
    }
}

/// The model cannot be served here: its folder, the engine or the canary's score is not as it should be. One sentence says
/// which, and what to do. Starting again at once would not help.
public struct UnfitModel: Error, CustomStringConvertible {
    /// EX_CONFIG of sysexits.h.
    public static let exitStatus: Int32 = 78

    public let description: String
}

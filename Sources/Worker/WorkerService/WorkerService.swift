internal import BifronsWire
internal import BifronsZeroMQ
internal import Keyring
package import Logging
internal import Reactor
package import Settings
internal import WorkerCore

/// Runs a worker: a socket thread (the caller of `run`), the computing threads, and a thread that resolves names.
///
/// All decisions are made in `WorkerCore`. This class turns frames into events and actions into frames, and keeps the
/// payloads. An image is never copied: a thread decodes the very frame that was received.
package final class WorkerService {
    /// How a worker ended.
    package enum End: Sendable {
        /// All jobs were answered.
        case drained
        /// The threads were not waited for: the drain time was over, a second signal arrived, or the model was still
        /// loading, or banks again. They are still running, so exit with `_exit`, which does not free the engine's
        /// memory while they use it.
        case abandoned
    }

    /// Called on the socket thread with a router's endpoint when that router has accepted the worker.
    package var onWelcome: ((String) -> Void)?
    /// Whether the process enters the sandbox of its settings once the model is ready, before any job. That concerns all
    /// of the process and is for good, so only a program whose work is this service may set it.
    package var entersSandbox = false

    let settings: WorkerSettings
    let logger: Logger
    let curve: Curve.Role
    let signals: SignalDescriptor
    /// Reports from the threads that load and compute.
    let reports: Mailbox<Report>
    private let loader: PlatformThread
    /// The computing threads; nil until the model is ready.
    var threads: Threads?
    var context: Context?
    /// The routers, by their index in the core; nil for a free index.
    var routers: [Router?] = []
    var polled = PollSet()
    let lookup: Resolver.Lookup
    /// The thread that resolves names; nil if no router is given by name.
    var resolver: (thread: Resolver, index: Int)?
    /// The last known endpoints of each name.
    var resolved: [Resolver.Endpoint: [String]] = [:]
    /// The core; nil until the model is ready.
    var core: WorkerCore?
    /// What finds the evidence; nil for a locator or a network, and until it is ready.
    var examiner: (any Examiner)?
    /// Whether a signal has asked for a reload that has not begun.
    var isReloadWanted = false
    /// The thread that reloads; nil when there is none.
    var reloading: PlatformThread?
    /// The payloads of jobs.
    var payloads: [WorkerCore.Token: Frame] = [:]
    /// The crops that were cut out and not sent yet, by the image's token.
    var cut: [WorkerCore.Token: [Frame]] = [:]
    var lastToken = 0
    var isDraining = false
    var isFinished = false
    /// The reason why the worker must stop.
    var refusal: UnfitWorker?
    let incoming = Message()
    let outgoing = Message()

    /// The computing threads: one for each lane of a locator or an evidence worker, one for a network.
    enum Threads {
        case cutting(ComputingThreads<Cutting, Report>)
        case scoring(ComputingThreads<Scoring, Report>)
        case examining(ComputingThreads<Examining, Report>)

        var progress: UInt64 {
            switch self {
            case .cutting(let threads): threads.progress
            case .scoring(let threads): threads.progress
            case .examining(let threads): threads.progress
            }
        }

        /// The processor time that each image in work has used.
        var computed: [WorkerCore.Token: Duration] {
            switch self {
            case .cutting(let threads): threads.computed
            case .scoring: [:]
            case .examining(let threads): threads.computed
            }
        }

        func end() {
            switch self {
            case .cutting(let threads): threads.end()
            case .scoring(let threads): threads.end()
            case .examining(let threads): threads.end()
            }
        }
    }

    struct Router {
        let endpoint: String
        var connection: Connection
        /// The indices of the connection in `polled`.
        var entries: (socket: Int, monitor: Int)
        /// The reason that the router last gave for refusing the worker, so that a repeated one is not logged every
        /// five seconds.
        var refusal: String?
    }

    /// Starts loading the model of the settings.
    ///
    /// - Parameters:
    ///   - settings: The worker's settings.
    ///   - logger: The logger.
    ///   - lookup: Returns the addresses of a name, in the form used in endpoints; nil: asks the system.
    package convenience init(
        settings: WorkerSettings, logger: Logger, lookup: (@Sendable (_ name: String) throws -> [String])? = nil
    ) throws {
        try self.init(settings: settings, logger: logger, lookup: lookup) {
            try HostedModel.load(settings, logger: logger)
        }
    }

    /// Starts a thread that loads the model.
    ///
    /// - Parameters:
    ///   - settings: The worker's settings.
    ///   - logger: The logger.
    ///   - lookup: Returns the addresses of a name, in the form used in endpoints; nil: asks the system.
    ///   - load: Loads the model, on the new thread.
    package init(
        settings: WorkerSettings, logger: Logger, lookup: (@Sendable (_ name: String) throws -> [String])? = nil,
        load: @escaping @Sendable () throws -> HostedModel
    ) throws {
        self.settings = settings
        self.logger = logger
        self.lookup = lookup ?? Resolver.system
        curve = try settings.keys.map { try KeyFolder($0).client(.worker) } ?? .none
        // Signals first, because the threads of libzmq, of the engine and of this program inherit the mask.
        let reloads = try settings.task().reloads
        signals = try SignalDescriptor(reloads ? [.terminate, .interrupt, .hangUp] : [.terminate, .interrupt])
        context = try Context()
        let reports = try Mailbox<Report>()
        self.reports = reports
        loader = try PlatformThread(name: "loading") {
            do {
                reports.post(.ready(try load()))
            } catch {
                reports.post(.unfit(error))
            }
        }
    }

    /// Serves until a signal has ended the worker.
    ///
    /// - Returns: Whether all jobs were answered.
    /// - Throws: ``UnfitWorker``, or an error of the system.
    package func run() throws -> End {
        let signalIndex = polled.add(descriptor: signals.descriptor)
        let reportIndex = polled.add(descriptor: reports.descriptor)
        while !isFinished {
            _ = try polled.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: core?.nextDeadline))
            // Sockets come before reports, so that jobs that have arrived are waiting when a report frees a thread.
            for router in routers.indices { try receive(from: router) }
            if let resolver, polled.isReadable(resolver.index) {
                for report in resolver.thread.reports.drain() { try take(report) }
            }
            if polled.isReadable(reportIndex) { for report in reports.drain() { try take(report) } }
            if polled.isReadable(signalIndex) { try receiveSignals() }
            let now = MonotonicClock.now()
            if let due = core?.nextDeadline, due <= now {
                let progress = threads?.progress ?? 0
                try handle(.deadline(progress: progress, computed: threads?.computed ?? [:]), at: now)
            }
        }
        resolver = nil
        // Waits until the last BYE has been sent.
        routers = []
        context = nil
        if core?.jobsInHand == 0 { threads?.end() }
        if let refusal { throw refusal }
        guard let core else {
            logger.info("worker was stopped before its model was ready")
            return .abandoned
        }
        guard reloading == nil else {
            logger.info("worker exits while it reads its files again")
            return .abandoned
        }
        guard core.jobsInHand == 0 else {
            logger.warning("worker exits with unfinished jobs", metadata: ["jobs": "\(core.jobsInHand)"])
            return .abandoned
        }
        logger.info("worker has drained")
        return .drained
    }
}

/// The worker cannot serve: its model folder, the engine or the canary's score is wrong, or a router runs another
/// release. The description is one sentence that says which, and what to do. Restarting at once would not help, so the
/// process exits with `EX_CONFIG` of sysexits.h.
package struct UnfitWorker: Error, CustomStringConvertible {
    package let description: String
}

internal import BifronsWire
internal import BifronsZeroMQ
internal import Keyring
package import Logging
internal import Reactor
package import Settings
internal import WorkerCore

/// The worker's shell: a socket thread (the one that calls `run`), those that compute, and one that follows names.
///
/// Everything that is decided is decided in `WorkerCore`; this type turns frames into events and actions into frames, and
/// keeps the payloads meanwhile. A picture is never copied: the frame that was received is what a thread decodes.
package final class WorkerService {
    /// How a worker's life ended.
    package enum End: Sendable {
        /// Everything in hand was answered.
        case drained
        /// The threads were not waited for: the drain time was over, a second signal came, or the model was still being
        /// loaded. They are at work yet: leave by `_exit`, which does not take the engine's memory from under them.
        case abandoned
    }

    /// Called on the socket thread when a router has accepted the worker, with that router's endpoint.
    package var onWelcome: ((String) -> Void)?

    let settings: WorkerSettings
    let logger: Logger
    let curve: Curve.Role
    let signals: SignalDescriptor
    /// From the threads that load and compute.
    let reports: Mailbox<Report>
    private let loader: PlatformThread
    /// Nil until the model is ready.
    var threads: Threads?
    var context: Context?
    /// By the core's numbers.
    var routers: [Router?] = []
    var polled = PollSet()
    let lookup: Resolver.Lookup
    /// Nil without names to follow.
    var resolver: (thread: Resolver, index: Int)?
    /// The endpoints that each name stands for, as far as is known.
    var resolved: [Resolver.Endpoint: [String]] = [:]
    /// Nil until the model is ready.
    var core: WorkerCore?
    /// What came behind jobs.
    var payloads: [WorkerCore.Token: Frame] = [:]
    /// What was cut out of pictures and has yet to be sent.
    var cut: [WorkerCore.Token: [Frame]] = [:]
    var lastToken = 0
    var isDraining = false
    var isFinished = false
    /// Why the worker must end.
    var refusal: UnfitWorker?
    let incoming = Message()
    let outgoing = Message()

    /// What computes: a locator's has a thread for each lane, a network's has one.
    enum Threads {
        case cutting(ComputingThreads<Cutting, Report>)
        case scoring(ComputingThreads<Scoring, Report>)

        var progress: UInt64 {
            switch self {
            case .cutting(let threads): threads.progress
            case .scoring(let threads): threads.progress
            }
        }

        /// For how long each picture that is being cut has had a processor.
        var computed: [WorkerCore.Token: Duration] {
            switch self {
            case .cutting(let threads): threads.computed
            case .scoring: [:]
            }
        }

        func end() {
            switch self {
            case .cutting(let threads): threads.end()
            case .scoring(let threads): threads.end()
            }
        }
    }

    struct Router {
        let endpoint: String
        var connection: Connection
        /// The entries of the connection in `polled`.
        var entries: (socket: Int, monitor: Int)
        /// What the router last said why it does not accept the worker: told once, not every five seconds.
        var refusal: String?
    }

    /// Starts to load the model of the settings.
    ///
    /// - Parameter lookup: finds the addresses of a name, as they stand in endpoints; nil: asks the system.
    package convenience init(
        settings: WorkerSettings, logger: Logger, lookup: (@Sendable (_ name: String) throws -> [String])? = nil
    ) throws {
        try self.init(settings: settings, logger: logger, lookup: lookup) {
            try HostedModel.load(settings, logger: logger)
        }
    }

    /// Starts a thread that loads what is to be served, and that ends with that.
    ///
    /// - Parameter lookup: finds the addresses of a name, as they stand in endpoints; nil: asks the system.
    package init(
        settings: WorkerSettings, logger: Logger, lookup: (@Sendable (_ name: String) throws -> [String])? = nil,
        load: @escaping @Sendable () throws -> HostedModel
    ) throws {
        self.settings = settings
        self.logger = logger
        self.lookup = lookup ?? Resolver.system
        curve = try settings.keys.map { try KeyFolder($0).client(.worker) } ?? .none
        // Signals first: the threads of libzmq, of the engine and of ours inherit the mask.
        signals = try SignalDescriptor([.terminate, .interrupt])
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

    /// Serves until a signal has ended it.
    ///
    /// - Throws: ``UnfitWorker``, or what the system refused.
    package func run() throws -> End {
        let signalIndex = polled.add(descriptor: signals.descriptor)
        let reportIndex = polled.add(descriptor: reports.descriptor)
        while !isFinished {
            _ = try polled.wait(milliseconds: MonotonicClock.now().pollMilliseconds(until: core?.nextDeadline))
            // Sockets before reports: what ends makes room for all that has arrived meanwhile.
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
        // Waits until the last BYE has left.
        routers = []
        context = nil
        if core?.jobsInHand == 0 { threads?.end() }
        if let refusal { throw refusal }
        guard let core else {
            logger.info("worker was stopped before its model was ready")
            return .abandoned
        }
        guard core.jobsInHand == 0 else {
            logger.warning("worker leaves jobs behind", metadata: ["jobs": "\(core.jobsInHand)"])
            return .abandoned
        }
        logger.info("worker has drained")
        return .drained
    }
}

/// The worker cannot serve here: its model's folder, the engine or the canary's score is not as it should be, or a router
/// is of another release. One sentence says which, and what to do. Starting again at once would not help.
package struct UnfitWorker: Error, CustomStringConvertible {
    /// EX_CONFIG of sysexits.h.
    package static let exitStatus: Int32 = 78

    package let description: String
}

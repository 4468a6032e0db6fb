internal import BifronsWire

/// A registered worker.
struct Worker {
    /// What results say about the worker that computed them.
    struct Identity {
        var name: String
        var version: String
        var digest: String
    }

    let peer: RouterCore.Peer
    let role: WorkerMessage.Role
    /// The pool that the worker belongs to: an index into ``Ensemble/pools``.
    let pool: Int
    let identity: Identity
    let metrics: [String: Double]
    /// What holds of the worker's sandbox; nil if it has entered none.
    let sandbox: WorkerMessage.Sandbox?
    let epoch: UInt64
    /// Identifies the worker's process, which has at most one registration.
    let bootID: UInt64
    /// The most jobs that the worker takes at a time.
    var credit: Int
    var inFlight: Set<JobID> = []
    var isDraining = false
    /// Whether the worker gets no job before a suspect that waits for it to become idle.
    var isReserved = false
    /// Whether the only job in flight is a suspect.
    var isOnTrial = false
    var lastHeard: Instant
    var progress: UInt64 = 0
    /// When the worker last made progress, or got a job while idle.
    var stuckSince: Instant
    var scored = 0
    var failed = 0
    /// A histogram of the milliseconds that its answers took to compute.
    var compute = StatusReport.Histogram.ofMilliseconds

    /// The number of further jobs that the worker may get; 0 if it is draining, reserved or on trial.
    var freeCredit: Int { isDraining || isReserved || isOnTrial ? 0 : max(0, credit - inFlight.count) }

    var load: Roster.Load {
        Roster.Load(workers: isDraining ? 0 : 1, credit: isDraining ? 0 : credit, inFlight: inFlight.count)
    }
}

extension Roster {
    /// The total load of one pool's workers.
    struct Load {
        /// The number of workers that are not draining.
        var workers = 0
        /// The total credit of the workers that are not draining.
        var credit = 0
        /// The jobs in flight of all workers, draining ones included.
        var inFlight = 0

        /// Whether every worker has one batch in hand and another one ahead, counting the waiting jobs. A worker's
        /// credit covers two batches. Without a worker there is no backlog to measure, whatever waits.
        func isBacklogged(waiting: Int) -> Bool {
            workers > 0 && (waiting > 0 || inFlight > credit / 2)
        }

        static func += (sum: inout Self, other: Self) {
            sum.workers += other.workers
            sum.credit += other.credit
            sum.inFlight += other.inFlight
        }

        static func -= (sum: inout Self, other: Self) {
            sum.workers -= other.workers
            sum.credit -= other.credit
            sum.inFlight -= other.inFlight
        }
    }
}

/// Which workers of a pool can do a step.
enum Fitness {
    /// Every worker: all do the same.
    case all
    /// Locators that cut by this preprocessing version.
    case cutting(preprocessing: UInt16)
    /// Networks' workers that can score one of these crops.
    case scoring(KeptCrops)

    /// Whether the worker can do the step.
    func admits(_ worker: Worker) -> Bool {
        switch self {
        case .all: true
        case .cutting(let preprocessing): worker.role == .locator(preprocessing: preprocessing)
        case .scoring(let cut): cut.frame(for: worker) != nil
        }
    }
}

internal import BifronsWire

/// A registered worker.
struct Worker {
    /// What results tell of the worker that computed them.
    struct Identity {
        var name: String
        var version: String
        var digest: String
    }

    let peer: RouterCore.Peer
    let role: WorkerMessage.Role
    /// Which workers it is one of: see ``Ensemble/pools``.
    let pool: Int
    let identity: Identity
    let metrics: [String: Double]
    let epoch: UInt64
    /// The life of the worker's process, of which it has one registration.
    let bootID: UInt64
    /// The most jobs that the worker takes at a time.
    var credit: Int
    var inFlight: Set<JobID> = []
    var isDraining = false
    /// Whether it gets no other job before a suspect that waits for it to be idle.
    var isReserved = false
    /// Whether a suspect is the one job in its hands.
    var isOnTrial = false
    var lastHeard: Instant
    var progress: UInt64 = 0
    /// Since when the worker has had jobs in hand without getting on.
    var stuckSince: Instant
    var scored = 0
    var failed = 0
    /// Milliseconds that each score took.
    var compute = StatusReport.Histogram.ofMilliseconds

    var freeCredit: Int { isDraining || isReserved || isOnTrial ? 0 : max(0, credit - inFlight.count) }

    var load: Roster.Load {
        Roster.Load(workers: isDraining ? 0 : 1, credit: isDraining ? 0 : credit, inFlight: inFlight.count)
    }
}

extension Roster {
    /// What the workers of one pool have in hand.
    struct Load {
        /// Those that take jobs, and the credit of these.
        var workers = 0
        var credit = 0
        /// Jobs in the hands of all.
        var inFlight = 0

        /// Whether, together with so many that wait, every worker has a batch in hand and another one to go on with: credit
        /// is for two. Without a worker what waits says nothing of how fast workers are.
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
    /// Every one: all do the same.
    case all
    /// Locators that cut by this version of preprocessing.
    case cutting(preprocessing: UInt16)
    /// Networks that want what was cut.
    case scoring(KeptCrops)

    func admits(_ worker: Worker) -> Bool {
        switch self {
        case .all: true
        case .cutting(let preprocessing): worker.role == .locator(preprocessing: preprocessing)
        case .scoring(let cut): cut.frame(for: worker) != nil
        }
    }
}

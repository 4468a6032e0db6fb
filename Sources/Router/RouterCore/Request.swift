internal import BifronsWire

/// A job of a worker: a request's serial number and which of its steps, in one number for the wire.
struct JobID: Hashable, Comparable {
    /// Enough for the first step and one for each of `Ensemble.maxModels`.
    private static let stepBits: UInt64 = 4

    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(serial: UInt64, step: Int) {
        rawValue = serial << Self.stepBits | UInt64(step)
    }

    var serial: UInt64 { rawValue >> Self.stepBits }
    var step: Int { Int(rawValue & (1 << Self.stepBits - 1)) }

    static func < (left: JobID, right: JobID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One request that has no answer yet.
///
/// A class, because the ledger is asked for it many times a job, and each copy of a struct would count references to all
/// of its parts.
final class Request {
    /// The index of the step in which a locator cuts the picture.
    static let locating = 0

    let token: RouterCore.Token
    let header: RequestHeader
    let principal: Principal
    /// The header's idempotency key, as the table knows it.
    let key: ScopedKey?
    /// What that stands for; nil without a key.
    let content: KeyedContent?
    /// What its message holds until the reply.
    let bytes: Int
    let received: Instant
    let deadline: Instant
    /// The locating step, and behind it one for each model asked for, in the ensemble's order.
    var steps: [Step]
    /// Steps of models that have not ended.
    var unsettled: Int
    private(set) var phase = Phase.admitted
    /// What the locator that has the picture in hand is to cut.
    var asked: [CropSpecification] = []
    /// Bytes of crops that may come of that.
    var reservedBytes = 0
    /// What was cut out of the picture, at last.
    var cut: KeptCrops?
    /// Whether the picture is cut, or was, a second time, because the networks had changed.
    var isCutAgain = false
    /// Workers that the first cutting was handed to, once there is a second one.
    var earlierAttempts = 0
    /// The journal's number for a durable job.
    let job: UInt64?
    /// Whether the job is on disk.
    var isJournalled = false
    /// Whether the client has its reply already, because the job is on disk: the result is for the journal.
    var isAcknowledged = false
    /// Whether it comes from an earlier life of the router: then its workers may still be on their way.
    var isRecovered = false

    /// - Parameters:
    ///   - sha256: of the image, if there is an idempotency key.
    ///   - pools: of the locators, and behind it of the models asked for.
    init(
        token: RouterCore.Token, header: RequestHeader, principal: Principal = .anybody, sha256: [UInt8]? = nil,
        bytes: Int,
        received: Instant, pools: [Int], job: UInt64? = nil
    ) {
        key = header.idempotencyKey.map { ScopedKey(jobOwner: principal.jobOwner, key: $0) }
        content = key.map { _ in KeyedContent(header, sha256: sha256) }
        self.token = token
        self.job = job
        self.header = header
        self.principal = principal
        self.bytes = bytes
        self.received = received
        deadline = received + .milliseconds(header.budgetMilliseconds)
        steps = pools.map { Step(pool: $0) }
        unsettled = pools.count - 1
    }

    /// The indices of the models' steps.
    var scoring: Range<Int> { 1..<steps.count }

    /// Until when the picture is not cut before it is known what all models want.
    var patience: Instant { received + (deadline - received) / 2 }

    /// Bytes that the crops may have which are asked for.
    var askedBytes: Int { asked.reduce(0) { $0 + $1.mostBytes } }

    /// Bytes of the crops that are kept for it.
    var cutBytes: Int { cut.map { $0.isKept ? $0.bytes : 0 } ?? 0 }

    func settle(_ index: Int, _ state: Step.State) {
        steps[index].state = state
        if index != Self.locating { unsettled -= 1 }
    }

    func advance(to next: Phase) {
        assert(phase < next, "a request that is \(phase) cannot become \(next)")
        phase = next
    }

    /// Where a request is between its admission and its end. It only moves forward:
    ///
    ///     admitted ─┬─ following ─┬─ computing ─┬─ recording ─┬─ ended
    ///               └─────────────┴─────────────┴─────────────┘
    enum Phase: Int, Comparable {
        /// It has come in; a durable job is being written to the journal.
        case admitted
        /// Another request with the same idempotency key computes the result.
        case following
        /// Its steps wait for workers, or workers have them in hand.
        case computing
        /// The journal has its result in hand, and a client waits until that is on disk.
        case recording
        /// The client, or the journal alone, has the result.
        case ended

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }
}

/// What a locator cut out of a picture.
final class KeptCrops {
    /// The driver's name for the frames.
    let token: RouterCore.CropsToken
    /// Of each frame.
    let specifications: [CropSpecification]
    let crops: WorkerMessage.Crops
    /// Bytes of all frames.
    let bytes: Int
    let worker: Worker.Identity
    /// When it came.
    let at: Instant
    /// Whether its frames have not been let go.
    var isKept = true

    init(
        token: RouterCore.CropsToken, specifications: [CropSpecification], crops: WorkerMessage.Crops, bytes: Int,
        worker: Worker.Identity, at now: Instant
    ) {
        self.token = token
        self.specifications = specifications
        self.crops = crops
        self.bytes = bytes
        self.worker = worker
        at = now
    }

    /// The frame that a worker can score; nil if there is none.
    func frame(for worker: Worker) -> Int? {
        guard case .network(let specification) = worker.role else { return nil }
        return specifications.firstIndex(of: specification)
    }
}

/// What a request needs of one pool of workers.
struct Step {
    enum State {
        /// Not wanted yet: another request with the same idempotency key may do, or the crops are not there.
        case held
        /// In the pool's waiting queue.
        case waiting
        case running
        /// Two workers seem to have died with it: it is judged when neither has come back until then.
        case confirming(until: Instant)
        /// The locating step is done.
        case cut
        /// Of crops that may not be the request's last ones.
        case scored(WorkerMessage.Score, KeptCrops, frame: Int, worker: Worker.Identity, at: Instant)
        case failed(WireError)
    }

    /// Whose workers do it: see ``Ensemble/pools``.
    let pool: Int
    var state = State.held
    /// Workers that the step was handed to.
    var attempts = 0
    /// What the worker at it has of the picture: a frame of this cut.
    var given: (cut: KeptCrops, frame: Int)?
    /// A worker that failed at it; the next try is another's.
    var avoids: RouterCore.Peer?
    /// How workers were lost that had it in hand.
    var losses: [RouterCore.Loss] = []
    /// The boot ids of those whose connection ended and that have not come back.
    var deaths: [UInt64] = []
    /// When it has waited long enough for its pool to have a worker; nil: no longer than the budget.
    var workerBy: Instant?

    init(pool: Int) {
        self.pool = pool
    }

    /// Whether a worker may have died of it.
    var isSuspect: Bool { losses.contains(.connectionEnded) }

    var isHeld: Bool { if case .held = state { true } else { false } }
    var isWaiting: Bool { if case .waiting = state { true } else { false } }

    var isSettled: Bool {
        switch state {
        case .held, .waiting, .running, .confirming: false
        case .cut, .scored, .failed: true
        }
    }
}

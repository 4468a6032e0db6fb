internal import BifronsWire

/// A worker's job: the request's serial number and the index of one of its steps, packed into one number for the wire.
struct JobID: Hashable, Comparable {
    /// The bits of the step index: enough for the locating step and one step for each of `Ensemble.maxModels` and for
    /// each kind of evidence.
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

/// A request without an answer.
///
/// This is a class because the table of requests looks it up many times per job, and each copy of a struct would count the
/// references of all its members.
final class Request {
    /// The index of the locating step, in which a locator cuts crops out of the image.
    static let locating = 0

    let token: RouterCore.Token
    let header: RequestHeader
    let principal: Principal
    /// The header's idempotency key, scoped to its owner; nil without one.
    let key: ScopedKey?
    /// The content that the idempotency key stands for; nil without a key.
    let content: KeyedContent?
    /// The bytes that the request's message holds until the reply.
    let bytes: Int
    let received: Instant
    let deadline: Instant
    /// The locating step, followed by one step for each requested model in the ensemble's order (for none, if only
    /// evidence is asked for), and one for each kind of evidence.
    var steps: [Step]
    /// The indices of the models' steps.
    let scoring: Range<Int>
    /// The number of models' steps that are not settled.
    private(set) var unsettled: Int
    /// The number of steps of evidence that are not settled.
    private(set) var unexamined: Int
    /// Until when the request waits for evidence; nil before all models' steps are settled.
    var evidenceBy: Instant?
    private(set) var phase = Phase.admitted
    /// The crops that the locator with the image in flight has to cut.
    var asked: [CropSpecification] = []
    /// The bytes reserved for the crops of the locating step in flight.
    var reservedBytes = 0
    /// The crops that a locator has cut; nil until then.
    var cut: KeptCrops?
    /// Whether the image is being cut, or was cut, a second time because the networks' specifications changed.
    var isCutAgain = false
    /// The number of workers that the first locating step was dispatched to; 0 unless the image is cut a second time.
    var earlierAttempts = 0
    /// The router's number for the request, which the decision ledger uses, too.
    let number: UInt64
    /// The journal's number of a durable job; nil for other jobs.
    var job: UInt64? { header.durable ? number : nil }
    /// Whether the job is on disk.
    var isJournalled = false
    /// Whether the client already has its reply, because the job is on disk. The result then goes to the journal only.
    var isAcknowledged = false
    /// What the request scores for comparison; nil for a client's request.
    var shadow: ShadowTask?
    /// Whether the job comes from an earlier run of the router. Its workers may not have reconnected yet.
    var isRecovered = false

    /// - Parameters:
    ///   - sha256: the image's digest, present with an idempotency key.
    ///   - pools: the locators' pool, followed by the pools of the requested models.
    ///   - examiners: the pools of the evidence workers.
    init(
        token: RouterCore.Token, header: RequestHeader, principal: Principal = .anybody, sha256: [UInt8]? = nil,
        bytes: Int,
        received: Instant, pools: [Int], examiners: Range<Int> = 0..<0, number: UInt64 = 0
    ) {
        key = header.idempotencyKey.map { ScopedKey(jobOwner: principal.jobOwner, key: $0) }
        content = key.map { _ in KeyedContent(header, sha256: sha256) }
        self.token = token
        self.number = number
        self.header = header
        self.principal = principal
        self.bytes = bytes
        self.received = received
        deadline = received + .milliseconds(header.budgetMilliseconds)
        steps = (pools + examiners).map { Step(pool: $0) }
        scoring = 1..<pools.count
        // Without models, nothing needs crops.
        if scoring.isEmpty { steps[Self.locating].state = .cut }
        unsettled = scoring.count
        unexamined = examiners.count
    }

    /// The indices of the steps of evidence.
    var examining: Range<Int> { scoring.upperBound..<steps.count }

    /// Until when the image waits to be cut because some models' specifications are unknown: half of the budget.
    var patience: Instant { received + (deadline - received) / 2 }

    /// The most bytes that the crops in `asked` may take.
    var askedBytes: Int { asked.reduce(0) { $0 + $1.mostBytes } }

    /// The bytes of the crops kept for the request; 0 once they are released.
    var cutBytes: Int { cut.map { $0.isKept ? $0.bytes : 0 } ?? 0 }

    /// Sets the final state of a step.
    func settle(_ index: Int, _ state: Step.State) {
        steps[index].state = state
        if scoring.contains(index) { unsettled -= 1 }
        if examining.contains(index) { unexamined -= 1 }
    }

    /// Moves the request to a later phase.
    func advance(to next: Phase) {
        assert(phase < next, "a request that is \(phase) cannot become \(next)")
        phase = next
    }

    /// The phase of a request between its admission and its end. It only moves forward:
    ///
    ///     admitted ─┬─ following ─┬─ computing ─┬─ recording ─┬─ ended
    ///               └─────────────┴─────────────┴─────────────┘
    enum Phase: Int, Comparable {
        /// The request is admitted. A durable job is being written to the journal.
        case admitted
        /// Another request with the same idempotency key computes the result.
        case following
        /// The request's steps wait for workers or are in flight.
        case computing
        /// The journal is writing the result, and a client waits until that is on disk.
        case recording
        /// The client has the result, or the journal alone does.
        case ended

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }
}

/// The crops that a locator cut out of an image.
final class KeptCrops {
    /// The driver's token for the frames.
    let token: RouterCore.CropsToken
    /// The specification of each frame, in order.
    let specifications: [CropSpecification]
    let crops: WorkerMessage.Crops
    /// The total bytes of all frames.
    let bytes: Int
    let worker: Worker.Identity
    /// When the crops arrived.
    let at: Instant
    /// Whether the frames are still kept.
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

    /// Returns the index of the frame that the worker can score, or nil if none fits.
    func frame(for worker: Worker) -> Int? {
        guard case .network(let specification) = worker.role else { return nil }
        return specifications.firstIndex(of: specification)
    }
}

/// What a request needs from one pool of workers.
struct Step {
    /// The most workers that a step is dispatched to.
    static let maxAttempts = 2

    enum State {
        /// The step is not queued: another request with the same idempotency key may provide the result, or the crops
        /// are missing.
        case held
        /// The step is in the pool's waiting queue.
        case waiting
        /// A worker has the step in flight.
        case running
        /// Two workers seem to have died with the step. It is quarantined at `until` if neither has come back.
        case confirming(until: Instant)
        /// The locating step has succeeded.
        case cut
        /// A worker scored these crops, which may not be the request's last ones.
        case scored(WorkerMessage.Score, KeptCrops, frame: Int, worker: Worker.Identity, at: Instant)
        /// A worker has found this evidence.
        case examined(EvidenceReport)
        /// The step has failed for good.
        case failed(WireError)
    }

    /// The pool whose workers do the step: an index into ``Ensemble/pools``.
    let pool: Int
    var state = State.held
    /// The number of workers that the step was dispatched to.
    var attempts = 0
    /// The crops that the step's worker was given, and the index of the frame among them.
    var given: (cut: KeptCrops, frame: Int)?
    /// A worker that failed the step: the retry avoids it.
    var avoids: RouterCore.Peer?
    /// How the workers that had the step in flight were lost.
    var losses: [RouterCore.Loss] = []
    /// The boot ids of the workers whose connection ended with the step in flight and that have not come back.
    var deaths: [UInt64] = []
    /// Until when the step waits for its pool to have a worker; nil: until the budget ends.
    var workerBy: Instant?

    init(pool: Int) {
        self.pool = pool
    }

    /// Whether a worker may have died of the step.
    var isSuspect: Bool { losses.contains(.connectionEnded) }

    var isHeld: Bool { if case .held = state { true } else { false } }
    var isWaiting: Bool { if case .waiting = state { true } else { false } }
    var isRunning: Bool { if case .running = state { true } else { false } }

    var isSettled: Bool {
        switch state {
        case .held, .waiting, .running, .confirming: false
        case .cut, .scored, .examined, .failed: true
        }
    }
}

extension ResultDocument {
    /// Creates the answer to a request, with its id and metadata.
    init(to header: RequestHeader, status: Status) {
        self.init(id: header.id, status: status)
        metadata = header.metadata
    }

    /// Creates the answer to a request that failed, with its id and metadata.
    init(to header: RequestHeader, error: WireError) {
        self.init(id: header.id, error: error)
        metadata = header.metadata
    }
}

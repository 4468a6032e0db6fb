internal import Wire

/// A job of a model: a request's serial number and which of its tasks, in one number for the wire.
struct JobID: Hashable, Comparable {
    /// `Ensemble.maxModels` is a power of two.
    private static let taskBits = UInt64(Ensemble.maxModels.trailingZeroBitCount)

    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(serial: UInt64, task: Int) {
        rawValue = serial << Self.taskBits | UInt64(task)
    }

    var serial: UInt64 { rawValue >> Self.taskBits }
    var task: Int { Int(rawValue & (1 << Self.taskBits - 1)) }

    static func < (left: JobID, right: JobID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// One request that has no answer yet.
///
/// A class, because the ledger is asked for it many times a job, and each copy of a struct would count references to all
/// of its parts.
final class Request {
    let token: RouterCore.Token
    let header: RequestHeader
    let asker: Asker
    /// The header's idempotency key, as the table knows it.
    var key: String? { header.idempotencyKey.map { asker.scoped($0) } }
    /// What its message holds until the reply.
    let bytes: Int
    let received: Instant
    let deadline: Instant
    /// One for each model asked for, in the ensemble's order.
    var tasks: [Task]
    var unsettled: Int
    var image: ImageInformation?
    /// The journal's number for a durable job.
    let job: UInt64?
    /// Whether the job is on disk.
    var isJournalled = false
    /// Whether the client has got its reply; what follows is for the journal.
    var isAnswered = false
    /// Whether it comes from an earlier life of the router: then its workers may still be on their way.
    var isRecovered = false

    init(
        token: RouterCore.Token, header: RequestHeader, asker: Asker = .anybody, bytes: Int, received: Instant,
        tasks: [Task], job: UInt64? = nil
    ) {
        self.token = token
        self.job = job
        self.header = header
        self.asker = asker
        self.bytes = bytes
        self.received = received
        deadline = received + .milliseconds(header.budgetMilliseconds)
        self.tasks = tasks
        unsettled = tasks.count
    }

    func settle(_ index: Int, _ state: Task.State) {
        tasks[index].state = state
        unsettled -= 1
    }
}

/// What a request needs of one model.
struct Task {
    enum State {
        /// Not wanted yet: another request with the same idempotency key may do.
        case held
        /// In the model's waiting queue.
        case waiting
        case running
        /// Two workers seem to have died with it: it is judged when neither has come back until then.
        case confirming(until: Instant)
        case scored(WorkerMessage.Score, worker: Worker.Identity, at: Instant)
        case failed(WireError)
    }

    let model: Int
    var state = State.held
    /// Workers that the job was handed to.
    var attempts = 0
    /// A worker that failed at the job; the next try is another's.
    var avoids: RouterCore.Peer?
    /// How workers were lost that had the job in hand.
    var losses: [RouterCore.Loss] = []
    /// The boot ids of those whose connection ended and that have not come back.
    var deaths: [UInt64] = []
    /// When it has waited long enough for its model to have a worker; nil: no longer than the budget.
    var workerBy: Instant?

    init(model: Int) {
        self.model = model
    }

    /// Whether a worker may have died of the job.
    var isSuspect: Bool { losses.contains(.connectionEnded) }

    var isSettled: Bool {
        switch state {
        case .held, .waiting, .running, .confirming: false
        case .scored, .failed: true
        }
    }
}

/// The requests without an answer, by serial number.
struct Ledger {
    private var requests: [UInt64: Request] = [:]
    private var serialsByID: [String: UInt64] = [:]
    private var nextSerial: UInt64 = 1
    /// Bytes of the requests' messages.
    private(set) var bytes = 0
    private var loads: [Asker.Identity: Load] = [:]

    /// What one client has in the router.
    struct Load {
        var jobs = 0
        var bytes = 0
    }

    var count: Int { requests.count }
    var isEmpty: Bool { requests.isEmpty }
    /// The serial number of the next request.
    var upcoming: UInt64 { nextSerial }
    var serials: [UInt64] { requests.keys.sorted() }
    /// Durable jobs on disk.
    var journalled: Int { requests.values.count(where: \.isJournalled) }
    var oldest: Instant? { requests.values.lazy.map(\.received).min() }

    func load(of identity: Asker.Identity) -> Load {
        loads[identity] ?? Load()
    }

    func contains(_ serial: UInt64) -> Bool {
        requests[serial] != nil
    }

    func isWaiting(_ job: JobID) -> Bool {
        if case .waiting? = requests[job.serial]?.tasks[job.task].state { true } else { false }
    }

    /// Whether all models of an unfinished request have answered.
    func isSettled(_ serial: UInt64) -> Bool {
        requests[serial]?.unsettled == 0
    }

    /// The unfinished request with this id; the latest, if clients gave several the same.
    func serial(ofID id: String) -> UInt64? {
        serialsByID[id]
    }

    subscript(serial: UInt64) -> Request {
        requests[serial]!
    }

    mutating func add(_ request: Request) -> UInt64 {
        let serial = nextSerial
        nextSerial += 1
        requests[serial] = request
        if let id = request.header.id { serialsByID[id] = serial }
        bytes += request.bytes
        loads[request.asker.identity, default: Load()].jobs += 1
        loads[request.asker.identity]?.bytes += request.bytes
        return serial
    }

    mutating func remove(_ serial: UInt64) -> Request {
        let request = requests.removeValue(forKey: serial)!
        if let id = request.header.id, serialsByID[id] == serial { serialsByID[id] = nil }
        bytes -= request.bytes
        loads[request.asker.identity]?.jobs -= 1
        loads[request.asker.identity]?.bytes -= request.bytes
        if loads[request.asker.identity]?.jobs == 0 { loads[request.asker.identity] = nil }
        return request
    }
}

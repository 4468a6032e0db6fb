internal import BifronsWire

/// Takes jobs from acceptance to answer, including the computation. ``LocatingStage`` and ``ScoringStage`` implement
/// it.
protocol WorkerStage: Sendable {
    /// The number of jobs in flight, including those that nobody waits for but that are still being computed.
    var jobsInHand: Int { get }
    /// Whether some computation is running whose outcome will prove that the threads work.
    var isComputing: Bool { get }
    /// The number of jobs that the routers may send beyond the configured credit.
    var extraCredit: Int { get }
    /// When the stage has something to do, unless another event comes first; nil if nothing is due.
    var nextDeadline: Instant? { get }

    /// Returns the number of jobs whose answers a router waits for.
    func count(of router: WorkerCore.Router) -> Int

    /// Enqueues a job.
    mutating func accept(_ job: Job)
    /// Handles an outcome that a thread reports.
    mutating func take(_ outcome: WorkerCore.Outcome, _ now: Instant) -> StageReport
    /// Checks the running computations when ``nextDeadline`` is reached.
    ///
    /// - Parameter computed: The processor time that each image has used.
    mutating func keepTime(_ computed: [WorkerCore.Token: Duration], _ now: Instant) -> [WorkerCore.Action]
    /// Starts the next computations as far as threads are free.
    mutating func start(_ now: Instant) -> [WorkerCore.Action]

    /// Removes and returns the jobs whose time budget is spent and that are not entirely with the threads yet. The
    /// caller must answer them.
    mutating func removeOverdue(_ now: Instant) -> [Job]
    /// Removes a router's jobs. Running computations for them continue, but nobody waits for them.
    ///
    /// - Returns: The jobs that still have a payload, which the caller must release.
    mutating func remove(of router: WorkerCore.Router) -> [Job]
    /// Removes all jobs.
    ///
    /// - Returns: The jobs that still have a payload, which the caller must release.
    mutating func removeAll() -> [Job]
}

/// The consequences of an ``WorkerCore/Outcome``.
struct StageReport {
    /// The jobs that are done, and their answers.
    var answers: [(job: Job, content: Answer)] = []
    /// The payloads that are no longer needed.
    var released: [WorkerCore.Token] = []
    /// Whether the outcome belongs to a computation that was running.
    var isExpected = false

    static let unexpected = StageReport()
}

/// The answer to a job, without job number and epoch.
enum Answer {
    case crops(WorkerCore.Located, WorkerMessage.Timings)
    case score([WorkerMessage.CropScore], WorkerMessage.Timings)
    case evidence(EvidenceReport, WorkerMessage.Timings)
    case fail(WireError)
}

extension WorkerMessage.Timings {
    init(received: Instant, started: Instant, answered: Instant, batch: Int) {
        self.init(
            queueMicroseconds: Self.microseconds(started - received),
            computeMicroseconds: Self.microseconds(answered - started), batch: UInt16(clamping: batch))
    }

    private static func microseconds(_ duration: Duration) -> UInt32 {
        UInt32(clamping: duration.nanoseconds / 1000)
    }
}

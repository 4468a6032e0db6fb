internal import BifronsWire

/// The jobs of a worker from their acceptance to their answer, and the computing that they need: what ``LocatingStage`` and
/// ``ScoringStage`` do each in their own way.
protocol WorkerStage: Sendable {
    /// Jobs in hand, those that nobody waits for but that are being computed included.
    var jobsInHand: Int { get }
    /// Whether something is being computed that shows, when it is done, that the threads get on.
    var isComputing: Bool { get }
    /// Jobs in hand beyond those that the credit allows for.
    var extraCredit: Int { get }
    /// When the stage has something to do, if nothing else happens before.
    var nextDeadline: Instant? { get }

    /// Jobs whose router waits for them.
    func count(of router: WorkerCore.Router) -> Int

    mutating func accept(_ job: Job)
    /// Takes in what a thread reports.
    mutating func take(_ outcome: WorkerCore.Outcome, _ now: Instant) -> StageReport
    /// Looks at what is being computed, at ``nextDeadline``.
    ///
    /// - Parameter computed: for how long each picture has had a processor.
    mutating func keepTime(_ computed: [WorkerCore.Token: Duration], _ now: Instant) -> [WorkerCore.Action]
    /// Starts what is to be computed next.
    mutating func start(_ now: Instant) -> [WorkerCore.Action]

    /// Gives up the jobs whose budget is spent and that are not wholly with the threads yet; they are to be answered.
    mutating func removeOverdue(_ now: Instant) -> [Job]
    /// Gives up a router's jobs. What of them is being computed is nobody's from now on.
    ///
    /// - Returns: those that still have their payload, to be released.
    mutating func remove(of router: WorkerCore.Router) -> [Job]
    /// Gives up all jobs.
    ///
    /// - Returns: those that still have their payload, to be released.
    mutating func removeAll() -> [Job]
}

/// What follows from an ``WorkerCore/Outcome``.
struct StageReport {
    /// Jobs that are done, and what is to be said to their routers.
    var answers: [(job: Job, content: Answer)] = []
    /// Payloads that are needed no more.
    var released: [WorkerCore.Token] = []
    /// Whether the outcome was of something that was being computed.
    var isExpected = false

    static let unexpected = StageReport()
}

/// The answer to a job, without its address.
enum Answer {
    case crops(WorkerCore.Located, WorkerMessage.Timings)
    case score([WorkerMessage.CropScore], WorkerMessage.Timings)
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

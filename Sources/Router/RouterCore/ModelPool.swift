internal import BifronsWire

/// The pool of one model's workers, of the locators, or of the workers for one kind of evidence: its waiting jobs, its
/// workers and their measured pace.
struct ModelPool {
    /// Histograms of the workers' answers since the router's start.
    struct Timings {
        var compute = StatusReport.Histogram.ofMilliseconds
        var queue = StatusReport.Histogram.ofMilliseconds
        var batch = StatusReport.Histogram.ofBatches
    }

    /// The name of the model, `locator`, or the kind of evidence.
    let name: String
    /// The steps that wait for a worker.
    var queue = WaitingQueue()
    /// The waiting steps that may have killed a worker. Each is tried alone.
    var suspects = WaitingQueue()
    private(set) var timings = Timings()
    private var drainRate = DrainRate()

    /// The workers' slots in the roster. The roster maintains this and the following properties.
    var slots: [Roster.Slot] = []
    /// The total load of the workers, kept as a sum so that it need not be computed for each job.
    var load = Roster.Load()
    /// The specifications of the workers that are not draining. Without such a worker, the last known ones.
    var specifications: [CropSpecification] = []
    /// The index in `slots` after the worker chosen last. The next search begins there, so that equal workers take
    /// turns.
    var turn = 0

    init(name: String) {
        self.name = name
    }

    /// The number of steps that wait for a worker.
    var waiting: Int { queue.count + suspects.count }

    mutating func enqueue(_ entry: WaitingQueue.Entry, isSuspect: Bool, _ requests: RequestTable) {
        if isSuspect {
            suspects.add(entry, requests)
        } else {
            queue.add(entry, requests)
        }
    }

    /// Notes that a waiting step has ended without a dispatch.
    mutating func noteStale(isSuspect: Bool) {
        if isSuspect {
            suspects.noteStale()
        } else {
            queue.noteStale()
        }
    }

    /// Notes after a dispatch whether there is a backlog from now on.
    mutating func noteBacklog(at now: Instant) {
        drainRate.note(isBacklogged: load.isBacklogged(waiting: waiting), at: now)
    }

    /// Notes an answer of one of the workers.
    ///
    /// - Parameter computing: the time that its batch took; nil if that is not known.
    mutating func noteAnswer(computing: Duration?, at now: Instant) {
        drainRate.noteAnswer(workers: load.workers, computing: computing, at: now)
    }

    /// Records the timings of a good answer.
    ///
    /// - Parameter latency: the time from when the step could have begun, by the job's receipt or its crops, to the
    ///   answer.
    mutating func record(_ reported: WorkerMessage.Timings, after latency: Duration) {
        let compute = Double(reported.computeMicroseconds) / 1000
        timings.compute.record(compute)
        timings.queue.record(max(0, latency.milliseconds - compute))
        timings.batch.record(Double(reported.batch))
    }

    /// The jobs per second that the workers complete; nil if not measured yet.
    var perSecond: Double? { drainRate.perSecond(workers: load.workers) }

    /// Returns the expected time until a new job is answered at the current pace; zero without a backlog.
    ///
    /// - Parameter others: the number of jobs that will join this pool before long.
    func expectedTime(behind others: Int = 0) -> Duration {
        let ahead = waiting + others
        guard load.isBacklogged(waiting: ahead) else { return .zero }
        return drainRate.time(behind: ahead + load.inFlight, workers: load.workers) ?? .zero
    }
}

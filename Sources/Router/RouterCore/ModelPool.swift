internal import BifronsWire

/// What the router keeps of one model of the ensemble, or of the locator: the jobs that wait for its workers, which workers these
/// are, and how fast they have been.
struct ModelPool {
    /// The histograms of the workers' answers over the router's life.
    struct Timings {
        var compute = StatusReport.Histogram.ofMilliseconds
        var queue = StatusReport.Histogram.ofMilliseconds
        var batch = StatusReport.Histogram.ofBatches
    }

    /// The model's name, or the locator's.
    let name: String
    /// Jobs that wait for a worker.
    var queue = WaitingQueue()
    /// Jobs that wait and may have killed a worker: each is tried alone.
    var suspects = WaitingQueue()
    private(set) var timings = Timings()
    private var drainRate = DrainRate()

    /// The places of its workers in the roster, which keeps this and what follows.
    var slots: [Roster.Slot] = []
    /// The sum over its workers, which are not looked through for it at each job.
    var load = Roster.Load()
    /// What the workers score that take jobs; without any, what the last ones did.
    var specifications: [CropSpecification] = []
    /// The place in `slots` behind the last worker chosen: the next search begins there, so that equals take turns.
    var turn = 0

    init(name: String) {
        self.name = name
    }

    /// Jobs that no worker has been handed yet.
    var waiting: Int { queue.count + suspects.count }

    mutating func enqueue(_ entry: WaitingQueue.Entry, isSuspect: Bool, _ ledger: Ledger) {
        if isSuspect {
            suspects.add(entry, ledger)
        } else {
            queue.add(entry, ledger)
        }
    }

    /// A waiting job has ended without being handed out.
    mutating func noteStale(isSuspect: Bool) {
        if isSuspect {
            suspects.noteStale()
        } else {
            queue.noteStale()
        }
    }

    /// Jobs were handed out, as far as there was credit: whether there is a backlog from now on.
    mutating func noteBacklog(at now: Instant) {
        drainRate.note(isBacklogged: load.isBacklogged(waiting: waiting), at: now)
    }

    /// One of its workers has answered, after so much time in a batch if that is known.
    mutating func noteAnswer(computing: Duration?, at now: Instant) {
        drainRate.noteAnswer(workers: load.workers, computing: computing, at: now)
    }

    /// One of its workers has given a good answer.
    ///
    /// - Parameter latency: from when the job could have been begun, by its receipt or its crops, to its answer.
    mutating func record(_ reported: WorkerMessage.Timings, after latency: Duration) {
        let compute = Double(reported.computeMicroseconds) / 1000
        timings.compute.record(compute)
        timings.queue.record(max(0, latency.milliseconds - compute))
        timings.batch.record(Double(reported.batch))
    }

    /// Jobs a second that its workers get through; nil as long as nothing is known.
    var perSecond: Double? { drainRate.perSecond(workers: load.workers) }

    /// How long a new job waits for its answer, if all goes on as it does: zero without a backlog.
    ///
    /// - Parameter others: jobs that will wait here before long.
    func expectedTime(behind others: Int = 0) -> Duration {
        let ahead = waiting + others
        guard load.isBacklogged(waiting: ahead) else { return .zero }
        return drainRate.time(behind: ahead + load.inFlight, workers: load.workers) ?? .zero
    }
}

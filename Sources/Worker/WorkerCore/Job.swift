internal import BifronsWire

/// One job that a router sent.
struct Job {
    /// The work that a job asks for.
    enum Task {
        /// Cut crops of these specifications out of an image.
        case locate([CropSpecification])
        /// Score this number of crops.
        case score(crops: Int)
        /// Find evidence about an image.
        case examine
    }

    let token: WorkerCore.Token
    let router: WorkerCore.Router
    /// The router's number for the job.
    let id: UInt64
    let task: Task
    let received: Instant
    /// The instant at which the job's time budget ends.
    let deadline: Instant
}

/// The jobs that wait for a thread, sorted by deadline; jobs with equal deadlines stay in order of arrival.
///
/// The credit limits them to a few hundred, so a sorted array is fast enough.
struct WaitingJobs {
    private(set) var jobs: [Job] = []

    var count: Int { jobs.count }
    var isEmpty: Bool { jobs.isEmpty }
    var earliestDeadline: Instant? { jobs.first?.deadline }

    func count(of router: WorkerCore.Router) -> Int {
        jobs.count { $0.router == router }
    }

    mutating func insert(_ job: Job) {
        // Most jobs have the same budget, so most are inserted at the end.
        let index = jobs.lastIndex { $0.deadline <= job.deadline }.map { $0 + 1 } ?? 0
        jobs.insert(job, at: index)
    }

    /// Returns the index of the first job that can meet its deadline if it starts at an instant; nil if none can.
    ///
    /// Jobs before that index run only when no other job waits, in case the estimated pace is wrong. If they ran first,
    /// they would delay the next job beyond its deadline too, and so on.
    func firstTimely(_ pace: Pace, startingAt start: Instant) -> Int? {
        jobs.firstIndex { pace.units(within: $0.deadline - start) > 0 }
    }

    /// Removes the job at an index and returns it.
    mutating func remove(at index: Int) -> Job {
        jobs.remove(at: index)
    }

    mutating func removeOverdue(_ now: Instant) -> [Job] {
        remove { $0.deadline <= now }
    }

    mutating func remove(of router: WorkerCore.Router) -> [Job] {
        remove { $0.router == router }
    }

    mutating func removeAll() -> [Job] {
        remove { _ in true }
    }

    @discardableResult
    mutating func remove(where isRemoved: (Job) -> Bool) -> [Job] {
        let removed = jobs.filter(isRemoved)
        if !removed.isEmpty { jobs.removeAll(where: isRemoved) }
        return removed
    }
}

/// The average time per image or crop: an exponentially weighted moving average of the measured times.
struct Pace {
    /// The weight of the newest measurement; 0 to 1.
    private static let weight = 0.25

    private var nanosecondsAUnit: Double?

    mutating func note(_ duration: Duration, units: Int) {
        guard units > 0 else { return }
        let sample = Double(duration.nanoseconds) / Double(units)
        nanosecondsAUnit = nanosecondsAUnit.map { $0 + Self.weight * (sample - $0) } ?? sample
    }

    /// Returns how many units can be computed one after another within a time. Before the first measurement any
    /// positive time fits all.
    func units(within slack: Duration) -> Int {
        guard let nanosecondsAUnit, nanosecondsAUnit > 0 else { return slack > .zero ? .max : 0 }
        return Int(min(max(0, Double(slack.nanoseconds) / nanosecondsAUnit), 1e9))
    }

    /// Returns the expected duration of a number of units; nil before the first measurement.
    func duration(of units: Int) -> Duration? {
        nanosecondsAUnit.map { .nanoseconds(Int64($0 * Double(units))) }
    }
}

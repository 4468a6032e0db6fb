internal import BifronsWire

/// What a router asked for.
struct Job {
    /// What is to be done with what came behind the message.
    enum Task {
        /// Cut crops of these specifications out of a picture.
        case locate([CropSpecification])
        /// Score so many crops.
        case score(crops: Int)
    }

    let token: WorkerCore.Token
    let router: WorkerCore.Router
    /// The router's name for it.
    let id: UInt64
    let task: Task
    let received: Instant
    /// When the budget is spent.
    let deadline: Instant
}

/// Jobs that wait to be computed, the earliest deadline first, equals in the order of their arrival.
///
/// At most a few hundred (the worker's credit), so a sorted array it is.
struct WaitingJobs {
    private(set) var jobs: [Job] = []

    var count: Int { jobs.count }
    var isEmpty: Bool { jobs.isEmpty }
    var earliestDeadline: Instant? { jobs.first?.deadline }

    func count(of router: WorkerCore.Router) -> Int {
        jobs.count { $0.router == router }
    }

    mutating func insert(_ job: Job) {
        // Most come with the same budget, so the place is mostly at the end.
        let index = jobs.lastIndex { $0.deadline <= job.deadline }.map { $0 + 1 } ?? 0
        jobs.insert(job, at: index)
    }

    /// The place of the first job that is in time if it is started at an instant; nil if all are too late.
    ///
    /// Those before it limit nobody: they go when nothing else waits, in case the pace is wrong. Going first, they would
    /// make the next one late as well, and so on.
    func firstTimely(_ pace: Pace, startingAt start: Instant) -> Int? {
        jobs.firstIndex { pace.units(within: $0.deadline - start) > 0 }
    }

    /// Takes the job at a place out.
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

/// How fast pictures are cut or crops scored: an exponentially weighted moving average of the time for each.
struct Pace {
    /// The weight of the last measurement.
    private static let weight = 0.25

    private var nanosecondsAUnit: Double?

    mutating func note(_ duration: Duration, units: Int) {
        guard units > 0 else { return }
        let sample = Double(duration.nanoseconds) / Double(units)
        nanosecondsAUnit = nanosecondsAUnit.map { $0 + Self.weight * (sample - $0) } ?? sample
    }

    /// How many can be computed within a time, one after the other, as far as is known.
    func units(within slack: Duration) -> Int {
        guard let nanosecondsAUnit, nanosecondsAUnit > 0 else { return slack > .zero ? .max : 0 }
        return Int(min(max(0, Double(slack.nanoseconds) / nanosecondsAUnit), 1e9))
    }

    /// How long so many are going to take; nil when nothing is known yet.
    func duration(of units: Int) -> Duration? {
        nanosecondsAUnit.map { .nanoseconds(Int64($0 * Double(units))) }
    }
}

internal import Wire

/// A picture to score, and for whom.
struct Job {
    let token: WorkerCore.Token
    let router: WorkerCore.Router
    /// The router's name for it.
    let id: UInt64
    let received: Instant
    /// When the budget is spent.
    let deadline: Instant
}

/// Jobs that wait for the inference thread, the earliest deadline first, equals in the order of their arrival.
///
/// At most a few hundred (the worker's credit), so a sorted array it is.
struct WaitingJobs {
    private var jobs: [Job] = []

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

    /// Takes the next batch: as many jobs as the pace allows without missing the earliest deadline among them.
    ///
    /// A job that is too late even for a batch of its own limits nobody: it goes when nothing else waits, in case the
    /// pace is wrong. Going first, it would make the next one late as well, and so on.
    mutating func take(atMost limit: Int, _ pace: Pace, _ now: Instant) -> [Job] {
        let timely = jobs.firstIndex { pace.pictures(within: $0.deadline - now) > 0 }
        let first = timely ?? 0
        let limit = timely.map { min(limit, pace.pictures(within: jobs[$0].deadline - now)) } ?? limit
        let range = first..<min(first + limit, jobs.count)
        defer { jobs.removeSubrange(range) }
        return Array(jobs[range])
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

    private mutating func remove(where isRemoved: (Job) -> Bool) -> [Job] {
        let removed = jobs.filter(isRemoved)
        if !removed.isEmpty { jobs.removeAll(where: isRemoved) }
        return removed
    }
}

/// The jobs that the inference thread has in hand.
struct Batch {
    let size: Int
    let started: Instant
    private(set) var unfinished: [Job]
    /// Routers that were lost meanwhile: nobody waits for what they asked.
    private var disowned: Set<WorkerCore.Token> = []

    init(_ jobs: [Job] = [], at now: Instant = Instant(nanoseconds: 0)) {
        size = jobs.count
        started = now
        unfinished = jobs
    }

    /// Whether the inference thread is idle.
    var isEmpty: Bool { unfinished.isEmpty }

    /// Jobs whose router waits for them.
    func count(of router: WorkerCore.Router) -> Int {
        unfinished.count { $0.router == router && !disowned.contains($0.token) }
    }

    mutating func disown(_ router: WorkerCore.Router) {
        for job in unfinished where job.router == router { disowned.insert(job.token) }
    }

    /// Takes a job out; nil if it is not in the batch.
    mutating func finish(_ token: WorkerCore.Token) -> (Job, isOwned: Bool)? {
        guard let index = unfinished.firstIndex(where: { $0.token == token }) else { return nil }
        return (unfinished.remove(at: index), !disowned.contains(token))
    }
}

/// How fast pictures are scored: an exponentially weighted moving average of the time for each.
struct Pace {
    /// The weight of the last batch.
    private static let weight = 0.25

    private var nanosecondsAPicture: Double?

    mutating func note(_ duration: Duration, pictures: Int) {
        guard pictures > 0 else { return }
        let sample = Double(duration.nanoseconds) / Double(pictures)
        nanosecondsAPicture = nanosecondsAPicture.map { $0 + Self.weight * (sample - $0) } ?? sample
    }

    /// How many pictures can be scored within a time, as far as is known.
    func pictures(within slack: Duration) -> Int {
        guard let nanosecondsAPicture, nanosecondsAPicture > 0 else { return slack > .zero ? .max : 0 }
        return Int(min(max(0, Double(slack.nanoseconds) / nanosecondsAPicture), 1e9))
    }
}

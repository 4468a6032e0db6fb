internal import BifronsWire

/// The jobs of a locator or of an evidence worker. One thread processes each image, and each job is answered as soon as
/// its image is done.
///
/// At most `lanes` images are processed at once. An image that takes much longer than usual leaves its lane and
/// continues beside it, so that a few huge images do not hold up all images behind them.
struct LocatingStage: WorkerStage {
    private struct Work {
        let job: Job
        let started: Instant
        /// When to check next whether the image is slow.
        var nextLook: Instant
        /// Whether the image has left its lane.
        var isSlow = false
        /// Whether the job's router was lost in the meantime, so that nobody waits for the answer.
        var isDisowned = false
    }

    private let configuration: WorkerCore.Configuration
    private var waiting = WaitingJobs()
    private var work: [Work] = []
    /// The average time of images that stayed in their lane.
    private var pace = Pace()

    init(_ configuration: WorkerCore.Configuration) {
        self.configuration = configuration
    }

    var jobsInHand: Int { waiting.count + work.count }

    /// Slow images do not count: a thread that hangs gives its lane to another thread, and says nothing about whether
    /// threads work.
    var isComputing: Bool { work.contains { !$0.isSlow } }

    /// Slow images use up a part of the credit. The extra credit lets the router keep sending small images.
    var extraCredit: Int { slow }

    var nextDeadline: Instant? {
        let nextLook = slow < configuration.slowLanes ? work.filter { !$0.isSlow }.map(\.nextLook).min() : nil
        guard let nextLook else { return waiting.earliestDeadline }
        return waiting.earliestDeadline.map { min($0, nextLook) } ?? nextLook
    }

    private var slow: Int { work.count { $0.isSlow } }

    func count(of router: WorkerCore.Router) -> Int {
        waiting.count(of: router) + work.count { $0.job.router == router && !$0.isDisowned }
    }

    mutating func accept(_ job: Job) {
        waiting.insert(job)
    }

    mutating func take(_ outcome: WorkerCore.Outcome, _ now: Instant) -> StageReport {
        let token: WorkerCore.Token
        switch outcome {
        case .located(let image, _), .examined(let image, _), .failed(let image, _): token = image
        case .scored: return .unexpected
        }
        guard let index = work.firstIndex(where: { $0.job.token == token }) else { return .unexpected }
        let done = work.remove(at: index)
        if !done.isSlow { pace.note(now - done.started, units: 1) }
        var report = StageReport(isExpected: true)
        if done.isDisowned {
            if case .located = outcome { report.released = [token] }
            return report
        }
        let timings = WorkerMessage.Timings(
            received: done.job.received, started: done.started, answered: now, batch: 1)
        switch outcome {
        case .located(_, let content): report.answers = [(done.job, .crops(content, timings))]
        case .examined(_, let content): report.answers = [(done.job, .evidence(content, timings))]
        case .failed(_, let error): report.answers = [(done.job, .fail(error))]
        case .scored: break
        }
        return report
    }

    mutating func keepTime(_ computed: [WorkerCore.Token: Duration], _ now: Instant) -> [WorkerCore.Action] {
        var actions: [WorkerCore.Action] = []
        for index in work.indices where !work[index].isSlow && work[index].nextLook <= now {
            guard slow < configuration.slowLanes else { break }
            let (token, stuck) = (work[index].job.token, work[index].started + configuration.stuckAfter)
            let left = configuration.slowAfter - (computed[token] ?? .zero)
            if left <= .zero || stuck <= now {
                work[index].isSlow = true
                actions.append(.demote(token))
            } else {
                work[index].nextLook = min(now + left, stuck)
            }
        }
        return actions
    }

    mutating func start(_ now: Instant) -> [WorkerCore.Action] {
        var actions: [WorkerCore.Action] = []
        while work.count - slow < configuration.lanes, !waiting.isEmpty {
            let job = waiting.remove(at: waiting.firstTimely(pace, startingAt: now) ?? 0)
            switch job.task {
            case .locate(let specifications): actions.append(.locate(job.token, specifications))
            case .examine: actions.append(.examine(job.token))
            case .score: continue
            }
            work.append(Work(job: job, started: now, nextLook: now + configuration.slowAfter))
        }
        return actions
    }

    mutating func removeOverdue(_ now: Instant) -> [Job] {
        waiting.removeOverdue(now)
    }

    mutating func remove(of router: WorkerCore.Router) -> [Job] {
        for index in work.indices where work[index].job.router == router { work[index].isDisowned = true }
        return waiting.remove(of: router)
    }

    mutating func removeAll() -> [Job] {
        waiting.removeAll()
    }
}

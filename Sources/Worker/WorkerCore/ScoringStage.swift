internal import BifronsWire

/// The jobs of a network. Crops of many jobs are scored together in batches, and a job is answered when its last crop
/// is scored.
///
/// The next batch is chosen while the current one is computed, so that the computing thread never waits. It is chosen
/// at once when enough crops wait to fill it, otherwise as late as possible, because more crops may arrive.
struct ScoringStage: WorkerStage {
    /// The most batches that the thread holds at once.
    private static let batchesOrdered = 2
    /// A job's share of a batch, as the divisor of the batch size, when other jobs wait. This lets an image with a
    /// crowd of faces take turns with other images.
    private static let turnOfABatch = 4

    /// The progress of a job with at least one crop in a batch.
    private struct Progress {
        let job: Job
        /// The score of each crop, by its index; nil until it arrives.
        var scores: [WorkerMessage.CropScore?]
        /// The number of crops that were put into batches, from the first crop on.
        var ordered = 0
        /// The number of crops whose batches are done.
        var done = 0
        /// When the job's first batch began.
        var started: Instant?
        /// The largest number of jobs that shared a batch with this one, itself included.
        var batch = 1
        /// Whether nobody waits for the job any more.
        var isOver = false

        init(_ job: Job, crops: Int) {
            self.job = job
            scores = Array(repeating: nil, count: crops)
        }
    }

    /// A batch that the thread holds.
    private struct Ordered {
        let batch: WorkerCore.Batch
        /// When the thread began with the batch, as far as is known; nil while an earlier batch is being computed.
        var started: Instant?
    }

    private let configuration: WorkerCore.Configuration
    /// The jobs with crops that are in no batch yet.
    private var waiting = WaitingJobs()
    /// The jobs with crops in batches that were ordered.
    private var progress: [WorkerCore.Token: Progress] = [:]
    private var ordered: [Ordered] = []
    private var pace = Pace()
    private var lastNumber = 0

    init(_ configuration: WorkerCore.Configuration) {
        self.configuration = configuration
    }

    var jobsInHand: Int { progress.count + waiting.jobs.count { progress[$0.token] == nil } }
    var isComputing: Bool { !ordered.isEmpty }
    var extraCredit: Int { 0 }

    var nextDeadline: Instant? {
        guard ordered.count == 1, !waiting.isEmpty, let next = orderingTime else { return waiting.earliestDeadline }
        return waiting.earliestDeadline.map { min($0, next) } ?? next
    }

    func count(of router: WorkerCore.Router) -> Int {
        waiting.jobs.count { $0.router == router && progress[$0.token] == nil }
            + progress.values.count { $0.job.router == router && !$0.isOver }
    }

    mutating func accept(_ job: Job) {
        waiting.insert(job)
    }

    mutating func keepTime(_ computed: [WorkerCore.Token: Duration], _ now: Instant) -> [WorkerCore.Action] { [] }

    // MARK: Choosing

    mutating func start(_ now: Instant) -> [WorkerCore.Action] {
        var actions: [WorkerCore.Action] = []
        while !waiting.isEmpty, mayOrder(now) {
            let (batch, complete) = choose(now)
            ordered.append(Ordered(batch: batch))
            actions.append(.score(batch))
            actions += complete.map { .release($0) }
            if ordered.count == 1 { begin(now) }
        }
        return actions
    }

    private func mayOrder(_ now: Instant) -> Bool {
        if ordered.isEmpty { return true }
        guard ordered.count < Self.batchesOrdered else { return false }
        var crops = 0
        for job in waiting.jobs where crops < configuration.maxBatch { crops += unordered(job) }
        return crops >= configuration.maxBatch || orderingTime.map { $0 <= now } ?? false
    }

    /// When to choose the next batch, full or not: shortly before the thread is expected to finish the current one. Nil
    /// while the pace is unknown.
    private var orderingTime: Instant? {
        expectedEnd.map { $0 - configuration.orderAhead }
    }

    /// When the first batch is expected to be done; nil if no batch is being computed or the pace is unknown.
    private var expectedEnd: Instant? {
        guard let first = ordered.first, let started = first.started else { return nil }
        return pace.duration(of: first.batch.crops).map { started + $0 }
    }

    private func unordered(_ job: Job) -> Int {
        guard case .score(let crops) = job.task else { return 0 }
        return crops - (progress[job.token]?.ordered ?? 0)
    }

    /// Chooses the next batch: as many crops as the pace allows without missing the earliest deadline among their jobs.
    /// The jobs take turns until the batch is full.
    ///
    /// - Returns: The batch, and the jobs whose last crop is in it.
    private mutating func choose(_ now: Instant) -> (WorkerCore.Batch, complete: [WorkerCore.Token]) {
        let start = max(now, expectedEnd ?? now)
        let timely = waiting.firstTimely(pace, startingAt: start)
        let candidates = waiting.jobs[(timely ?? 0)...]
        let most = configuration.maxBatch
        let limit = timely.map { min(most, pace.units(within: waiting.jobs[$0].deadline - start)) } ?? most

        let crops = candidates.map(unordered)
        var shares = crops.map { _ in 0 }
        var left = limit
        let turn = max(1, limit / Self.turnOfABatch)
        while left > 0, shares != crops {
            for index in crops.indices {
                let share = min(turn, crops[index] - shares[index], left)
                shares[index] += share
                left -= share
            }
        }

        let jobs = shares.count { $0 > 0 }
        lastNumber += 1
        var batch = WorkerCore.Batch(number: lastNumber, parts: [])
        for (job, share) in zip(candidates, shares) where share > 0 {
            var own = progress[job.token] ?? Progress(job, crops: unordered(job))
            batch.parts.append(.init(token: job.token, crops: own.ordered..<(own.ordered + share)))
            own.ordered += share
            own.batch = max(own.batch, jobs)
            progress[job.token] = own
        }
        let complete = zip(candidates, zip(crops, shares)).filter { $1.0 == $1.1 }.map { $0.0.token }
        waiting.remove { complete.contains($0.token) }
        return (batch, complete)
    }

    /// Records that the thread begins with the first batch.
    private mutating func begin(_ now: Instant) {
        guard !ordered.isEmpty else { return }
        ordered[0].started = now
        for part in ordered[0].batch.parts where progress[part.token]?.started == nil {
            progress[part.token]?.started = now
        }
    }

    // MARK: Answering

    mutating func take(_ outcome: WorkerCore.Outcome, _ now: Instant) -> StageReport {
        guard case .scored(let number, let results) = outcome, let first = ordered.first,
            first.batch.number == number, first.batch.crops == results.count
        else { return .unexpected }
        ordered.removeFirst()
        if let started = first.started { pace.note(now - started, units: results.count) }
        begin(now)
        var report = StageReport(isExpected: true)
        var rest = results[...]
        for part in first.batch.parts {
            note(rest.prefix(part.crops.count), part, now, &report)
            rest = rest.dropFirst(part.crops.count)
        }
        return report
    }

    /// Records the results of one job's crops in a batch. One failed crop fails the whole job: an image without a score
    /// for every face has no verdict, since that face may be the one that matters.
    private mutating func note(
        _ results: ArraySlice<Result<WorkerMessage.CropScore, WireError>>, _ part: WorkerCore.Batch.Part,
        _ now: Instant, _ report: inout StageReport
    ) {
        guard var own = progress.removeValue(forKey: part.token) else { return }
        own.done += part.crops.count
        for (crop, result) in zip(part.crops, results) where !own.isOver {
            switch result {
            case .success(let score): own.scores[crop] = score
            case .failure(let error):
                report.answers.append((own.job, .fail(error)))
                report.released += giveUp(&own)
            }
        }
        if !own.isOver, own.done == own.scores.count {
            let timings = WorkerMessage.Timings(
                received: own.job.received, started: own.started ?? now, answered: now, batch: own.batch)
            report.answers.append((own.job, .score(own.scores.compactMap(\.self), timings)))
            own.isOver = true
        }
        // A job with crops in a batch, or with crops still waiting, stays.
        if own.done < (own.isOver ? own.ordered : own.scores.count) { progress[part.token] = own }
    }

    // MARK: Giving up

    /// Marks a job as over, so that no answer is sent for it.
    ///
    /// - Returns: Its token, if its payload has not been released yet.
    private mutating func giveUp(_ own: inout Progress) -> [WorkerCore.Token] {
        own.isOver = true
        let token = own.job.token
        return waiting.remove { $0.token == token }.map(\.token)
    }

    private mutating func giveUp(_ jobs: [Job]) -> [Job] {
        for job in jobs {
            guard let own = progress[job.token] else { continue }
            progress[job.token] = own.done < own.ordered ? own : nil
            progress[job.token]?.isOver = true
        }
        return jobs
    }

    mutating func removeOverdue(_ now: Instant) -> [Job] {
        giveUp(waiting.removeOverdue(now))
    }

    mutating func remove(of router: WorkerCore.Router) -> [Job] {
        let removed = giveUp(waiting.remove(of: router))
        for (token, own) in progress where own.job.router == router { progress[token]?.isOver = true }
        return removed
    }

    mutating func removeAll() -> [Job] {
        giveUp(waiting.removeAll())
    }
}

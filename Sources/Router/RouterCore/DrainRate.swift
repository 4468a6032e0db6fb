internal import BifronsWire
internal import Glibc

/// The pace at which one pool's workers complete their backlog.
///
/// It is measured only during a backlog (`Roster.Load.isBacklogged`), so that it shows the workers' speed and not the
/// demand. It is stored per worker, so that a change of their number takes effect at once.
struct DrainRate {
    /// The time constant of the exponential decay, in seconds.
    private static let memory = 5.0
    /// The (decayed) number of answers from which on the measurement is used.
    private static let evidence = 8.0

    /// The decayed number of answers. It decays like `workerSeconds`, so their quotient does not.
    private var answers = 0.0
    private var workerSeconds = 0.0
    /// The start of the backlog time that is not yet in `workerSeconds`; nil without a backlog.
    private var since: Instant?
    /// The mean seconds that a batch takes, over the last few scores.
    private var computing = 0.0
    /// When the last answer came, with or without a backlog.
    private var lastAnswer: Instant?

    /// Notes that there is a backlog from now on, or that there is none.
    ///
    /// A backlog may come and go with each batch, and is no shorter than the time of one batch. So its time counts from
    /// the previous answers, if they are no older than that.
    mutating func note(isBacklogged: Bool, at now: Instant) {
        guard isBacklogged else {
            since = nil
            return
        }
        guard since == nil else { return }
        let answered = lastAnswer ?? now
        since = (now - answered).milliseconds <= 1000 * computing ? answered : now
    }

    /// Notes an answer of one of the workers.
    ///
    /// - Parameters:
    ///   - workers: the number of workers. It is evaluated only during a backlog, so that other answers do not pay for
    ///     it.
    ///   - computing: the time that the answer's batch took; nil if the answer is a failure.
    mutating func noteAnswer(workers: @autoclosure () -> Int, computing: Duration?, at now: Instant) {
        lastAnswer = now
        guard let since else { return }
        if let seconds = (computing?.milliseconds).map({ $0 / 1000 }) {
            self.computing += (seconds - self.computing) / (answers < 1 ? 1 : Self.evidence)
        }
        let seconds = (now - since).milliseconds / 1000
        let fading = exp(-seconds / Self.memory)
        answers = answers * fading + 1
        workerSeconds = workerSeconds * fading + seconds * Double(workers())
        self.since = now
    }

    /// Returns the jobs per second of this number of workers; nil if not measured yet.
    func perSecond(workers: Int) -> Double? {
        guard answers >= Self.evidence, workerSeconds > 0, workers > 0 else { return nil }
        return answers / workerSeconds * Double(workers)
    }

    /// Returns the time until a job is answered that comes after `jobs` others; nil if not measured yet.
    ///
    /// The job is assumed to come last in its batch, whose jobs are all answered when the batch is done.
    func time(behind jobs: Int, workers: Int) -> Duration? {
        perSecond(workers: workers).map { .nanoseconds(Int64(min((Double(jobs) / $0 + computing) * 1e9, 1e18))) }
    }
}

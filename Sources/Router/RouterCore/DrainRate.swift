internal import BifronsWire
internal import Glibc

/// How fast the workers of one model get through a backlog.
///
/// Measured only while there is one (`Roster.Load.isBacklogged`): how fast the workers can be, not how much is asked of them.
/// It is kept by worker, so that one more or one less shows at once.
struct DrainRate {
    /// The time constant in which the past is forgotten.
    private static let memory = 5.0
    /// Answers that must have been seen before the measurement says anything.
    private static let evidence = 8.0

    /// Both fade alike, so their quotient does not.
    private var answers = 0.0
    private var workerSeconds = 0.0
    /// Since when there has been a backlog, as far as it is not yet in `workerSeconds`.
    private var since: Instant?
    /// Seconds from the beginning of a batch to a score of it, on the average of the last few.
    private var computing = 0.0
    /// With a backlog or without.
    private var lastAnswer: Instant?

    /// There is a backlog, or there is none, from now on.
    ///
    /// A backlog may come and go with each batch. It is no shorter than what it takes to answer one: the time counts from
    /// the answers before, if they are no longer ago than that.
    mutating func note(isBacklogged: Bool, at now: Instant) {
        guard isBacklogged else {
            since = nil
            return
        }
        guard since == nil else { return }
        let answered = lastAnswer ?? now
        since = (now - answered).milliseconds <= 1000 * computing ? answered : now
    }

    /// One of so many workers has given an answer, after so much time in a batch if it is a score.
    ///
    /// - Parameter workers: counted only if there is a backlog: an answer without one need not pay for that.
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

    /// Jobs a second of so many workers; nil as long as nothing is known.
    func perSecond(workers: Int) -> Double? {
        guard answers >= Self.evidence, workerSeconds > 0, workers > 0 else { return nil }
        return answers / workerSeconds * Double(workers)
    }

    /// How long a job takes behind so many others, with so many workers; nil as long as nothing is known.
    ///
    /// It comes last in its batch, whose jobs are all answered when the batch is done.
    func time(behind jobs: Int, workers: Int) -> Duration? {
        perSecond(workers: workers).map { .nanoseconds(Int64(min((Double(jobs) / $0 + computing) * 1e9, 1e18))) }
    }
}

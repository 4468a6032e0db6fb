internal import Glibc
internal import Wire

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

    var isBacklogged: Bool { since != nil }

    /// There is a backlog, or there is none, from now on.
    mutating func note(isBacklogged: Bool, at now: Instant) {
        since = isBacklogged ? since ?? now : nil
    }

    /// One of so many workers has given an answer.
    mutating func noteAnswer(workers: Int, at now: Instant) {
        guard let since else { return }
        let seconds = (now - since).milliseconds / 1000
        let fading = exp(-seconds / Self.memory)
        answers = answers * fading + 1
        workerSeconds = workerSeconds * fading + seconds * Double(workers)
        self.since = now
    }

    /// How long so many workers need for so many jobs; nil as long as nothing is known.
    func time(for jobs: Int, workers: Int) -> Duration? {
        guard answers >= Self.evidence, workerSeconds > 0, workers > 0 else { return nil }
        return .nanoseconds(Int64(min(Double(jobs) * workerSeconds / answers / Double(workers) * 1e9, 1e18)))
    }
}

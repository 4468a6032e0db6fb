internal import BifronsWire
internal import Glibc
internal import Histogram

/// Answers per second: an exponential moving average, corrected for its start at zero.
private struct Rate {
    /// The time constant, in seconds.
    private static let smoothing = 5.0

    private let start: Instant
    private var smoothed = 0.0
    private var last: Instant

    init(start: Instant) {
        self.start = start
        last = start
    }

    mutating func note(at now: Instant) {
        smoothed = smoothed * decay(since: last, to: now) + 1 / Self.smoothing
        last = now
    }

    func perSecond(at now: Instant) -> Double {
        let seen = 1 - decay(since: start, to: now)
        return seen > 0 ? smoothed * decay(since: last, to: now) / seen : 0
    }

    private func decay(since earlier: Instant, to now: Instant) -> Double {
        exp(-(now - earlier).milliseconds / 1000 / Self.smoothing)
    }
}

/// The counters, latency quantiles and answer rates of the status report.
struct Statistics {
    var counters = StatusReport.Counters()
    private(set) var verdicts = StatusReport.Verdicts()
    var history: History
    private(set) var latencyHistogram = StatusReport.Histogram.ofMilliseconds
    let start: Instant
    /// The latency in microseconds, up to the longest budget.
    private var latency = Histogram<UInt64>(
        highestTrackableValue: UInt64(Limits.budgetMilliseconds.upperBound) * 1000,
        numberOfSignificantValueDigits: .two)
    private var repliesByStatus: [Status: Int] = [:]
    private var rate: Rate
    /// The rate by a clock that stops while there is no work: it measures the speed of the service, not the demand.
    private var busyRate: Rate
    private var idleTime = Duration.zero
    private var idleSince: Instant?

    /// - Parameter pools: the number of the ensemble's pools of workers.
    init(start: Instant, pools: Int = 0) {
        self.start = start
        history = History(pools: pools, start: start)
        rate = Rate(start: start)
        busyRate = Rate(start: start)
        idleSince = start
    }

    /// Counts a report, which is none of the replies: a page that polls must not hide how jobs end.
    mutating func countReport() {
        counters.reports? += 1
    }

    /// Counts a job that was answered only when its budget was spent.
    mutating func countOverBudget() {
        counters.overBudget? += 1
    }

    mutating func count(_ status: Status) {
        repliesByStatus[status, default: 0] += 1
        history.count(status)
    }

    /// Counts an answer by status and latency.
    mutating func answered(_ status: Status, after latency: Duration, at now: Instant) {
        count(status)
        finished(after: latency, at: now)
    }

    /// Records the latency of a durable job whose client was acknowledged before.
    mutating func finished(after latency: Duration, at now: Instant) {
        _ = self.latency.record(UInt64(max(0, latency.nanoseconds / 1000)))
        latencyHistogram.record(latency.milliseconds)
        history.record(latency)
        rate.note(at: now)
        busyRate.note(at: busyClock(at: now))
    }

    mutating func count(_ verdict: ResultDocument.Verdict?) {
        guard let verdict else { return }
        verdicts.count(verdict)
        history.count(verdict.action)
    }

    /// Starts the busy clock, if it is stopped: a job has come.
    mutating func noteWork(at now: Instant) {
        guard let since = idleSince else { return }
        idleTime += now - since
        idleSince = nil
    }

    /// Stops the busy clock: no job is left.
    mutating func noteIdleness(at now: Instant) {
        idleSince = idleSince ?? now
    }

    private func busyClock(at now: Instant) -> Instant {
        (idleSince ?? now) - idleTime
    }

    func answersPerSecond(at now: Instant) -> Double {
        rate.perSecond(at: now)
    }

    func answersPerBusySecond(at now: Instant) -> Double {
        busyRate.perSecond(at: busyClock(at: now))
    }

    var latencyQuantiles: StatusReport.Quantiles {
        func milliseconds(_ percentile: Double) -> Double {
            Double(latency.valueAtPercentile(percentile)) / 1000
        }
        return StatusReport.Quantiles(
            count: Int(latency.totalCount), p50: milliseconds(50), p90: milliseconds(90), p99: milliseconds(99),
            p999: milliseconds(99.9), max: Double(latency.max) / 1000)
    }

    var report: StatusReport.Counters {
        var report = counters
        for (status, count) in repliesByStatus { report.repliesByStatus["\(status.rawValue)"] = count }
        return report
    }
}

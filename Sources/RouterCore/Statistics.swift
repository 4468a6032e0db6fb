internal import Glibc
internal import Histogram
internal import Wire

/// Counters, latency quantiles and the rate of answers.
struct Statistics {
    /// The time constant of the rate, in seconds.
    private static let smoothing = 5.0

    var counters = StatusReport.Counters()
    let start: Instant
    /// In microseconds, up to the longest budget.
    private var latency = Histogram<UInt64>(
        highestTrackableValue: UInt64(Limits.budgetMilliseconds.upperBound) * 1000,
        numberOfSignificantValueDigits: .two)
    private var repliesByStatus: [Status: Int] = [:]
    private var smoothedRate = 0.0
    private var lastAnswer: Instant

    init(start: Instant) {
        self.start = start
        lastAnswer = start
    }

    mutating func count(_ status: Status) {
        repliesByStatus[status, default: 0] += 1
    }

    mutating func answered(_ status: Status, after latency: Duration, at now: Instant) {
        count(status)
        _ = self.latency.record(UInt64(max(0, latency.nanoseconds / 1000)))
        smoothedRate = smoothedRate * decay(since: lastAnswer, to: now) + 1 / Self.smoothing
        lastAnswer = now
    }

    /// Answers a second: an exponential moving average, corrected for its start at zero.
    func answersPerSecond(at now: Instant) -> Double {
        let seen = 1 - decay(since: start, to: now)
        return seen > 0 ? smoothedRate * decay(since: lastAnswer, to: now) / seen : 0
    }

    private func decay(since earlier: Instant, to now: Instant) -> Double {
        exp(-(now - earlier).milliseconds / 1000 / Self.smoothing)
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

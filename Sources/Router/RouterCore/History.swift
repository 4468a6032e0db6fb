internal import BifronsWire
internal import Histogram

/// What the router did in each minute of the last 24 hours, in memory of fixed size.
///
/// Time is the sum of the steps forward between the instants that the caller gives. A clock that steps back adds
/// nothing, and one that jumps ahead adds at most the 24 hours that are kept.
struct History {
    /// The number of minutes that are kept.
    static let capacity = 24 * 60
    private static let minute = Duration.seconds(60)

    /// The levels that last from one minute into the next.
    struct Levels: Equatable {
        /// The number of unanswered jobs.
        var queue: Int
        /// The number of workers of each pool.
        var workers: [Int]
    }

    private struct Minute {
        var actions = [Int](repeating: 0, count: ResultDocument.PolicyAction.allCases.count)
        var errors = [Int](repeating: 0, count: HistoryReport.ErrorKind.allCases.count)
        var p50: Double?
        var p99: Double?
        /// The most unanswered jobs, and the fewest workers of each pool.
        var levels: Levels
    }

    /// The minutes as a ring: that with number n is at n modulo `capacity`.
    private var minutes: [Minute]
    /// The number of the minute in progress, counted from the start.
    private var current = 0
    /// The time since the start, which never falls.
    private(set) var elapsed = Duration.zero
    private var last: Instant
    /// The latencies of the minute in progress, in microseconds.
    private var latency = Histogram<UInt64>(
        highestTrackableValue: UInt64(Limits.budgetMilliseconds.upperBound) * 1000,
        numberOfSignificantValueDigits: .two)

    init(pools: Int, start: Instant) {
        last = start
        minutes = [Minute(levels: Levels(queue: 0, workers: [Int](repeating: 0, count: pools)))]
    }

    /// Moves on to the time of the next event. `levels` are those since the previous event.
    mutating func advance(to now: Instant, _ levels: @autoclosure () -> Levels) {
        let step = now > last ? now - last : .zero
        last = now
        elapsed += min(step, Self.minute * Self.capacity)
        let next = Int(elapsed.nanoseconds / Self.minute.nanoseconds)
        guard next > current else { return }
        minutes[current % Self.capacity] = finished
        latency.reset()
        let empty = Minute(levels: levels())
        while current < next {
            current += 1
            if minutes.count < Self.capacity { minutes.append(empty) } else { minutes[current % Self.capacity] = empty }
        }
    }

    /// Notes the levels after an event.
    mutating func note(queue: Int) {
        let index = current % Self.capacity
        if queue > minutes[index].levels.queue { minutes[index].levels.queue = queue }
    }

    /// Notes that a pool has this many workers.
    mutating func note(workers: Int, of pool: Int) {
        let index = current % Self.capacity
        if workers < minutes[index].levels.workers[pool] { minutes[index].levels.workers[pool] = workers }
    }

    /// Counts an answer's status, if it is an error.
    mutating func count(_ status: Status) {
        guard let kind = HistoryReport.ErrorKind(status),
            let place = HistoryReport.ErrorKind.allCases.firstIndex(of: kind)
        else { return }
        minutes[current % Self.capacity].errors[place] += 1
    }

    /// Counts a verdict.
    mutating func count(_ action: ResultDocument.PolicyAction) {
        guard let place = ResultDocument.PolicyAction.allCases.firstIndex(of: action) else { return }
        minutes[current % Self.capacity].actions[place] += 1
    }

    /// Records the time from a job's receipt to its result.
    mutating func record(_ duration: Duration) {
        _ = latency.record(UInt64(max(0, duration.nanoseconds / 1000)))
    }

    /// Returns the report, whose `fromMs` counts from now: it is zero or less.
    func report(id: String?, pools: [String]) -> HistoryReport {
        let first = max(0, current - Self.capacity + 1)
        let rows = (first...current).map { $0 == current ? finished : minutes[$0 % Self.capacity] }
        let age = elapsed - Self.minute * first
        func columns(_ names: [String], _ values: KeyPath<Minute, [Int]>) -> [String: [Int]] {
            Dictionary(
                uniqueKeysWithValues: names.indices.map { place in
                    (names[place], rows.map { $0[keyPath: values][place] })
                })
        }
        return HistoryReport(
            id: id, fromMs: -Int(age.milliseconds),
            actions: columns(ResultDocument.PolicyAction.allCases.map(\.rawValue), \.actions),
            errors: columns(HistoryReport.ErrorKind.allCases.map(\.rawValue), \.errors),
            p50Ms: rows.map(\.p50), p99Ms: rows.map(\.p99), queueJobs: rows.map(\.levels.queue),
            workers: columns(pools, \.levels.workers))
    }

    /// The minute in progress, with its quantiles.
    private var finished: Minute {
        var minute = minutes[current % Self.capacity]
        if latency.totalCount > 0 {
            minute.p50 = Double(latency.valueAtPercentile(50)) / 1000
            minute.p99 = Double(latency.valueAtPercentile(99)) / 1000
        }
        return minute
    }
}

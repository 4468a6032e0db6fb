package import BifronsWire
import Glibc

/// Quarantines items of banks that suddenly match far more often than before, because such a hash is probably a
/// mistake, for instance one of a logo or a blank page.
///
/// Each item has two exponentially decaying counts of its matches: `recent` with a time constant of one minute, and
/// `past` with a time constant of one day (``Rule``). An item is quarantined when its recent matches exceed a floor as
/// well as a multiple of the matches of a usual minute:
///
///     recent > max(floor, factor * past * 1 min / 1 day)
///
/// The matches of a quarantined item have the kind `review`, and only a few of them per hour go to the reviewers. There
/// is one alert for each quarantine. It ends one hour after the limit was last exceeded. Matches during a quarantine do
/// not count as past, so a flood does not raise the limit by lasting long. An item that the operator verified
/// (``Bank/verified``) never goes into quarantine.
///
/// The guard is a state machine: its caller passes the times in. It tracks a bounded number of items. When there are
/// more, it removes the half whose last match is longest ago, quarantined items last. A removed item starts again
/// without a past, so that only the floor applies to it.
package struct FloodGuard: Sendable {
    /// When an item is quarantined, and for how long.
    package struct Rule: Hashable, Sendable {
        /// The number of recent matches up to which no item is quarantined. Default: 60.
        package var floor: Double
        /// The multiple of the usual matches in a minute up to which an item is not quarantined. Default: 10.
        package var factor: Double
        /// The time constant of the past matches. Default: 1 day.
        package var past: Duration
        /// The time from the last excess to the end of the quarantine. Default: 1 hour.
        package var quarantine: Duration
        /// The number of matches of a quarantined item that go to the reviewers in each such time. Default: 10.
        package var samples: Int
        /// The maximum number of tracked items, at least 2. Default: 10,000.
        package var maxItems: Int

        package init(
            floor: Double = 60, factor: Double = 10, past: Duration = .seconds(86_400),
            quarantine: Duration = .seconds(3600), samples: Int = 10, maxItems: Int = 10_000
        ) {
            self.floor = floor
            self.factor = factor
            self.past = past
            self.quarantine = quarantine
            self.samples = samples
            self.maxItems = maxItems
        }
    }

    /// The identity of an item, which does not change when its line moves.
    package struct Item: Hashable, Sendable {
        package let bank: String
        package let signal: Signal

        package init(bank: String, signal: Signal) {
            self.bank = bank
            self.signal = signal
        }
    }

    /// The alert about an item that was quarantined.
    package struct Alert: Hashable, Sendable, CustomStringConvertible {
        package let bank: String
        /// The item's number in its bank.
        package let item: Int
        /// The kind of the bank.
        package let kind: Bank.Kind
        /// The number of matches in about the last minute.
        package let recent: Double
        /// The number of matches in a usual minute.
        package let usual: Double

        package var description: String {
            """
            item \(item) of the bank \(bank) matched \(Int(recent)) times in about a minute, usually \
            \((usual * 10).rounded() / 10) times, so its matches go to review; look at a few of them, and remove the \
            item if they are wrong, or name it in 'verified' of banks.json if they are right
            """
        }
    }

    /// The time constant of the recent matches, in seconds.
    private static let minute = 60.0

    private struct State {
        /// The time of the last match.
        var last: Instant
        var recent = 0.0
        var past = 0.0
        /// The end of the quarantine; nil: the item is not in quarantine.
        var quarantinedUntil: Instant?
        /// The number of samples since `sampledSince`.
        var samples = 0
        var sampledSince: Instant
    }

    package let rule: Rule
    private var states: [Item: State] = [:]

    package init(_ rule: Rule = Rule()) {
        self.rule = rule
    }

    /// The number of tracked items.
    package var count: Int { states.count }

    /// Returns the items that are in quarantine at this time, in undefined order.
    package func quarantined(at now: Instant) -> [Item] {
        states.filter { $1.quarantinedUntil.map { now < $0 } ?? false }.map(\.key)
    }

    /// Counts the matches of a report, and changes the kind of those whose items are in quarantine to `review`.
    ///
    /// - Parameters:
    ///   - report: The lookup result of one image.
    ///   - now: The current time. A time before that of an earlier call counts as equal to it.
    /// - Returns: An alert for each item that is quarantined because of this report.
    package mutating func judge(_ report: inout KnownImageReport, at now: Instant) -> [Alert] {
        var alerts: [Alert] = []
        for index in report.matches.indices where !report.matches[index].isVerified {
            let match = report.matches[index]
            let item = Item(bank: match.bank, signal: match.signal)
            let known = states[item]
            var state = known ?? State(last: now, sampledSince: now)
            if register(&state, at: now) {
                alerts.append(
                    Alert(
                        bank: match.bank, item: match.item, kind: match.kind, recent: state.recent,
                        usual: usual(state)))
            }
            if state.quarantinedUntil != nil {
                report.matches[index].kind = .review
                report.matches[index].quarantine = sample(&state, at: now) ? .sampled : .counted
            }
            if known == nil, states.count >= rule.maxItems { forget(at: now) }
            states[item] = state
        }
        return alerts
    }

    /// Counts a match.
    ///
    /// - Returns: Whether the item is quarantined because of it.
    private func register(_ state: inout State, at now: Instant) -> Bool {
        let elapsed = max(0, seconds(now - state.last))
        state.last = max(state.last, now)
        if let end = state.quarantinedUntil, now >= end { state.quarantinedUntil = nil }
        let wasQuarantined = state.quarantinedUntil != nil
        state.recent = state.recent * exp(-elapsed / Self.minute) + 1
        if !wasQuarantined { state.past = state.past * exp(-elapsed / seconds(rule.past)) + 1 }
        guard state.recent > max(rule.floor, rule.factor * usual(state)) else { return false }
        state.quarantinedUntil = now + rule.quarantine
        return !wasQuarantined
    }

    /// Returns the number of matches in a usual minute.
    private func usual(_ state: State) -> Double {
        state.past * Self.minute / seconds(rule.past)
    }

    /// Returns whether a match of a quarantined item goes to the reviewers.
    private func sample(_ state: inout State, at now: Instant) -> Bool {
        if now >= state.sampledSince + rule.quarantine {
            state.sampledSince = now
            state.samples = 0
        }
        guard state.samples < rule.samples else { return false }
        state.samples += 1
        return true
    }

    /// Removes half of the items.
    private mutating func forget(at now: Instant) {
        func isQuarantined(_ state: State) -> Bool { state.quarantinedUntil.map { now < $0 } ?? false }
        let kept = states.sorted { first, second in
            let (one, other) = (isQuarantined(first.value), isQuarantined(second.value))
            return one == other ? first.value.last > second.value.last : one
        }
        states = Dictionary(uniqueKeysWithValues: kept.prefix(rule.maxItems / 2).lazy.map { ($0.key, $0.value) })
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.nanoseconds) / 1e9
    }
}

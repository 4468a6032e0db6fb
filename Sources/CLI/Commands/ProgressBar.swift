import BifronsWire
import Glibc
import Reactor

/// A progress bar on one line of a terminal's standard error.
struct ProgressBar {
    /// The smallest number of inputs for which a bar is shown. Fewer are finished before anybody has read it.
    static let leastTotal = 10
    private static let interval = Duration.milliseconds(100)
    private static let barWidth = 24

    private let total: Int
    private let start: Instant
    private var drawn: Instant?
    private(set) var isShown = false

    /// Creates a progress bar; nil if the standard error is not a terminal or there are too few inputs.
    init?(total: Int, isTerminal: Bool = isatty(STDERR_FILENO) == 1, at now: Instant = MonotonicClock.now()) {
        guard isTerminal, total >= Self.leastTotal else { return nil }
        self.total = total
        start = now
    }

    /// Redraws the bar, at most every 100 ms.
    mutating func update(done: Int, at now: Instant = MonotonicClock.now()) {
        if let drawn, now - drawn < Self.interval, done < total { return }
        drawn = now
        isShown = true
        put("\r\u{1B}[K" + Self.text(done: done, total: total, elapsed: now - start))
    }

    /// Removes the bar, before a line of output or for good.
    mutating func clear() {
        guard isShown else { return }
        isShown = false
        drawn = nil
        put("\r\u{1B}[K")
    }

    static func text(done: Int, total: Int, elapsed: Duration) -> String {
        let filled = total == 0 ? barWidth : barWidth * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
        var text = "[\(bar)] \(done)/\(total)"
        let seconds = elapsed / .seconds(1)
        if done > 0, seconds > 0 {
            let rate = Double(done) / seconds
            text += "  \(fixed(rate, 1))/s"
            if done < total { text += "  \(span(seconds: Double(total - done) / rate)) left" }
        }
        return text
    }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { writeAll($0, to: STDERR_FILENO) }
    }
}

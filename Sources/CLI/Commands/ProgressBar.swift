import BifronsWire
import Glibc
import Reactor

/// One line on a terminal's standard error that says how far a long command has come. None in a pipe.
struct ProgressBar {
    /// Fewer are done before anybody has read the bar.
    static let leastTotal = 10
    private static let interval = Duration.milliseconds(100)
    private static let barWidth = 24

    private let total: Int
    private let start: Instant
    private var drawn: Instant?
    private(set) var isShown = false

    /// Nil if it would help nobody.
    init?(total: Int, isTerminal: Bool = isatty(STDERR_FILENO) == 1, at now: Instant = MonotonicClock.now()) {
        guard isTerminal, total >= Self.leastTotal else { return nil }
        self.total = total
        start = now
    }

    /// Draws it again, but not too often.
    mutating func update(done: Int, at now: Instant = MonotonicClock.now()) {
        if let drawn, now - drawn < Self.interval, done < total { return }
        drawn = now
        isShown = true
        put("\r\u{1B}[K" + Self.text(done: done, total: total, elapsed: now - start))
    }

    /// Takes it away, for a line of output to be written or for good.
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

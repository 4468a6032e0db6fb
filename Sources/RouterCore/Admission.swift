internal import Wire

/// When those who were turned away may come again.
///
/// Each of them is given the next free place in a line that moves as fast as answers leave the router (a virtual scheduling
/// algorithm, ITU-T I.371 annex A), so that they come back one by one and find room, instead of all at once.
struct Admission {
    static let milliseconds = 1...60_000
    /// Answers a second, before any was seen.
    private static let assumedRate = 10.0

    private var lineEnd = Instant(nanoseconds: 0)

    /// - Returns: milliseconds until the place in the line that the caller now holds.
    mutating func retryAfter(rate: Double, at now: Instant) -> Int {
        let interval = 1 / max(rate > 0 ? rate : Self.assumedRate, 1e-3)
        lineEnd = max(lineEnd, now) + .nanoseconds(Int64(interval * 1e9))
        let longest = now + .milliseconds(Self.milliseconds.upperBound)
        lineEnd = min(lineEnd, longest)
        return max(Self.milliseconds.lowerBound, Int((lineEnd - now).milliseconds.rounded(.up)))
    }
}

internal import BifronsWire

/// Counts what peers outside can cause as often as they like, so that it is logged at most once a second.
struct RateLimitedLog {
    private static let interval = Duration.seconds(1)

    private var untold = 0
    private var told: Instant?

    /// - Parameter count: how often it has happened since the last call.
    /// - Returns: how many to tell of now; nil: none.
    mutating func take(_ count: Int, at now: Instant) -> Int? {
        untold += count
        guard untold > 0, told.map({ now - $0 >= Self.interval }) ?? true else { return nil }
        defer { untold = 0 }
        told = now
        return untold
    }
}

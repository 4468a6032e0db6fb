internal import BifronsWire

/// Limits a log message to one per second and counts the events in between, for events that outside peers can cause
/// at will.
struct RateLimitedLog {
    private static let interval = Duration.seconds(1)

    private var untold = 0
    private var told: Instant?

    /// Adds events and decides whether to log now.
    ///
    /// - Parameter count: the number of events since the last call.
    /// - Returns: the number of events to log now; nil if there is none, or the last message was logged less than a
    ///   second ago.
    mutating func take(_ count: Int, at now: Instant) -> Int? {
        untold += count
        guard untold > 0, told.map({ now - $0 >= Self.interval }) ?? true else { return nil }
        defer { untold = 0 }
        told = now
        return untold
    }
}

/// A point on a monotonic clock, in nanoseconds from an origin that only the clock knows.
///
/// The cores never read a clock: whoever drives them says what time it is.
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds + duration.nanoseconds)
    }

    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds - duration.nanoseconds)
    }

    public static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }
}

extension Duration {
    /// The whole duration in nanoseconds; spans of over 292 years do not fit.
    public var nanoseconds: Int64 {
        // Not by `components`, whose division costs the router more than its other arithmetic on a job together.
        Int64(attoseconds / 1_000_000_000)
    }

    /// The whole duration in milliseconds, fractions included.
    public var milliseconds: Double {
        Double(nanoseconds) / 1e6
    }
}

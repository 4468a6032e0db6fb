/// A point on a monotonic clock, in nanoseconds from an arbitrary origin.
///
/// The cores never read a clock: their driver passes the time to them.
public struct Instant: Comparable, Hashable, Sendable {
    /// The nanoseconds since the clock's origin.
    public var nanoseconds: Int64

    /// Creates the instant at this many nanoseconds after the clock's origin.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Returns whether `left` is before `right`.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Returns the instant that is later by `duration`. It must be within 292 years of the origin.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds + duration.nanoseconds)
    }

    /// Returns the instant that is earlier by `duration`. It must be within 292 years of the origin.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds - duration.nanoseconds)
    }

    /// Returns the time from `earlier` to `later`; negative if `later` is before `earlier`.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds, rounded towards zero. Durations over 292 years do not fit.
    public var nanoseconds: Int64 {
        // `components` divides, which costs the router more than all its other arithmetic for a job.
        Int64(attoseconds / 1_000_000_000)
    }

    /// The duration in milliseconds, with fractions.
    public var milliseconds: Double {
        Double(nanoseconds) / 1e6
    }
}

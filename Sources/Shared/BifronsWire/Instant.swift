/// A point on a monotonic clock, in nanoseconds from an arbitrary origin.
///
/// The cores never read a clock. Their driver passes the time in.
public struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds from the clock's origin.
    public var nanoseconds: Int64

    /// An instant so many nanoseconds from the clock's origin.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Whether `left` is before `right`.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant so much later; it must be within 292 years of the origin.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds + duration.nanoseconds)
    }

    /// The instant so much earlier; it must be within 292 years of the origin.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(nanoseconds: instant.nanoseconds - duration.nanoseconds)
    }

    /// How long after `earlier` `later` is; negative if it is before.
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

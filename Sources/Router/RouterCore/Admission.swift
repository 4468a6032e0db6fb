internal import BifronsWire
internal import HeapModule

/// Decides when refused clients may come again.
///
/// Each refused job gets the next place in its client's line, and all lines together advance at the workers' pace (a
/// virtual scheduling algorithm, ITU-T I.371 annex A). So clients come back one by one instead of all at once, and a
/// client that floods the router delays only its own jobs. A client that sends the same job again when its turn has
/// come finds room, because part of the queue is closed to jobs that never waited.
struct Admission {
    /// Identifies a refused job when its client sends it again.
    struct Caller: Hashable {
        let client: Principal.Identity
        let id: String
    }

    /// The range of `retry_after_ms`.
    static let milliseconds = 1...60_000
    /// The answers per second assumed before any was measured.
    private static let assumedRate = 10.0
    /// How long a place is kept after its turn for a client that does not come.
    private static let patience = Duration.seconds(2)
    /// The most places that are kept.
    private static let maxPlaces = 8192

    /// The end of each client's line. Ended lines are removed when a client without a line is refused.
    private var lineEnds: [Principal.Identity: Instant] = [:]
    /// The time between two places of a line at the current pace.
    private var interval = Duration.zero
    /// The turn of each kept place.
    private var places: [Caller: Instant] = [:]
    /// The kept places, ordered by turn. Entries that differ from `places` are skipped.
    private var turns = Heap<Place>()

    private struct Place: Comparable {
        let turn: Instant
        let caller: Caller

        static func < (left: Self, right: Self) -> Bool { left.turn < right.turn }
    }

    /// The number of places whose holders may still come.
    var placesHeld: Int { places.count }

    /// Gives a refused job the next place in its client's line.
    ///
    /// - Parameters:
    ///   - rate: the jobs per second that leave the router; 0 if unknown.
    ///   - caller: the client's job; nil if it has no id. Then no place is kept for it.
    /// - Returns: the milliseconds until the job's turn.
    mutating func retryAfter(rate: Double, _ client: Principal.Identity, _ caller: Caller?, at now: Instant) -> Int {
        if lineEnds[client] == nil { lineEnds = lineEnds.filter { $0.value > now } }
        let end = max(lineEnds[client] ?? now, now)
        lineEnds[client] = end
        interval = .nanoseconds(Int64(1e9 * Double(lineEnds.count) / max(rate > 0 ? rate : Self.assumedRate, 1e-3)))
        let longest = now + .milliseconds(Self.milliseconds.upperBound)
        let turn = min(end + interval, longest)
        lineEnds[client] = turn
        // Beyond the longest line, every job gets the turn at its end, and no place is kept for it.
        if let caller, turn < longest, turns.count < Self.maxPlaces {
            places[caller] = turn
            turns.insert(Place(turn: turn, caller: caller))
        }
        return max(Self.milliseconds.lowerBound, Int((turn - now).milliseconds.rounded(.up)))
    }

    /// Removes the places of jobs that did not come, and moves their lines up by one place each: as many of the jobs
    /// further back are not expected to come either.
    mutating func forget(at now: Instant) {
        while let first = turns.min, first.turn + Self.patience <= now {
            turns.removeMin()
            guard places[first.caller] == first.turn else { continue }
            places[first.caller] = nil
            lineEnds[first.caller.client] = lineEnds[first.caller.client].map { max($0 - interval, now) }
        }
    }

    /// Whether the caller has a place whose turn has come.
    func isTurn(of caller: Caller, at now: Instant) -> Bool {
        places[caller].map { $0 <= now } ?? false
    }

    /// Removes the caller's place: its job has been admitted.
    mutating func leave(_ caller: Caller) {
        places[caller] = nil
    }
}

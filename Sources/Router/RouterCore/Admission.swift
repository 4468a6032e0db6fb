internal import BifronsWire
internal import HeapModule

/// When those who were turned away may come again.
///
/// Each of them is given the next place in the line of its client, and the lines together move as fast as the workers do (a
/// virtual scheduling algorithm, ITU-T I.371 annex A). So they come back one by one, instead of all at once, and a client that
/// floods the router delays its own jobs and not those of others. Who sends the same job again when its turn has come finds
/// room: jobs that never waited leave some of the queue to those who did.
struct Admission {
    /// A job that was turned away, as it will be known when it comes again.
    struct Caller: Hashable {
        let client: Principal.Identity
        let id: String
    }

    static let milliseconds = 1...60_000
    /// Answers a second, before any was seen.
    private static let assumedRate = 10.0
    /// How long a place is kept for one who does not come.
    private static let patience = Duration.seconds(2)
    /// A place beyond these is one that nobody holds.
    private static let maxPlaces = 8192

    /// Of each client that has a line. Those that are over are forgotten when another client comes.
    private var lineEnds: [Principal.Identity: Instant] = [:]
    /// From one place of a line to the next, as they move.
    private var interval = Duration.zero
    /// When it is whose turn.
    private var places: [Caller: Instant] = [:]
    /// The same, by their turn; entries that differ from `places` are passed over.
    private var turns = Heap<Place>()

    private struct Place: Comparable {
        let turn: Instant
        let caller: Caller

        static func < (left: Self, right: Self) -> Bool { left.turn < right.turn }
    }

    /// Places that somebody may still come for.
    var placesHeld: Int { places.count }

    /// - Parameters:
    ///   - rate: jobs a second that leave; 0 if that is not known.
    ///   - caller: the client's job; nil if it has no id to be known by, and then no place is kept for it.
    /// - Returns: milliseconds until the turn of the place in its line that the job now holds.
    mutating func retryAfter(rate: Double, _ client: Principal.Identity, _ caller: Caller?, at now: Instant) -> Int {
        if lineEnds[client] == nil { lineEnds = lineEnds.filter { $0.value > now } }
        let end = max(lineEnds[client] ?? now, now)
        lineEnds[client] = end
        interval = .nanoseconds(Int64(1e9 * Double(lineEnds.count) / max(rate > 0 ? rate : Self.assumedRate, 1e-3)))
        let longest = now + .milliseconds(Self.milliseconds.upperBound)
        let turn = min(end + interval, longest)
        lineEnds[client] = turn
        // Those who do not fit into the longest line are all told its end, and none of them can be promised anything.
        if let caller, turn < longest, turns.count < Self.maxPlaces {
            places[caller] = turn
            turns.insert(Place(turn: turn, caller: caller))
        }
        return max(Self.milliseconds.lowerBound, Int((turn - now).milliseconds.rounded(.up)))
    }

    /// Forgets the places of those who did not come, and moves their lines up: as many who stand there will not come either.
    mutating func forget(at now: Instant) {
        while let first = turns.min, first.turn + Self.patience <= now {
            turns.removeMin()
            guard places[first.caller] == first.turn else { continue }
            places[first.caller] = nil
            lineEnds[first.caller.client] = lineEnds[first.caller.client].map { max($0 - interval, now) }
        }
    }

    func isTurn(of caller: Caller, at now: Instant) -> Bool {
        places[caller].map { $0 <= now } ?? false
    }

    /// The caller is in.
    mutating func leave(_ caller: Caller) {
        places[caller] = nil
    }
}

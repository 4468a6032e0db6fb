internal import HeapModule
internal import Wire

/// When those who were turned away may come again.
///
/// Each of them is given the next free place in a line that moves as fast as the workers do (a virtual scheduling algorithm,
/// ITU-T I.371 annex A), so that they come back one by one, instead of all at once. Who sends the same job again when its
/// turn has come finds room: as long as places are held, jobs that never waited leave some of the queue to those who did.
struct Admission {
    /// A job that was turned away, as it will be known when it comes again.
    struct Caller: Hashable {
        let client: Asker.Identity
        let id: String
    }

    static let milliseconds = 1...60_000
    /// Answers a second, before any was seen.
    private static let assumedRate = 10.0
    /// How long a place is kept for one who does not come.
    private static let patience = Duration.seconds(2)
    /// A line that is longer is one of places that nobody holds.
    private static let maxPlaces = 8192

    private var lineEnd = Instant(nanoseconds: 0)
    /// From one place to the next, as the line moves.
    private var interval = Duration.zero
    /// When it is whose turn.
    private var places: [Caller: Instant] = [:]
    /// The same, by their turn; entries that differ from `places` are passed over.
    private var line = Heap<Place>()

    private struct Place: Comparable {
        let turn: Instant
        let caller: Caller

        static func < (left: Self, right: Self) -> Bool { left.turn < right.turn }
    }

    /// Places that somebody may still come for.
    var placesHeld: Int { places.count }

    /// - Parameters:
    ///   - rate: jobs a second that leave; 0 if that is not known.
    ///   - caller: nil if the job has no id to be known by.
    /// - Returns: milliseconds until the place in the line that the caller now holds.
    mutating func retryAfter(rate: Double, _ caller: Caller?, at now: Instant) -> Int {
        interval = .nanoseconds(Int64(1e9 / max(rate > 0 ? rate : Self.assumedRate, 1e-3)))
        lineEnd = max(lineEnd, now) + interval
        let longest = now + .milliseconds(Self.milliseconds.upperBound)
        lineEnd = min(lineEnd, longest)
        // Those who do not fit into the longest line are all told its end, and none of them can be promised anything.
        if let caller, lineEnd < longest, line.count < Self.maxPlaces {
            places[caller] = lineEnd
            line.insert(Place(turn: lineEnd, caller: caller))
        }
        return max(Self.milliseconds.lowerBound, Int((lineEnd - now).milliseconds.rounded(.up)))
    }

    /// Forgets the places of those who did not come, and moves the line up: as many who stand in it will not come either.
    mutating func forget(at now: Instant) {
        while let first = line.min, first.turn + Self.patience <= now {
            line.removeMin()
            guard places[first.caller] == first.turn else { continue }
            places[first.caller] = nil
            lineEnd = max(lineEnd + (.zero - interval), now)
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

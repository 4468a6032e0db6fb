internal import DequeModule
internal import Wire

/// What is known of each idempotency key: the request that is computing its result, or the result.
struct IdempotencyTable {
    private enum Entry {
        /// Followers wait for the leader's result. Those that have ended meanwhile are passed over when their turn comes.
        case computing(leader: UInt64, followers: Deque<UInt64>)
        case result(ResultDocument, expires: Instant)
    }

    private let retention: Duration
    private let maxEntries: Int
    private var entries: [String: Entry] = [:]
    /// The keys of results in the order in which they expire.
    private var stored = Deque<String>()

    init(retention: Duration, maxEntries: Int) {
        self.retention = retention
        self.maxEntries = maxEntries
    }

    mutating func result(for key: String, at now: Instant) -> ResultDocument? {
        while let oldest = stored.first, case .result(_, let expires)? = entries[oldest], expires <= now {
            forgetOldest()
        }
        guard case .result(let document, _)? = entries[key] else { return nil }
        return document
    }

    /// True if the request is to compute the key's result, false if it follows another that does.
    mutating func join(_ key: String, _ serial: UInt64, _ ledger: Ledger) -> Bool {
        guard case .computing(let leader, var followers)? = entries.removeValue(forKey: key) else {
            entries[key] = .computing(leader: serial, followers: [])
            return true
        }
        if followers.count > ledger.count { followers.removeAll { !ledger.contains($0) } }
        followers.append(serial)
        entries[key] = .computing(leader: leader, followers: followers)
        return false
    }

    func isLeader(_ serial: UInt64, of key: String) -> Bool {
        guard case .computing(serial, _)? = entries[key] else { return false }
        return true
    }

    /// The leader ended without a lasting result: the first follower that still waits takes its place.
    mutating func promote(_ key: String, _ ledger: Ledger) -> UInt64? {
        guard case .computing(_, var followers)? = entries.removeValue(forKey: key) else { return nil }
        while let heir = followers.popFirst() {
            guard ledger.contains(heir) else { continue }
            entries[key] = .computing(leader: heir, followers: followers)
            return heir
        }
        return nil
    }

    /// Keeps the leader's result, without what was the leader's own, and gives the requests that followed it.
    mutating func store(_ document: ResultDocument, for key: String, at now: Instant) -> [UInt64] {
        guard case .computing(_, let followers)? = entries.removeValue(forKey: key) else { return [] }
        guard maxEntries > 0 else { return Array(followers) }
        if stored.count >= maxEntries { forgetOldest() }
        var kept = document
        kept.id = nil
        kept.metadata = nil
        entries[key] = .result(kept, expires: now + retention)
        stored.append(key)
        return Array(followers)
    }

    private mutating func forgetOldest() {
        entries[stored.removeFirst()] = nil
    }
}

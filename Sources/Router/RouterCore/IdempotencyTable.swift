internal import BifronsWire
internal import DequeModule

/// What is known of each idempotency key: the request that is computing its result, or the result.
struct IdempotencyTable {
    private enum Entry {
        /// Followers wait for the leader's result. Those that have ended meanwhile are passed over when their turn comes.
        case computing(leader: UInt64, followers: Deque<UInt64>)
        case result(ResultDocument, KeyedContent, expires: Instant)
    }

    private let retention: Duration
    private let maxEntries: Int
    private var entries: [ScopedKey: Entry] = [:]
    /// The keys of results in the order in which they expire.
    private var stored = Deque<ScopedKey>()

    init(retention: Duration, maxEntries: Int) {
        self.retention = retention
        self.maxEntries = maxEntries
    }

    /// The key's result, if there is one, and what the key stands for.
    mutating func result(for key: ScopedKey, at now: Instant) -> (document: ResultDocument, content: KeyedContent)? {
        while let oldest = stored.first, case .result(_, _, let expires)? = entries[oldest], expires <= now {
            forgetOldest()
        }
        guard case .result(let document, let content, _)? = entries[key] else { return nil }
        return (document, content)
    }

    /// True if the request is to compute the key's result, false if it follows another that does.
    mutating func join(_ key: ScopedKey, _ serial: UInt64, _ ledger: Ledger) -> Bool {
        guard case .computing(let leader, var followers)? = entries.removeValue(forKey: key) else {
            entries[key] = .computing(leader: serial, followers: [])
            return true
        }
        if followers.count > ledger.count { followers.removeAll { !ledger.contains($0) } }
        followers.append(serial)
        entries[key] = .computing(leader: leader, followers: followers)
        return false
    }

    func isLeader(_ serial: UInt64, of key: ScopedKey) -> Bool {
        guard case .computing(serial, _)? = entries[key] else { return false }
        return true
    }

    /// The leader ended without a lasting result: the first follower that still waits takes its place.
    mutating func promote(_ key: ScopedKey, _ ledger: Ledger) -> UInt64? {
        guard case .computing(_, var followers)? = entries.removeValue(forKey: key) else { return nil }
        while let heir = followers.popFirst() {
            guard ledger.contains(heir) else { continue }
            entries[key] = .computing(leader: heir, followers: followers)
            return heir
        }
        return nil
    }

    /// Keeps the leader's result, without what was the leader's own, and gives the requests that followed it.
    mutating func store(
        _ document: ResultDocument, for key: ScopedKey, _ content: KeyedContent, at now: Instant
    ) -> [UInt64] {
        guard case .computing(_, let followers)? = entries.removeValue(forKey: key) else { return [] }
        guard maxEntries > 0 else { return Array(followers) }
        if stored.count >= maxEntries { forgetOldest() }
        var kept = document
        kept.id = nil
        kept.metadata = nil
        var content = content
        content.sha256 = content.sha256 ?? document.image?.sha256
        entries[key] = .result(kept, content, expires: now + retention)
        stored.append(key)
        return Array(followers)
    }

    private mutating func forgetOldest() {
        entries[stored.removeFirst()] = nil
    }
}

internal import BifronsWire
internal import Decisions
internal import DequeModule

/// The idempotency keys in use. Each has either a request that computes its result, or that result.
struct IdempotencyTable {
    private enum Entry {
        /// Followers wait for the leader's result. Followers that have ended are skipped when their turn comes.
        case computing(leader: UInt64, followers: Deque<UInt64>)
        case result(ResultDocument, KeyedContent, expires: Instant)
    }

    private let retention: Duration
    private let maxEntries: Int
    private var entries: [ScopedKey: Entry] = [:]
    /// The keys of stored results, in the order in which they expire.
    private var stored = Deque<ScopedKey>()

    init(retention: Duration, maxEntries: Int) {
        self.retention = retention
        self.maxEntries = maxEntries
    }

    /// Returns the key's result and the content that the key stands for, or nil without a result.
    mutating func result(for key: ScopedKey, at now: Instant) -> (document: ResultDocument, content: KeyedContent)? {
        while let oldest = stored.first, case .result(_, _, let expires)? = entries[oldest], expires <= now {
            forgetOldest()
        }
        guard case .result(let document, let content, _)? = entries[key] else { return nil }
        return (document, content)
    }

    /// Returns true if the request leads and has to compute the key's result, false if it follows another request that
    /// does.
    mutating func join(_ key: ScopedKey, _ serial: UInt64, _ requests: RequestTable) -> Bool {
        guard case .computing(let leader, var followers)? = entries.removeValue(forKey: key) else {
            entries[key] = .computing(leader: serial, followers: [])
            return true
        }
        if followers.count > requests.count { followers.removeAll { !requests.contains($0) } }
        followers.append(serial)
        entries[key] = .computing(leader: leader, followers: followers)
        return false
    }

    /// Whether this request computes the key's result.
    func isLeader(_ serial: UInt64, of key: ScopedKey) -> Bool {
        guard case .computing(serial, _)? = entries[key] else { return false }
        return true
    }

    /// Makes the first unfinished follower the new leader, after the leader ended without a lasting result. Returns its
    /// serial number, or nil without a follower.
    mutating func promote(_ key: ScopedKey, _ requests: RequestTable) -> UInt64? {
        guard case .computing(_, var followers)? = entries.removeValue(forKey: key) else { return nil }
        while let heir = followers.popFirst() {
            guard requests.contains(heir) else { continue }
            entries[key] = .computing(leader: heir, followers: followers)
            return heir
        }
        return nil
    }

    /// Stores the leader's result without the leader's id and metadata, and returns the serial numbers of its
    /// followers.
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

    /// Forgets the results of a subject.
    mutating func forget(_ subject: Subject, of tenants: Tenants) {
        stored.removeAll { key in
            guard case .result(_, let content, _)? = entries[key], content.subject == subject,
                tenants.include(key.jobOwner.tenant)
            else { return false }
            entries[key] = nil
            return true
        }
    }

    private mutating func forgetOldest() {
        entries[stored.removeFirst()] = nil
    }
}

internal import DequeModule
internal import Wire

/// What is known of each idempotency key: the request that is computing its result, or the result.
struct IdempotencyTable {
    private enum Entry {
        case leader(UInt64)
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

    func leader(for key: String) -> UInt64? {
        guard case .leader(let serial)? = entries[key] else { return nil }
        return serial
    }

    /// This request computes the key's result from now on.
    mutating func lead(_ key: String, _ serial: UInt64) {
        entries[key] = .leader(serial)
    }

    mutating func unlead(_ key: String) {
        entries[key] = nil
    }

    mutating func store(_ document: ResultDocument, for key: String, at now: Instant) {
        if stored.count >= maxEntries { forgetOldest() }
        entries[key] = .result(document, expires: now + retention)
        stored.append(key)
    }

    private mutating func forgetOldest() {
        entries[stored.removeFirst()] = nil
    }
}

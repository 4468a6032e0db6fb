internal import BifronsWire

/// Tracks whether unread messages excuse the workers' silence.
///
/// No worker counts as silent before everything that the workers sent has been read. The excuse holds only for a
/// limited time. Otherwise a worker that floods the router could keep it from ever removing dead workers.
struct Backlog {
    /// How long unread messages are an excuse.
    let patience: Duration
    /// Since when unread messages have remained at every look; nil if everything is read.
    private var since: Instant?

    init(patience: Duration) {
        self.patience = patience
    }

    /// Notes whether everything that had arrived was read.
    mutating func note(isUpToDate: Bool, at now: Instant) {
        since = isUpToDate ? nil : since ?? now
    }

    /// Whether unread messages excuse silence now.
    func isExcuse(at now: Instant) -> Bool {
        since.map { now - $0 < patience } ?? false
    }
}

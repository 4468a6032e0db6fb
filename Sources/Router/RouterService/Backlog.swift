internal import BifronsWire

/// Whether everything that workers sent has been read: before that, nobody is called silent.
///
/// That excuses a worker only for so long, or one that floods the router would keep it from ever looking for the dead.
struct Backlog {
    /// How long.
    let patience: Duration
    /// Since when there was always more to read.
    private var since: Instant?

    init(patience: Duration) {
        self.patience = patience
    }

    mutating func note(isUpToDate: Bool, at now: Instant) {
        since = isUpToDate ? nil : since ?? now
    }

    func isExcuse(at now: Instant) -> Bool {
        since.map { now - $0 < patience } ?? false
    }
}

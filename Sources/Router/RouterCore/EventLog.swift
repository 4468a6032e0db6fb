internal import BifronsWire

/// The last events that an operator should know of, in memory of fixed size.
struct EventLog {
    private struct Entry {
        let number: Int
        let at: Instant
        let kind: EventsReport.Kind
        let subject: String?
    }

    /// What tells the ids of two runs of the router apart.
    private let run: String
    private var entries: [Entry] = []
    private var count = 0

    init(seed: UInt64) {
        run = EventsReport.run(UInt32(truncatingIfNeeded: seed))
    }

    /// The id of the last event; nil before the first.
    var lastID: String? { count > 0 ? "\(run)-\(count)" : nil }

    /// Adds an event. The subject must not tell of a client, a tenant or an image.
    mutating func note(_ kind: EventsReport.Kind, _ subject: String? = nil, at now: Instant) {
        count += 1
        if entries.count == EventsReport.mostEvents { entries.removeFirst() }
        entries.append(Entry(number: count, at: now, kind: kind, subject: subject))
    }

    /// Returns the report, whose times count from now: they are zero or less.
    func report(id: String?, at now: Instant) -> EventsReport {
        EventsReport(
            id: id,
            events: entries.map { entry in
                EventsReport.Event(
                    run: run, number: entry.number, atMs: min(0, Int((entry.at - now).milliseconds)),
                    kind: entry.kind, subject: entry.subject)
            })
    }
}

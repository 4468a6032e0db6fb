import Wire

/// How a call ended.
enum CallOutcome: Sendable {
    case answered([UInt8])
    case cancelled
    case failed(ClientError)
}

/// One request on its way. `end` is called exactly once, by the thread of the client.
struct Call: Sendable {
    /// Unique in this client; it travels in the envelope, so that the answer finds its call whatever ids clients choose.
    let number: UInt64
    let header: RequestHeader
    let image: [UInt8]?
    let start: Instant
    let connectTimeout: Duration
    let answerTimeout: Duration
    let end: @Sendable (CallOutcome) -> Void

    /// When an answer comes too late.
    var deadline: Instant { start + answerTimeout }
}

enum Mail: Sendable {
    case submit(Call)
    case cancel(UInt64)
    case close
}

/// The calls in flight: where each is and when it has to go on. No clock and no socket in it.
struct CallLedger {
    enum Place: Equatable {
        /// No router would take it since then.
        case waiting(since: Instant)
        case sent(router: Int)
    }

    private struct Entry {
        let call: Call
        var place: Place
    }

    private var entries: [UInt64: Entry] = [:]
    /// Numbers of waiting calls, the oldest first. Those that have ended meanwhile are skipped.
    private var queue: [UInt64] = []
    /// Calls sent to each router and not answered.
    private(set) var inFlight: [Int]
    /// No call is due earlier; one may be due later, which then costs one idle look.
    private(set) var nextDue: Instant?

    init(routers: Int) {
        inFlight = Array(repeating: 0, count: routers)
    }

    var hasWaiting: Bool { !queue.isEmpty }

    mutating func add(_ call: Call, at now: Instant) {
        entries[call.number] = Entry(call: call, place: .waiting(since: now))
        queue.append(call.number)
        expect(due(entries[call.number]!))
    }

    /// Offers every waiting call to `send`, which answers with the router that took it; stops at the first that none took.
    mutating func dispatch<Failure: Error>(
        _ send: (Call, _ inFlight: [Int]) throws(Failure) -> Int?
    ) throws(Failure) {
        var handled = 0
        defer { queue.removeFirst(handled) }
        for number in queue {
            if let entry = entries[number], case .waiting = entry.place {
                guard let router = try send(entry.call, inFlight) else { return }
                entries[number]!.place = .sent(router: router)
                inFlight[router] += 1
                expect(entry.call.deadline)
            }
            handled += 1
        }
    }

    /// Takes a call out: it has its answer, or is not wanted any more.
    mutating func remove(_ number: UInt64) -> (call: Call, place: Place)? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        if case .sent(let router) = entry.place { inFlight[router] -= 1 }
        // The number itself stays in the queue until the next dispatch comes by.
        return (entry.call, entry.place)
    }

    /// A router's connection has ended: what it had waits again, in the order of submission.
    mutating func lose(router: Int, at now: Instant) {
        let lost = entries.filter { $0.value.place == .sent(router: router) }.keys.sorted()
        for number in lost {
            entries[number]!.place = .waiting(since: now)
            expect(due(entries[number]!))
        }
        inFlight[router] = 0
        queue.insert(contentsOf: lost, at: 0)
    }

    /// Takes out the calls whose time is over.
    mutating func expired(at now: Instant) -> [(call: Call, place: Place)] {
        guard let nextDue, nextDue <= now else { return [] }
        let numbers = entries.filter { due($0.value) <= now }.keys.sorted()
        let expired = numbers.compactMap { remove($0) }
        queue.removeAll { entries[$0] == nil }
        self.nextDue = entries.values.map(due).min()
        return expired
    }

    mutating func removeAll() -> [Call] {
        defer {
            entries = [:]
            queue = []
        }
        return entries.values.map(\.call)
    }

    private func due(_ entry: Entry) -> Instant {
        switch entry.place {
        case .sent: entry.call.deadline
        case .waiting(let since): min(since + entry.call.connectTimeout, entry.call.deadline)
        }
    }

    private mutating func expect(_ instant: Instant) {
        nextDue = nextDue.map { min($0, instant) } ?? instant
    }
}

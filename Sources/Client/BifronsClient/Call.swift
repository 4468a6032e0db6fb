import BifronsWire

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
    /// The only router that may have the call; nil: any.
    let router: Int?
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
    /// Numbers of waiting calls that any router may have, the oldest first. Those that have ended meanwhile are skipped.
    private var queue: [UInt64] = []
    /// The same of calls that only one router may have, for each router: they hold nobody up while it is away.
    private var ownQueues: [[UInt64]]
    /// Calls sent to each router and not answered.
    private(set) var inFlight: [Int]
    /// No call is due earlier; one may be due later, which then costs one idle look.
    private(set) var nextDue: Instant?

    init(routers: Int) {
        inFlight = Array(repeating: 0, count: routers)
        ownQueues = Array(repeating: [], count: routers)
    }

    /// Whether a call waits that the router may have.
    func hasWaiting(for router: Int) -> Bool { !queue.isEmpty || !ownQueues[router].isEmpty }

    /// Whether a job of the same id, which need not be unique, and the same owner is in flight.
    func hasJob(like header: RequestHeader) -> Bool {
        entries.values.contains {
            let other = $0.call.header
            return other.verb == .classify && other.id == header.id && other.owner == header.owner
        }
    }

    mutating func add(_ call: Call, at now: Instant) {
        entries[call.number] = Entry(call: call, place: .waiting(since: now))
        self[keyPath: Self.queue(of: call)].append(call.number)
        expect(due(entries[call.number]!))
    }

    private static func queue(of call: Call) -> WritableKeyPath<CallLedger, [UInt64]> {
        call.router.map { \.ownQueues[$0] } ?? \.queue
    }

    /// Offers every waiting call to `send`, which answers with the router that took it; of those that any router may have,
    /// and of each router's own, stops at the first that was not taken.
    mutating func dispatch<Failure: Error>(
        _ send: (Call, _ inFlight: [Int]) throws(Failure) -> Int?
    ) throws(Failure) {
        try dispatch(\.queue, send)
        for router in ownQueues.indices { try dispatch(\.ownQueues[router], send) }
    }

    private mutating func dispatch<Failure: Error>(
        _ queue: WritableKeyPath<CallLedger, [UInt64]>, _ send: (Call, _ inFlight: [Int]) throws(Failure) -> Int?
    ) throws(Failure) {
        var handled = 0
        defer { self[keyPath: queue].removeFirst(handled) }
        for number in self[keyPath: queue] {
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
        queue.insert(contentsOf: lost.filter { entries[$0]!.call.router == nil }, at: 0)
        ownQueues[router].insert(contentsOf: lost.filter { entries[$0]!.call.router != nil }, at: 0)
    }

    /// Takes out the calls whose time is over.
    mutating func expired(at now: Instant) -> [(call: Call, place: Place)] {
        guard let nextDue, nextDue <= now else { return [] }
        let numbers = entries.filter { due($0.value) <= now }.keys.sorted()
        let expired = numbers.compactMap { remove($0) }
        queue.removeAll { entries[$0] == nil }
        for router in ownQueues.indices { ownQueues[router].removeAll { entries[$0] == nil } }
        self.nextDue = entries.values.map(due).min()
        return expired
    }

    mutating func removeAll() -> [Call] {
        defer {
            entries = [:]
            queue = []
            ownQueues = ownQueues.map { _ in [] }
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

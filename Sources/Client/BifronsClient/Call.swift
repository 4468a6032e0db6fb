import BifronsWire

/// How a call ended.
enum CallOutcome: Sendable {
    case answered([UInt8])
    case cancelled
    case failed(ClientError)
}

/// One request in flight. The client's thread calls `end` exactly once.
struct Call: Sendable {
    /// The call's number, unique within this client. It is sent in the envelope, so that the answer finds its call even
    /// if job ids are not unique.
    let number: UInt64
    let header: RequestHeader
    let image: [UInt8]?
    /// The index of the only router that may get the call; nil for any.
    let router: Int?
    let start: Instant
    let connectTimeout: Duration
    let answerTimeout: Duration
    let end: @Sendable (CallOutcome) -> Void

    /// The time at which the call fails if there is no answer.
    var deadline: Instant { start + answerTimeout }
}

enum Mail: Sendable {
    case submit(Call)
    case cancel(UInt64)
    case close
}

/// The calls in flight: the place and the deadlines of each. It has no clock and no socket.
struct CallLedger {
    enum Place: Equatable {
        /// Not sent: no router has accepted the call since then.
        case waiting(since: Instant)
        case sent(router: Int)
    }

    private struct Entry {
        let call: Call
        var place: Place
    }

    private var entries: [UInt64: Entry] = [:]
    /// The numbers of waiting calls that any router may get, oldest first. Those of ended calls are skipped.
    private var queue: [UInt64] = []
    /// For each router, the numbers of waiting calls that only this router may get. They are separate so that they do
    /// not block other calls while the router is disconnected.
    private var ownQueues: [[UInt64]]
    /// The number of unanswered calls at each router.
    private(set) var inFlight: [Int]
    /// The earliest time at which a call can be due. It may be too early, which costs one wake-up.
    private(set) var nextDue: Instant?

    init(routers: Int) {
        inFlight = Array(repeating: 0, count: routers)
        ownQueues = Array(repeating: [], count: routers)
    }

    /// Whether a call is waiting that the router may get.
    func hasWaiting(for router: Int) -> Bool { !queue.isEmpty || !ownQueues[router].isEmpty }

    /// Whether a job of the same id and owner is in flight. Ids need not be unique.
    func hasJob(like header: RequestHeader) -> Bool {
        entries.values.contains {
            let other = $0.call.header
            return other.verb.isJob && other.id == header.id && other.owner == header.owner
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

    /// Offers every waiting call to `send`, which returns the index of the router that accepted it, or nil. Stops at
    /// the first call that is not accepted, in the common queue and in each router's own.
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

    /// Removes a call that is answered or cancelled.
    /// - Returns: the call and its place; nil if it has already ended.
    mutating func remove(_ number: UInt64) -> (call: Call, place: Place)? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        if case .sent(let router) = entry.place { inFlight[router] -= 1 }
        // The number stays in the queue until the next dispatch.
        return (entry.call, entry.place)
    }

    /// Requeues the calls that were sent to a router, in the order of submission, because its connection has ended.
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

    /// Removes and returns the calls that are due.
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

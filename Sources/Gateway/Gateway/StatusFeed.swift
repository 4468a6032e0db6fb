internal import BifronsWire
internal import FoundationEssentials
internal import Hummingbird

/// Publishes the router's status once a second, and its events, as server-sent events. One request serves all
/// listeners, and nothing is requested while nobody listens.
actor StatusFeed {
    private struct Listener {
        let stream: AsyncStream<ByteBuffer>.Continuation
        var place: EventPlace
    }

    private let router: RouterConnection
    private let interval: Duration
    private var listeners: [Int: Listener] = [:]
    private var nextListener = 0
    private var poller: Task<Void, Never>?
    private var isClosed = false
    /// The events of the router that answered last.
    private var routerEvents: [EventsReport.Event] = []
    /// The events of this gateway.
    private var ownEvents: [EventsReport.Event] = []
    private var ownCount = 0
    private let run = EventsReport.run(.random(in: .min ... .max))

    init(_ router: RouterConnection, every interval: Duration = .seconds(1)) {
        self.router = router
        self.interval = interval
    }

    /// Returns the events from now on, until the listener disconnects or the feed is closed. The operator's events come
    /// first: those that are kept, or those after the one that `id` names. A slow listener misses reports of the
    /// status, but no event that is kept.
    func listen(after id: String? = nil) -> AsyncStream<ByteBuffer> {
        // A full buffer refuses what is new, so that events stay due until they are in it.
        let (events, stream) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(1))
        if isClosed {
            stream.finish()
            return events
        }
        let listener = nextListener
        nextListener += 1
        listeners[listener] = Listener(stream: stream, place: EventPlace(after: id))
        stream.onTermination = { [weak self] _ in Task { await self?.remove(listener) } }
        if poller == nil { poller = Task { await poll() } }
        return events
    }

    /// Adds the event that a token was removed from the list.
    func noteRevokedToken() {
        ownCount += 1
        let event = EventsReport.Event(
            run: run, number: ownCount, atMs: Int(Date().timeIntervalSince1970 * 1000), kind: .tokenRevoked,
            subject: nil)
        ownEvents = (ownEvents + [event]).suffix(EventsReport.mostEvents)
    }

    /// Ends all streams permanently.
    func close() {
        isClosed = true
        for listener in listeners.values { listener.stream.finish() }
    }

    private func remove(_ listener: Int) {
        listeners[listener] = nil
        if listeners.isEmpty {
            poller?.cancel()
            poller = nil
        }
    }

    private func poll() async {
        while !Task.isCancelled {
            let report = await report()
            for (number, var listener) in listeners {
                var text = ByteBuffer()
                for event in listener.place.take(from: routerEvents + ownEvents) {
                    text.writeImmutableBuffer(Self.event(event.kind.rawValue, id: event.id, StatusReport.encode(event)))
                }
                text.writeImmutableBuffer(report)
                if case .enqueued = listener.stream.yield(text) { listeners[number] = listener }
            }
            try? await Task.sleep(for: interval)
        }
    }

    /// Asks for the status, and for the events if there are new ones. Returns the status as a server-sent event.
    private func report() async -> ByteBuffer {
        struct Down: Encodable {
            let error: String
        }
        let error: String
        do {
            let answer = try await ask(.status)
            guard let problem = answer.problem else {
                let last = (try? StatusReport.decode(answer.bytes))?.router.lastEvent
                if let last, last != routerEvents.last?.id {
                    routerEvents = (try? EventsReport.decode(await ask(.events).bytes))?.events ?? routerEvents
                }
                return Self.event("status", answer.bytes)
            }
            error = problem.detail
        } catch let problem as Problem {
            error = problem.detail
        } catch {
            // Only cancellation remains, and then nobody is listening.
            return ByteBuffer()
        }
        return Self.event("down", Array((try? JSONEncoder().encode(Down(error: error))) ?? Data()))
    }

    private func ask(_ verb: Verb) async throws -> RouterConnection.Answer {
        var header = RequestHeader(verb: verb)
        header.budgetMilliseconds = 1000
        return try await router.ask(header)
    }

    /// Returns one server-sent event.
    /// - Parameters:
    ///   - id: what a client names as the last event that it has; nil for a report that it need not name.
    ///   - data: text without line breaks.
    private static func event(_ name: String, id: String? = nil, _ data: [UInt8]) -> ByteBuffer {
        let id = id.map { "id: \($0)\n" } ?? ""
        return ByteBuffer(bytes: Array("\(id)event: \(name)\ndata: ".utf8) + data + Array("\n\n".utf8))
    }
}

/// How far a listener has received the events of each run of a router or gateway.
struct EventPlace: Equatable {
    /// The most runs of which the place is kept. Events of further ones are repeated.
    private static let mostRuns = 16

    /// The number of the last event, by the run.
    private var last: [Substring: Int] = [:]

    /// Creates the place after an event; before all events if `id` is nil or names none.
    init(after id: String?) {
        if let id, let (run, number) = Self.parts(of: id) { last[run] = number }
    }

    /// Returns the events that come after the place, and moves the place behind them.
    mutating func take(from events: [EventsReport.Event]) -> [EventsReport.Event] {
        events.filter { event in
            guard let (run, number) = Self.parts(of: event.id), number > last[run, default: 0] else { return false }
            if last.count == Self.mostRuns, last[run] == nil { last = [:] }
            last[run] = number
            return true
        }
    }

    private static func parts(of id: String) -> (run: Substring, number: Int)? {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[1]), number > 0 else { return nil }
        return (parts[0], number)
    }
}

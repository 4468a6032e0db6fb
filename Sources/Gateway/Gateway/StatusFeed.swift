internal import BifronsWire
internal import FoundationEssentials
internal import Hummingbird

/// Publishes the router's status once a second as server-sent events. One request serves all listeners, and nothing is
/// requested while nobody listens.
actor StatusFeed {
    private let router: RouterConnection
    private let interval: Duration
    private var listeners: [Int: AsyncStream<ByteBuffer>.Continuation] = [:]
    private var nextListener = 0
    private var poller: Task<Void, Never>?
    private var isClosed = false

    init(_ router: RouterConnection, every interval: Duration = .seconds(1)) {
        self.router = router
        self.interval = interval
    }

    /// Returns the events from now on, until the listener disconnects or the feed is closed. A slow listener misses
    /// events.
    func listen() -> AsyncStream<ByteBuffer> {
        let (events, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingNewest(1))
        if isClosed {
            continuation.finish()
            return events
        }
        let listener = nextListener
        nextListener += 1
        listeners[listener] = continuation
        continuation.onTermination = { [weak self] _ in Task { await self?.remove(listener) } }
        if poller == nil { poller = Task { await poll() } }
        return events
    }

    /// Ends all streams permanently.
    func close() {
        isClosed = true
        for listener in listeners.values { listener.finish() }
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
            let event = await event()
            for listener in listeners.values { listener.yield(event) }
            try? await Task.sleep(for: interval)
        }
    }

    private func event() async -> ByteBuffer {
        struct Down: Encodable {
            let error: String
        }
        var header = RequestHeader(verb: .status)
        header.budgetMilliseconds = 1000
        let error: String
        do {
            let answer = try await router.ask(header)
            guard let problem = answer.problem else { return Self.event("status", answer.bytes) }
            error = problem.detail
        } catch let problem as Problem {
            error = problem.detail
        } catch {
            // Only cancellation remains, and then nobody is listening.
            return ByteBuffer()
        }
        return Self.event("down", Array((try? JSONEncoder().encode(Down(error: error))) ?? Data()))
    }

    /// Returns one server-sent event.
    /// - Parameter data: text without line breaks.
    private static func event(_ name: String, _ data: [UInt8]) -> ByteBuffer {
        ByteBuffer(bytes: Array("event: \(name)\ndata: ".utf8) + data + Array("\n\n".utf8))
    }
}

internal import HTTPTypes
internal import NIOCore

/// The connection on which a request arrived.
struct ClientConnection: Sendable {
    private let channel: any Channel

    init(_ channel: any Channel) {
        self.channel = channel
    }

    /// The client's IP address without the port; `unknown` if the connection has none.
    var address: String { channel.remoteAddress?.ipAddress ?? "unknown" }

    /// Runs `work`, and cancels it when the client disconnects. Use it for work that is useless without the client.
    /// (Hummingbird's equivalent takes the end of the client's input for a disconnect.)
    /// - Returns: the result of `work`.
    /// - Throws: what `work` throws; ``Problem/clientGone`` for the log and the metrics if the client disconnects
    ///   first.
    func whileConnected<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let (departures, departure) = AsyncStream.makeStream(of: Void.self)
        let isHeard = channel.eventLoop.makePromise(of: Void.self)
        channel.triggerUserOutboundEvent(
            ConnectionDeadlineHandler.OnDeparture { departure.finish() }, promise: isHeard)
        // The event fails on a connection that has already ended.
        isHeard.futureResult.whenFailure { _ in departure.finish() }
        return try await withThrowingTaskGroup(of: Value.self) { group in
            defer { departure.finish() }
            group.addTask(operation: work)
            group.addTask {
                for await _ in departures {}
                try Task.checkCancellation()
                throw Problem.clientGone
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}

extension Problem {
    /// Status 499, which appears only in the log and the metrics, because no client is left to read it.
    static let clientGone = Problem(
        HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request"), code: "client_gone",
        "the client closed the connection before the answer")
}

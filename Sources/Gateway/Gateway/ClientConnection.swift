internal import HTTPTypes
internal import NIOCore

/// The connection that a request came on.
struct ClientConnection: Sendable {
    private let channel: any Channel

    init(_ channel: any Channel) {
        self.channel = channel
    }

    /// The client's, without port.
    var address: String { channel.remoteAddress?.ipAddress ?? "unknown" }

    /// Does what only the client wants, and is cancelled when the client is gone. (Hummingbird's own way to that takes the end of
    /// what the client sends for its end.)
    /// - Throws: what `work` throws; ``Problem`` if the client is gone, for log and metrics.
    func whileOpen<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let (departures, departure) = AsyncStream.makeStream(of: Void.self)
        let isHeard = channel.eventLoop.makePromise(of: Void.self)
        channel.triggerUserOutboundEvent(
            ConnectionDeadlineHandler.OnDeparture { departure.finish() }, promise: isHeard)
        // A connection that has ended already hears nothing.
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
    /// For log and metrics: there is nobody to read it.
    static let clientGone = Problem(
        HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request"), code: "client_gone",
        "the client closed the connection before the answer")
}

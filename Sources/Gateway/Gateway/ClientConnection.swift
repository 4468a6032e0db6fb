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
        let task = Task(operation: work)
        let isHeard = channel.eventLoop.makePromise(of: Void.self)
        channel.triggerUserOutboundEvent(ConnectionDeadlineHandler.OnDeparture { task.cancel() }, promise: isHeard)
        // A connection that has ended already hears nothing.
        isHeard.futureResult.whenFailure { _ in task.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch is CancellationError where !Task.isCancelled {
            throw Problem.clientGone
        }
    }
}

extension Problem {
    /// For log and metrics: there is nobody to read it.
    static let clientGone = Problem(
        HTTPResponse.Status(code: 499, reasonPhrase: "Client Closed Request"), code: "client_gone",
        "the client closed the connection before the answer")
}

public import BifronsWire

/// Why a call has no result from the service, in one sentence.
public struct ClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong, for programs.
    public enum Code: Equatable, Sendable {
        /// No router could be connected to.
        case noRouter
        /// A router is reachable, but its keys and the client's do not match.
        case keysRefused
        /// A router received the request and did not answer in time.
        case noAnswer
        /// The client was closed before or during the call.
        case closed
        /// The answer does not conform to the protocol.
        case malformedAnswer
        /// The service answered `status` or `models` with an error.
        case refused(Status)
        /// ZeroMQ or the system failed.
        case failed
    }

    /// What went wrong, for programs.
    public let code: Code
    /// What went wrong, where, and what to do, in one sentence for people. The wording may change in any release.
    public let description: String

    /// Creates an error of a code, with a sentence that says what to do.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

extension ClientError {
    static let closed = ClientError(.closed, "the client was closed; open another to go on")
}

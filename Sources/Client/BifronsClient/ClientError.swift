public import BifronsWire

/// Why a call has no result of the service, in one sentence.
public struct ClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong, for programs.
    public enum Code: Equatable, Sendable {
        /// No router could be connected to.
        case noRouter
        /// A router is there, and its keys and the client's do not fit.
        case keysRefused
        /// A router has the request and did not answer in time.
        case noAnswer
        /// The client was closed before or during the call.
        case closed
        /// The answer is not what the protocol says.
        case malformedAnswer
        /// The service answered `status` or `models` with an error.
        case refused(Status)
        /// ZeroMQ or the system failed.
        case failed
    }

    /// What went wrong, for programs.
    public let code: Code
    /// What went wrong, where, and what to do: one sentence for people, which may change in any release.
    public let description: String

    /// An error of a code, with the sentence that says what to do.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

extension ClientError {
    static let closed = ClientError(.closed, "the client was closed; open another to go on")
}

public import BifronsWire

/// Why a call has no result of the service, in one sentence.
public struct ClientError: Error, Equatable, Sendable, CustomStringConvertible {
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

    public let code: Code
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

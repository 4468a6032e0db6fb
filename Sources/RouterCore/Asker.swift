/// Who sends a request, and what they may ask.
public struct Asker: Hashable, Sendable {
    /// What requests of one and the same have in common.
    public enum Identity: Hashable, Sendable {
        /// The name of a key.
        case key(String)
        /// Where there are no keys: a number that stands for the connection.
        case connection(Int)
    }

    public enum Rights: Hashable, Sendable {
        /// Nothing: the key is not, or not any more, in the list.
        case none
        /// Submit jobs, and cancel one's own.
        case client
        /// Everything.
        case `operator`
    }

    public let identity: Identity
    public let rights: Rights

    public init(_ identity: Identity, _ rights: Rights) {
        self.identity = identity
        self.rights = rights
    }

    /// Somebody who may do everything.
    public static let anybody = Asker(.connection(0), .operator)

    /// The name of the key, under which the journal keeps jobs; nil where there are no keys.
    public var owner: String? {
        if case .key(let name) = identity { name } else { nil }
    }

    /// A client's idempotency key as the table knows it: those of different owners never meet.
    func scoped(_ idempotencyKey: String) -> String {
        // Names of keys hold no blank.
        owner.map { "\($0) \(idempotencyKey)" } ?? idempotencyKey
    }
}

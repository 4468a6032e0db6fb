package import BifronsWire

/// Who sends a request, and what they may ask.
package struct Principal: Hashable, Sendable {
    /// What requests of one and the same have in common: the jobs and bytes of each are limited.
    package enum Identity: Hashable, Sendable {
        /// The name of a key.
        case key(String)
        /// Where there are no keys: a number that stands for the connection.
        case connection(Int)
        /// Somebody on whose behalf a gateway asks, over whatever connection.
        case owner(JobOwner)
    }

    package enum Rights: Hashable, Sendable {
        /// Nothing: the key is not, or not any more, in the list.
        case none
        /// Submit jobs, fetch and cancel one's own.
        case client
        /// What a client may, for owners that it names and for itself; and look at the status.
        case gateway
        /// Everything, but naming owners.
        case `operator`
    }

    package let identity: Identity
    package let rights: Rights

    package init(_ identity: Identity, _ rights: Rights) {
        self.identity = identity
        self.rights = rights
    }

    /// Somebody who may do everything.
    package static let anybody = Principal(.connection(0), .operator)

    /// Whose the jobs are. Where there are no keys, those of all connections are one's.
    package var jobOwner: JobOwner {
        switch identity {
        case .key(let name): JobOwner(key: name)
        case .connection: JobOwner(key: nil)
        case .owner(let jobOwner): jobOwner
        }
    }

    /// Whether they may say on whose behalf they ask: a gateway may, and where there are no keys anybody.
    var mayNameOwners: Bool {
        switch rights {
        case .none, .client: false
        case .gateway: true
        case .operator: jobOwner.key == nil
        }
    }

    /// Whether the jobs of others are theirs to fetch and to cancel.
    var reachesAll: Bool { rights == .operator && jobOwner.owner == nil }

    /// The same, asking on behalf of an owner if one is named.
    func acting(for owner: String?) -> Principal {
        owner.map { Principal(.owner(JobOwner(key: jobOwner.key, owner: $0)), rights) } ?? self
    }
}

/// An idempotency key as the router knows it: those of different owners never meet.
struct ScopedKey: Hashable {
    let jobOwner: JobOwner
    let key: String
}

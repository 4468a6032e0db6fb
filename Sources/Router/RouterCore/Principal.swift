package import BifronsWire

/// The sender of a request, and the sender's rights.
package struct Principal: Hashable, Sendable {
    /// The client that limits of jobs and bytes apply to.
    package enum Identity: Hashable, Sendable {
        /// The name of a key.
        case key(String)
        /// A number that stands for the connection, where keys are not in use.
        case connection(Int)
        /// An owner on whose behalf a gateway asks, over any connection.
        case owner(JobOwner)
    }

    /// The rights of a principal.
    package enum Rights: Hashable, Sendable {
        /// Nothing: the key is not in the allow-list, or was removed from it.
        case none
        /// May submit jobs, and fetch and cancel its own.
        case client
        /// May do what a client may, for itself and for owners that it names, and read the status.
        case gateway
        /// May do everything except naming owners.
        case `operator`
    }

    package let identity: Identity
    package let rights: Rights

    package init(_ identity: Identity, _ rights: Rights) {
        self.identity = identity
        self.rights = rights
    }

    /// A principal that may do everything.
    package static let anybody = Principal(.connection(0), .operator)

    /// The owner of the principal's jobs. Where keys are not in use, all connections share one owner.
    package var jobOwner: JobOwner {
        switch identity {
        case .key(let name): JobOwner(key: name)
        case .connection: JobOwner(key: nil)
        case .owner(let jobOwner): jobOwner
        }
    }

    /// Whether the principal may ask on behalf of an owner: a gateway may, and so may anybody where keys are not in
    /// use.
    var mayNameOwners: Bool {
        switch rights {
        case .none, .client: false
        case .gateway: true
        case .operator: jobOwner.key == nil
        }
    }

    /// Whether the principal may fetch and cancel everybody's jobs.
    var reachesAll: Bool { rights == .operator && jobOwner.owner == nil }

    /// Returns the principal that asks on behalf of the owner, or the same principal if none is named.
    func acting(for owner: String?) -> Principal {
        owner.map { Principal(.owner(JobOwner(key: jobOwner.key, owner: $0)), rights) } ?? self
    }
}

/// An idempotency key within its owner's scope: equal keys of different owners are different keys.
struct ScopedKey: Hashable {
    let jobOwner: JobOwner
    let key: String
}

/// The person, post or other thing that an image belongs to, as the client names it.
///
/// The decision ledger keeps it with each decision, so that decisions can be found by it, and erased.
public struct Subject: Hashable, Codable, Sendable {
    /// What kind of thing it is, for instance `user`; 1 to ``Limits/identifierBytes`` bytes.
    public var type: String
    /// Its id among those of its kind; 1 to ``Limits/identifierBytes`` bytes.
    public var id: String

    /// Creates a subject from its type and its id.
    public init(type: String, id: String) {
        self.type = type
        self.id = id
    }
}

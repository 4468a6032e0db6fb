/// Whose a job is. Those of one owner never meet another's: by their ids, or by their idempotency keys.
public struct JobOwner: Hashable, Sendable {
    /// The name of the key that the job came with; nil where there are no keys.
    public var key: String?
    /// On whose behalf a gateway sent it.
    public var owner: String?

    public init(key: String?, owner: String? = nil) {
        self.key = key
        self.owner = owner
    }
}

/// What an idempotency key stands for: a picture, and what was asked of it.
///
/// The rest of a header may differ between requests with one key. The policy may, too: it decides on what is known.
public struct KeyedContent: Equatable, Sendable {
    /// The 32 bytes of the image's SHA-256; nil if that is not known.
    public var sha256: [UInt8]?
    /// In alphabetical order; nil for all.
    public var models: [String]?
    public var requirement: RequestHeader.Requirement
    public var explain: Bool

    public init(_ header: RequestHeader, sha256: [UInt8]?) {
        self.sha256 = sha256
        models = header.models?.sorted()
        requirement = header.requirement
        explain = header.explain
    }

    /// The error for a request with this content, if its key stands for another.
    public func conflict(with known: KeyedContent) -> WireError? {
        let difference: String
        if let sha256, let other = known.sha256, sha256 != other {
            difference = "image"
        } else if models != known.models {
            difference = "'models'"
        } else if requirement != known.requirement {
            difference = "'require'"
        } else if explain != known.explain {
            difference = "'explain'"
        } else {
            return nil
        }
        return WireError(
            .unprocessable, code: "idempotency_mismatch",
            "the field 'idempotency_key' has the key of a job with another \(difference); give this job a key of its own"
        )
    }
}

/// The owner of a job. Ids and idempotency keys of different owners never collide.
public struct JobOwner: Hashable, Sendable {
    /// The name of the CURVE key with which the job was submitted; nil where keys are not in use.
    public var key: String?
    /// The owner on whose behalf a gateway submitted the job; nil for none.
    public var owner: String?

    public init(key: String?, owner: String? = nil) {
        self.key = key
        self.owner = owner
    }
}

/// The content that an idempotency key stands for: an image and the questions about it.
///
/// The rest of the header may differ between requests with the same key. This includes the policy, which is applied to
/// the stored scores.
public struct KeyedContent: Equatable, Sendable {
    /// The 32 bytes of the image's SHA-256; nil if unknown.
    public var sha256: [UInt8]?
    /// The requested models in alphabetical order; nil for all.
    public var models: [String]?
    public var requirement: RequestHeader.Requirement
    public var explain: Bool

    public init(_ header: RequestHeader, sha256: [UInt8]?) {
        self.sha256 = sha256
        models = header.models?.sorted()
        requirement = header.requirement
        explain = header.explain
    }

    /// Returns the error for a request with this content whose key stands for `known`, or nil if the contents match.
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

/// The owner of a job. Ids and idempotency keys of different owners never collide.
public struct JobOwner: Hashable, Sendable {
    /// The name of the CURVE key with which the job was submitted; nil where keys are not in use.
    public var key: String?
    /// The owner on whose behalf a gateway submitted the job; nil for none.
    public var owner: String?

    /// An owner: the name of the key that its jobs come with, and on whose behalf a gateway sends them.
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
    /// Whether a missing model spoils the result.
    public var requirement: RequestHeader.Requirement
    /// Whether heat maps are asked for.
    public var explain: Bool

    /// What a header asks of an image.
    /// - Parameters:
    ///   - header: of the request.
    ///   - sha256: the 32 bytes of the image's SHA-256; nil if that is not known.
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

/// What became of a durable job that was to be written down.
package enum JournalOutcome: Equatable, Sendable {
    case stored
    /// It is written down, with the result that another job with the same key has.
    case known(ResultDocument)
    /// It is not written down, because of the job itself.
    case refused(WireError)
    /// It is not written down; the reason completes "the journal cannot be used now: …".
    case failed(String)
}

/// What the journal knows of an id.
package enum JournalLookupResult: Equatable, Sendable {
    case result(ResultDocument)
    case running
    case unknown
    /// It cannot look now, and why.
    case failed(String)
}

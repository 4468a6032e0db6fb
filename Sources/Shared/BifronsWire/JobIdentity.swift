/// The owner of a job. Ids and idempotency keys of different owners never collide.
public struct JobOwner: Hashable, Sendable {
    /// The name of the CURVE key with which the job was submitted; nil where keys are not in use.
    public var key: String?
    /// The owner on whose behalf a gateway submitted the job; nil for none.
    public var owner: String?

    /// Creates an owner from the name of a CURVE key and, for a gateway's jobs, the owner on whose behalf it submits
    /// them.
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
    /// Whether the result needs a score of every requested model or of at least one.
    public var requirement: RequestHeader.Requirement
    /// Whether the request asks for heat maps.
    public var explain: Bool
    /// The image's subject. Keys with different subjects do not conflict; an erasure finds the result by it.
    public var subject: Subject?

    /// Creates the content of a request from its header and its image.
    /// - Parameters:
    ///   - header: The request's header.
    ///   - sha256: The 32 bytes of the image's SHA-256; nil if unknown.
    public init(_ header: RequestHeader, sha256: [UInt8]?) {
        self.sha256 = sha256
        models = header.models?.sorted()
        requirement = header.requirement
        explain = header.explain
        subject = header.subject
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

/// The outcome of writing a durable job to the journal.
package enum JournalOutcome: Equatable, Sendable {
    /// The job is stored.
    case stored
    /// The job is stored, with the result of an earlier job that has the same idempotency key.
    case known(ResultDocument)
    /// The journal refuses the job, because of the job itself.
    case refused(WireError)
    /// The journal could not store the job. The reason completes "the journal cannot be used now: …".
    case failed(String)
}

/// The result of looking up a job's id in the journal.
package enum JournalLookupResult: Equatable, Sendable {
    /// The job has this result.
    case result(ResultDocument)
    /// The job has no result yet.
    case running
    /// The journal has no job with this id.
    case unknown
    /// The journal cannot be read now, for this reason.
    case failed(String)
}

package import BifronsWire

/// What the router asks of the decision ledger, which another thread keeps.
package enum LedgerQuestion: Equatable, Sendable {
    /// Stores the next version of a policy.
    case store(PolicyVersion, note: LedgerNote)
    /// Stores an activation.
    case activate(PolicyBook.Activation, note: LedgerNote)
    /// Asks for a page of decisions.
    case page(DecisionQuery)
    /// Asks for one decision, with what its computation gives today.
    case replay(number: UInt64, tenant: Tenants)
    /// Asks for one decision, with what its computation from stored bits gives today, and how it differs from the
    /// decision that was now computed from its image.
    case compare(number: UInt64, Tenants, Decision)
    /// Tries a policy on the decisions of a query, as many as its limit.
    case attempt(PolicyVersion, DecisionQuery)
    /// Compares what shadows said about the decisions of a query, as many as its limit.
    case shadows(DecisionQuery)
    /// Checks the chain from a decision on, as far as the limit.
    case verify(from: Int64, limit: Int)
    /// Removes what points to a subject.
    case erase(Subject, Tenants)
    /// Hands out the next decision to review, of one policy or of all.
    case nextReview(Reviewer, policy: String?)
    /// Asks for the decisions behind a sequence number that wait for a reviewer, in the order of the ledger.
    case reviews(since: Int64, limit: Int, Tenants, policy: String?)
    /// Stores a reviewer's answer.
    case review(number: UInt64, ReviewRequest, Reviewer)
    /// Takes back the reviewer's own answer, and hands the decision out again.
    case withdrawReview(number: UInt64, Reviewer)
    /// Asks for the image of a decision to review.
    case reviewImage(number: UInt64, Tenants)
    /// Stores an appeal.
    case appeal(Appeal, Reviewer)
    /// Looks for a threshold of a policy in the reviews of a tenant, or of all.
    case tune(PolicyVersion, TuningRequest, Tenants)
}

/// What is said about a change: who made it, and why.
package struct LedgerNote: Equatable, Sendable {
    package var author: String?
    package var text: String?

    package init(author: String?, text: String? = nil) {
        self.author = author
        self.text = text
    }
}

/// Whose decisions a question is about.
package enum Tenants: Equatable, Sendable {
    case all
    /// Those of one tenant; nil stands for the clients without a name.
    case one(String?)
}

/// Which decisions a page has: all that match, from a place in the ledger on.
package struct DecisionQuery: Equatable, Sendable {
    /// The most decisions of one page.
    package static let mostDecisions = 1000

    /// The sequence number behind which the page begins; 0 for the beginning.
    package var since: Int64
    /// The last sequence number; nil for the end.
    package var until: Int64?
    package var limit: Int
    package var tenants: Tenants
    package var action: ResultDocument.PolicyAction?
    package var subject: Subject?
    /// Whether the page goes backwards: from before `since`, or from the end with 0.
    package var isBackward: Bool

    package init(
        since: Int64 = 0, until: Int64? = nil, limit: Int = 100, tenants: Tenants = .all,
        action: ResultDocument.PolicyAction? = nil, subject: Subject? = nil, isBackward: Bool = false
    ) {
        self.since = since
        self.until = until
        self.limit = limit
        self.tenants = tenants
        self.action = action
        self.subject = subject
        self.isBackward = isBackward
    }
}

/// The ledger's answer to a question.
package enum LedgerAnswer: Equatable, Sendable {
    /// The version or activation is on disk.
    case stored
    /// The members of the reply, as the JSON text of an object.
    case members([UInt8])
    /// A reviewer's answer is on disk: the members of the reply, and whether it agrees with the verdict; nil if that
    /// cannot be said.
    case reviewed([UInt8], ReviewAgreement?)
    /// The outcome of a part of a trial, and where the next part begins; nil at the end.
    case attempted(PolicyTrial, next: Int64?)
    /// The comparison of a part of the decisions, and where the next part begins; nil at the end.
    case compared(ShadowReport, next: Int64?)
    /// There is no such decision.
    case unknown
    /// The ledger refuses the change.
    case refused(WireError)
    /// The outcome of a search for a threshold.
    case tuned(TuningReport)
    /// The ledger cannot answer now. The reason completes "the journal cannot be used now: …".
    case failed(String)
}

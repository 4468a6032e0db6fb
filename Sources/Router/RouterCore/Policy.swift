package import BifronsWire

extension Ensemble {
    /// How a merged probability and the evidence of an image become an action.
    package struct Policy: Equatable, Sendable {
        /// The probability, from 0 to 1, from which on a person should review the image.
        package var review: Double
        /// The probability, from 0 to 1, from which on the image is blocked.
        package var block: Double
        /// The action for an image in which no face was found.
        package var noFace: ResultDocument.PolicyAction
        /// What evidence does to the action, in this order; nil if the operator has written no clauses.
        package var clauses: [Clause]?

        /// - Parameter noFace: by default `.review`, since nothing is known of the image.
        package init(
            review: Double, block: Double, noFace: ResultDocument.PolicyAction? = nil, clauses: [Clause]? = nil
        ) {
            self.review = review
            self.block = block
            self.noFace = noFace ?? .review
            self.clauses = clauses
        }

        /// The action that the probability, or nil for an image without a face, leads to without evidence.
        func action(for probability: Double?) -> ResultDocument.PolicyAction {
            guard let probability else { return noFace }
            return probability >= block ? .block : probability >= review ? .review : .allow
        }
    }

    /// A clause as the operator writes it. The ensemble checks it when it is made.
    package struct Clause: Equatable, Sendable {
        /// The values of evidence that meet the clause, by field (`provenance.claim`). All fields must have one of
        /// their values, and those of known images in the same match.
        package var conditions: [String: [String]]
        /// The mildest action if the clause is met.
        package var atLeast: ResultDocument.PolicyAction?
        /// The strictest action if the clause is met.
        package var atMost: ResultDocument.PolicyAction?
        /// The word for the verdict's reasons: by default the kind of evidence that the clause reads.
        package var reason: String?

        package init(
            if conditions: [String: [String]], atLeast: ResultDocument.PolicyAction? = nil,
            atMost: ResultDocument.PolicyAction? = nil, reason: String? = nil
        ) {
            self.conditions = conditions
            self.atLeast = atLeast
            self.atMost = atMost
            self.reason = reason
        }
    }

    /// The clauses of the policy `default` if the operator has written none: an image that says of itself that a model
    /// made it goes to a person, whoever signed that, and so does one from a bank for reviews. Only the operator's
    /// own bank blocks, and nothing lowers an action.
    static func defaultClauses(for evidence: [EvidenceKind]) -> [Clause] {
        evidence.flatMap { kind in
            switch kind {
            case .provenance: [Clause(if: ["provenance.claim": ["ai_generated", "ai_edited"]], atLeast: .review)]
            case .known:
                [
                    Clause(if: ["known.bank_kind": ["block"]], atLeast: .block),
                    Clause(if: ["known.bank_kind": ["review"]], atLeast: .review),
                ]
            }
        }
    }
}

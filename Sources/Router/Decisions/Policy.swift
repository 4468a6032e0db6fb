package import BifronsWire

/// How a merged probability and the evidence of an image become an action.
package struct Policy: Equatable, Sendable {
    /// Whether a decision must be in the decision ledger before the client learns of it.
    package enum Record: String, Codable, CaseIterable, Sendable {
        /// A decision that cannot be recorded is not answered: the request fails with 503.
        case required
        /// The answer does not wait for the ledger, and says so if a decision could not be recorded.
        case bestEffort = "best_effort"
    }

    /// The probability, from 0 to 1, from which on a person should review the image.
    package var review: Double
    /// The probability, from 0 to 1, from which on the image is blocked.
    package var block: Double
    /// The action for an image in which no face was found.
    package var noFace: ResultDocument.PolicyAction
    /// The mildest action for a verdict that lacks a requested model.
    package var degraded: ResultDocument.PolicyAction
    /// What evidence does to the action, in this order; nil if the operator has written no clauses.
    package var clauses: [Clause]?
    /// Other policies that are applied to the same images for comparison, without an effect on the answer.
    package var shadow: [PolicyReference]
    /// Whether decisions must be recorded.
    package var record: Record
    /// The smallest share of images that are drawn: an image counts with its inverse.
    package static let leastSample = 0.0001
    /// The share, 0 or from ``leastSample`` to 1, of all images that are drawn at random for a review, whatever the action is.
    package var sample: Double
    /// The share, from 0 to 1, of reviews whose reviewer answers before seeing what the networks say.
    package var blind: Double
    /// What adapts the merged probability to a tenant's images; nil if it is used as it is.
    package var calibration: Calibration?

    /// - Parameter noFace: by default `.review`, since nothing is known of the image.
    package init(
        review: Double, block: Double, noFace: ResultDocument.PolicyAction? = nil,
        degraded: ResultDocument.PolicyAction? = nil, clauses: [Clause]? = nil, shadow: [PolicyReference]? = nil,
        record: Record? = nil, sample: Double? = nil, blind: Double? = nil, calibration: Calibration? = nil
    ) {
        self.review = review
        self.block = block
        self.noFace = noFace ?? .review
        self.degraded = degraded ?? .allow
        self.clauses = clauses
        self.shadow = shadow ?? []
        self.record = record ?? .bestEffort
        self.sample = sample ?? 0
        self.blind = blind ?? 0
        self.calibration = calibration
    }

    /// The action that the probability, or nil for an image without a face, leads to without evidence.
    package func action(for probability: Double?) -> ResultDocument.PolicyAction {
        guard let probability else { return noFace }
        return probability >= block ? .block : probability >= review ? .review : .allow
    }

    /// A clause as the operator writes it. ``PolicyVersion`` checks it.
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

/// A logistic recalibration of a probability (Platt 1999): `sigmoid(scale * logit(p) + bias)`.
package struct Calibration: Equatable, Sendable {
    /// The factor of the logit, above 0 and at most ``mostScale``.
    package var scale: Double
    /// What is added to the logit, of a size of at most ``mostBias``.
    package var bias: Double

    package static let mostScale = 10.0
    package static let mostBias = 20.0
    /// The calibration that changes nothing.
    package static let identity = Calibration(scale: 1, bias: 0)

    package init(scale: Double, bias: Double) {
        self.scale = scale
        self.bias = bias
    }

    /// Returns the recalibrated probability.
    package func callAsFunction(_ probability: Double) -> Double {
        Merge.sigmoid(scale * Merge.logit(probability) + bias)
    }
}

/// A version of a policy, written `NAME@VERSION`.
package struct PolicyReference: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    package let version: Int

    package init(name: String, version: Int) {
        self.name = name
        self.version = version
    }

    /// Parses a reference; nil if the text is none.
    package init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let version = Int(parts[1]), version > 0 else { return nil }
        self.init(name: String(parts[0]), version: version)
    }

    package var description: String { "\(name)@\(version)" }
}

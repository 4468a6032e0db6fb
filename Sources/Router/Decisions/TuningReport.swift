package import BifronsWire

/// The body of `tune_policy`.
package struct TuningRequest: Decodable, Equatable, Sendable {
    /// The wanted share of real images that reach the threshold: from a millionth to a half.
    package var fpr: Double
    /// The action that begins at the threshold: `review` or `block`; by default `block`.
    package var action: ResultDocument.PolicyAction?
    /// The only tenant whose reviews count, and whose active version is the model of the draft.
    package var tenant: String?
    /// Whether the draft also recalibrates the probability.
    package var refit: Bool?
    /// Whether the draft is stored as the next version.
    package var store: Bool?

    /// Checks the fields.
    ///
    /// - Throws: an error that names the field.
    package func check() throws(WireError) {
        guard (1e-6...0.5).contains(fpr) else {
            throw WireError(.unprocessable, code: "body_invalid", "fpr must be from 0.000001 to 0.5")
        }
        guard action != .allow else {
            throw WireError(.unprocessable, code: "body_invalid", "action must be review or block")
        }
    }
}

/// The members of the reply to the verb `tune_policy`.
package struct TuningReport: Encodable, Equatable, Sendable {
    /// The confidence of the interval's upper end alone, in percent.
    private static let confidence = 95

    package struct Reviewed: Encodable, Equatable, Sendable {
        package var real: Int
        package var aiGenerated: Int
        package var effective: Double

        private enum CodingKeys: String, CodingKey {
            case real, effective
            case aiGenerated = "ai_generated"
        }
    }

    package var fpr: Double
    package var action: ResultDocument.PolicyAction
    package var reviewed: Reviewed
    /// The threshold on the scale of the draft; nil if there are too few reviews.
    package var threshold: Double?
    /// The weighted share of the reviewed real images that reach the threshold.
    package var rate: Double?
    /// The ends of the rate's Clopper–Pearson interval, each with a confidence of 95 %.
    package var interval: [Double]?
    package var confidence = Self.confidence
    /// The weighted share of the reviewed AI-generated images that reach the threshold.
    package var detected: Double?
    /// The draft: the active policy with the new threshold.
    package var policy: Policy?
    /// The number of the draft as a stored version; nil if it is not stored.
    package var version: Int?
    /// What is missing, as a sentence; nil with a threshold.
    package var message: String?

    /// - Parameters:
    ///   - reviewed: the reviewed images.
    ///   - policy: the policy whose threshold is to change.
    package init(_ reviewed: [Tuning.Reviewed], _ request: TuningRequest, changing policy: Policy) {
        let tuning = Tuning(reviewed, rate: request.fpr)
        (fpr, action) = (request.fpr, request.action ?? .block)
        self.reviewed = Reviewed(
            real: tuning.real, aiGenerated: tuning.aiGenerated, effective: (tuning.effective * 10).rounded() / 10)
        guard let found = tuning.threshold else {
            message =
                "needs \(tuning.missing) more reviewed real pictures for a rate of at most \(request.fpr): "
                + "\(tuning.real) of them count as \(Int(tuning.effective)) now"
            return
        }
        var draft = policy
        if request.refit == true { draft.calibration = Tuning.calibration(reviewed) }
        let threshold = draft.calibration?(found.probability) ?? found.probability
        if action == .review {
            draft.review = threshold
            draft.block = max(draft.block, threshold)
        } else {
            draft.block = threshold
            draft.review = min(draft.review, threshold)
        }
        self.policy = draft
        self.threshold = threshold
        rate = found.rate
        interval = [found.interval.lower, found.interval.upper]
        detected = tuning.detected
    }
}

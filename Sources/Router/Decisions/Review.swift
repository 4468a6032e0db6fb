internal import BifronsWire
internal import Hashing

/// What a reviewer says about an image.
package enum ReviewOutcome: String, Codable, CaseIterable, Sendable {
    case aiGenerated = "ai_generated"
    case real
    /// The reviewer cannot tell.
    case unsure
    /// The question does not apply, for instance because the image shows no face.
    case notApplicable = "not_applicable"
    /// The reviewer leaves the image to others. It goes to the end of the queue.
    case skip
}

/// Whether a reviewer's answer and the verdict name the same label.
package struct ReviewAgreement: Equatable, Sendable {
    /// The tenant of the decision.
    package var tenant: String?
    package var isSame: Bool

    /// Creates nil if the answer or the verdict names no label.
    package init?(_ outcome: ReviewOutcome, _ decision: Decision) {
        switch (outcome, decision.body.label) {
        case (_, .noFace), (.unsure, _), (.notApplicable, _), (.skip, _): return nil
        case (.real, let label): isSame = label == .real
        case (.aiGenerated, let label): isSame = label == .aiGenerated
        }
        tenant = decision.tenant
    }
}

/// Why a decision waits for a reviewer, and its place among the others.
package struct ReviewEntry: Equatable, Sendable {
    /// Reviews are handed out from three lines.
    package enum Lane: Int, Sendable {
        /// Somebody appealed against the decision. The oldest comes first.
        case appeal = 0
        /// The policy's action is `review`. The decision nearest to a threshold comes first.
        case doubtful = 1
        /// The image was drawn at random. The oldest comes first, so that the order depends on nothing that the
        /// networks say.
        case drawn = 2
    }

    package var lane: Lane
    /// Whether the action is `review`, so that the image is reviewed whether or not it was drawn.
    package var isDoubtful: Bool
    /// The difference in logits between the merged probability and the policy's nearer threshold; nil without a
    /// probability.
    package var distance: Double?
    /// The merged probability, before the policy's calibration; nil without a face.
    package var probability: Double?
    /// The probability with which any image was drawn.
    package var sample: Double
    /// Whether the reviewer answers before seeing what the networks say.
    package var isBlind: Bool
}

extension PolicyVersion {
    /// Returns the decision's entry in the queue of reviews; nil if nobody has to look at the image.
    ///
    /// Whether an image is drawn, and whether its review is blind, follows from the decision's number alone. So a
    /// durable job that is computed again is drawn again.
    package func reviewEntry(for decision: Decision) -> ReviewEntry? {
        let isDrawn = Self.fraction(decision.number, stream: 1) < policy.sample
        let isDoubtful = decision.body.action == .review
        guard isDrawn || isDoubtful else { return nil }
        let probability = decision.body.probability.map(\.value)
        let merged = probability.map { policy.calibration?.inverse($0) ?? $0 }
        let distance = probability.map { probability in
            [policy.review, policy.block].map { abs(Merge.logit($0) - Merge.logit(probability)) }.min() ?? .infinity
        }
        return ReviewEntry(
            lane: isDrawn ? .drawn : .doubtful, isDoubtful: isDoubtful,
            distance: distance.flatMap { $0.isFinite ? $0 : nil },
            probability: merged, sample: policy.sample,
            isBlind: Self.fraction(decision.number, stream: 2) < policy.blind)
    }

    /// Returns a number from 0 to below 1 that is as good as random for each number and stream (SplitMix64's
    /// finalizer, Steele, Lea and Flood 2014).
    package static func fraction(_ number: UInt64, stream: UInt64) -> Double {
        var bits = number &+ stream &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((bits ^ (bits >> 31)) >> 11) * 0x1p-53
    }
}

extension Decision.Body {
    /// What a probability of this decision can be compared with: 16 hexadecimal digits of a hash over the digests of the
    /// merge and of the models whose scores it is merged from.
    package var basis: String {
        let digests = [merge] + models.filter { $0.status == Status.ok.rawValue }.map { $0.digest ?? "" }
        return String(SHA256.hexDigest(of: Array(digests.joined(separator: " ").utf8)).prefix(16))
    }
}

extension Calibration {
    /// Returns the probability whose recalibrated value this is.
    package func inverse(_ probability: Double) -> Double {
        Merge.sigmoid((Merge.logit(probability) - bias) / scale)
    }
}

internal import BifronsWire

/// What a shadow, a model that takes no part in answers, said about a decision's image.
package struct ShadowScore: Encodable, Equatable, Sendable {
    /// The number of the decision.
    package var decision: UInt64
    package var model: String
    package var version: String
    package var digest: String
    /// The calibrated logit of each region of the decision, as its exact bits; nil without a score.
    package var logits: [FloatBits?]

    package init(decision: UInt64, model: String, version: String, digest: String, logits: [FloatBits?]) {
        self.decision = decision
        self.model = model
        self.version = version
        self.digest = digest
        self.logits = logits
    }

    private enum CodingKeys: String, CodingKey {
        case model, version, digest, logits
    }

    /// The probability of the most suspicious region; nil without a score.
    package var probability: Double? {
        logits.compactMap { $0.map { Merge.sigmoid(Double($0.value)) } }.max()
    }
}

/// How shadow policies and shadow models compare with the decisions that were made: the members of the reply to the
/// verb `shadows`.
package struct ShadowReport: Encodable, Equatable, Sendable {
    /// One shadow against the decisions.
    package struct Comparison: Encodable, Equatable, Sendable {
        /// The number of decisions that the shadow was applied to.
        package private(set) var count = 0
        /// The number of those with the same action.
        package private(set) var agreed = 0
        /// The number of decisions by the recorded action, then by the shadow's.
        package private(set) var matrix: PolicyTrial.Matrix = [:]
        /// The numbers of decisions by the thousandths by which the shadow's probability differs.
        private var differences: [Int: Int] = [:]

        /// Counts a decision.
        ///
        /// - Parameter difference: the size of the difference of the probabilities; nil without one.
        mutating func add(
            _ was: ResultDocument.PolicyAction, _ would: ResultDocument.PolicyAction, difference: Double? = nil
        ) {
            count += 1
            if was == would { agreed += 1 }
            matrix[was.rawValue, default: [:]][would.rawValue, default: 0] += 1
            if let difference { differences[Int((difference * 1000).rounded(.up)), default: 0] += 1 }
        }

        mutating func add(_ later: Comparison) {
            count += later.count
            agreed += later.agreed
            for (was, row) in later.matrix {
                for (would, number) in row { matrix[was, default: [:]][would, default: 0] += number }
            }
            differences.merge(later.differences, uniquingKeysWith: +)
        }

        /// Returns the difference, rounded up to a thousandth, that a share of the decisions does not exceed.
        func quantile(_ share: Double) -> Double? {
            let total = differences.values.reduce(0, +)
            var seen = 0
            for (thousandths, number) in differences.sorted(by: { $0.key < $1.key }) {
                seen += number
                if Double(seen) >= share * Double(total) { return Double(thousandths) / 1000 }
            }
            return nil
        }

        private enum CodingKeys: String, CodingKey {
            case count, agreed, matrix, difference
        }

        private struct Quantiles: Encodable {
            var p50: Double?
            var p90: Double?
            var p99: Double?
            var max: Double?
        }

        package func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(count, forKey: .count)
            try fields.encode(agreed, forKey: .agreed)
            try fields.encode(matrix, forKey: .matrix)
            guard !differences.isEmpty else { return }
            try fields.encode(
                Quantiles(p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: quantile(1)),
                forKey: .difference)
        }
    }

    /// The number of decisions.
    package private(set) var count = 0
    /// By `NAME@VERSION`.
    package private(set) var policies: [String: Comparison] = [:]
    /// By the model's name, version and the first digits of its digest. The action is the one that the decision's policy
    /// leads to with the shadow's probability.
    package private(set) var models: [String: Comparison] = [:]

    package init() {}

    /// Counts a decision.
    ///
    /// - Parameters:
    ///   - policy: the version that decided; nil if it is not kept.
    ///   - scores: what shadow models said.
    package mutating func add(_ decision: Decision, _ policy: PolicyVersion?, _ scores: [ShadowScore]) {
        count += 1
        let body = decision.body
        for shadow in body.shadow {
            policies["\(shadow.policy)@\(shadow.version)", default: Comparison()].add(body.action, shadow.action)
        }
        guard let policy else { return }
        for score in scores {
            let verdict = policy.verdict(score.probability, isDegraded: body.isDegraded, evidence: body.evidence)
            let difference = body.probability.flatMap { known in
                verdict.aiProbability.map { abs($0 - known.value) }
            }
            let name = "\(score.model) \(score.version) \(score.digest.dropFirst("sha256:".count).prefix(8))"
            models[name, default: Comparison()].add(body.action, verdict.action, difference: difference)
        }
    }

    /// Adds the counts of a later part.
    package mutating func add(_ later: ShadowReport) {
        count += later.count
        for (name, comparison) in later.policies { policies[name, default: Comparison()].add(comparison) }
        for (name, comparison) in later.models { models[name, default: Comparison()].add(comparison) }
    }
}

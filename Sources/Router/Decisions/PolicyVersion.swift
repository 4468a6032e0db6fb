package import BifronsWire
internal import Hashing

/// A checked policy under its name and version. It never changes.
package struct PolicyVersion: Equatable, Sendable {
    package let name: String
    /// The number of the version, from 1.
    package let version: Int
    /// The policy, with its clauses even if the operator has written none.
    package let policy: Policy
    /// `sha256:` and the hexadecimal digest of the policy as canonical JSON.
    package let digest: String
    private let rules: [PolicyRule]

    /// The policy's reference.
    package var reference: PolicyReference { PolicyReference(name: name, version: version) }

    /// Checks a policy.
    ///
    /// - Parameters:
    ///   - evidence: the kinds of evidence that the ensemble names.
    ///   - place: the place of the policy in its file, for errors.
    /// - Throws: an error whose sentence names the field.
    package init(
        _ name: String, _ version: Int, _ policy: Policy, evidence: [EvidenceKind], place: String = "policy"
    ) throws(Ensemble.Invalid) {
        guard 0 <= policy.review, policy.review <= policy.block, policy.block <= 1 else {
            throw Ensemble.Invalid(message: "the policy '\(name)' needs 0 <= review <= block <= 1")
        }
        guard policy.shadow.count <= Self.mostShadows, Set(policy.shadow).count == policy.shadow.count else {
            throw Ensemble.Invalid(
                message: "\(place).shadow must name at most \(Self.mostShadows) policies, each once")
        }
        guard policy.sample == 0 || (Policy.leastSample...1).contains(policy.sample) else {
            throw Ensemble.Invalid(message: "\(place).sample must be 0, or from \(Policy.leastSample) to 1")
        }
        guard (0...1).contains(policy.blind) else {
            throw Ensemble.Invalid(message: "\(place).blind must be from 0 to 1")
        }
        if let calibration = policy.calibration {
            guard 0 < calibration.scale, calibration.scale <= Calibration.mostScale,
                abs(calibration.bias) <= Calibration.mostBias
            else {
                throw Ensemble.Invalid(
                    message: "\(place).calibration needs a scale above 0, at most \(Calibration.mostScale), and a bias "
                        + "from -\(Calibration.mostBias) to \(Calibration.mostBias)")
            }
        }
        // The clauses are part of the version: what is on by default may change with the ensemble's evidence.
        let byDefault = name == Limits.defaultPolicy ? Policy.defaultClauses(for: evidence) : []
        let clauses = policy.clauses ?? byDefault
        var policy = policy
        policy.clauses = clauses
        rules = try PolicyRule.rules(clauses, of: place, evidence: evidence)
        self.name = name
        self.version = version
        self.policy = policy
        digest = "sha256:" + SHA256.hexDigest(of: CanonicalJSON.encode(policy))
    }

    /// The most shadow policies of one policy.
    private static let mostShadows = 8

    /// Returns the policy's verdict on a probability, or on an image without a face if that is nil, and on the
    /// evidence.
    ///
    /// Evidence changes the action and never the label or the probability.
    ///
    /// - Parameters:
    ///   - merged: the merged probability, which the policy's calibration changes.
    ///   - isDegraded: whether the verdict lacks a requested model.
    package func verdict(
        _ merged: Double?, isDegraded: Bool, evidence: [EvidenceFacts]
    ) -> ResultDocument.Verdict {
        let probability = merged.map { policy.calibration?($0) ?? $0 }
        let label = probability.map { $0 >= 0.5 ? ResultDocument.Label.aiGenerated : .real } ?? .noFace
        var verdict = ResultDocument.Verdict(
            label: label, aiProbability: probability, action: policy.action(for: probability), policy: name)
        (verdict.policyVersion, verdict.policyDigest) = (version, digest)
        if isDegraded, policy.degraded > verdict.action {
            verdict.action = policy.degraded
            verdict.reasons = [ResultDocument.Verdict.degraded]
        }
        for rule in rules { rule.apply(evidence, to: &verdict) }
        return verdict
    }

    package static func == (left: PolicyVersion, right: PolicyVersion) -> Bool {
        (left.name, left.version, left.digest) == (right.name, right.version, right.digest)
    }
}

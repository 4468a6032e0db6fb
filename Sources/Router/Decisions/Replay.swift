package import BifronsWire

extension Decision.Body {
    /// The verdict of a policy on the stored logits and evidence.
    ///
    /// - Parameter merge: the merge whose digest the body has.
    package func verdict(by policy: PolicyVersion, _ merge: Merge) -> ResultDocument.Verdict {
        let probabilities = regions.map { merge.probability($0.logits.map { $0?.value }) }
        return policy.verdict(probabilities.max(), isDegraded: isDegraded, evidence: evidence)
    }

    /// Computes the decision again from the stored bits.
    ///
    /// - Returns: the names of the fields that come out otherwise; empty if the decision is the same.
    package func replay(_ policy: PolicyVersion, _ merge: Merge) -> [String] {
        let verdict = verdict(by: policy, merge)
        var different: [String] = []
        if merge.digest != self.merge { different.append("merge") }
        if policy.digest != policyDigest { different.append("policy_digest") }
        if verdict.aiProbability.map(DoubleBits.init) != probability { different.append("probability") }
        if verdict.label != label { different.append("label") }
        if verdict.action != action { different.append("action") }
        if verdict.reasons != reasons { different.append("reasons") }
        return different
    }
}

extension Decision {
    /// Compares the decision with one that was computed again from its image.
    ///
    /// - Parameters:
    ///   - models: the names of the models, in the order of this decision's logits.
    ///   - otherModels: the same for the other decision.
    /// - Returns: what differs: `image` (another file), `locator.digest`, `faces`, and for each model its name with
    ///   `.digest` and `.logits`; empty if all bits are the same.
    package func differences(
        from other: Decision, models: [String], otherModels: [String]
    ) -> [String] {
        var different: [String] = []
        // After an erasure, nothing says which image it was.
        if let sha256 = personal.sha256, sha256 != other.personal.sha256 { different.append("image") }
        if body.locator?.digest != other.body.locator?.digest { different.append("locator.digest") }
        let faces = body.regions.map { [$0.isFace ? 1 : 0, $0.turned ?? -1] }
        if faces != other.body.regions.map({ [$0.isFace ? 1 : 0, $0.turned ?? -1] }) { different.append("faces") }
        for model in body.models where model.status == Status.ok.rawValue {
            let digest = other.body.models.first { $0.name == model.name }?.digest
            if model.digest != digest { different.append(model.name + ".digest") }
            guard let index = models.firstIndex(of: model.name) else { continue }
            let otherIndex = otherModels.firstIndex(of: model.name)
            let logits = body.regions.map { $0.logits[index] }
            if logits != other.body.regions.map({ region in otherIndex.flatMap { region.logits[$0] } }) {
                different.append(model.name + ".logits")
            }
        }
        return different
    }
}

/// What a draft of a policy would have decided, against what was decided.
package struct PolicyTrial: Codable, Equatable, Sendable {
    /// The most examples of each change.
    package static let mostExamples = 20

    /// The number of decisions by the recorded action, then by the draft's.
    package typealias Matrix = [String: [String: Int]]

    /// The number of decisions tried.
    package private(set) var count = 0
    /// The number of those whose action stays the same.
    package private(set) var agreed = 0
    package private(set) var matrix: Matrix = [:]
    package private(set) var byTenant: [String: Matrix] = [:]
    /// The ids of some decisions whose action changes, by the change (`allow>review`), the first ones of the ledger.
    package private(set) var examples: [String: [String]] = [:]
    /// The decisions that could not be computed again: the merge or the body is missing.
    package private(set) var skipped = 0

    package init() {}

    private enum CodingKeys: String, CodingKey {
        case count, agreed, matrix, examples, skipped
        case byTenant = "by_tenant"
    }

    /// Counts a decision.
    package mutating func add(_ decision: Decision, would action: ResultDocument.PolicyAction) {
        let (was, would) = (decision.body.action.rawValue, action.rawValue)
        count += 1
        if was == would { agreed += 1 }
        matrix[was, default: [:]][would, default: 0] += 1
        byTenant[decision.tenant ?? "", default: [:]][was, default: [:]][would, default: 0] += 1
        guard was != would, examples["\(was)>\(would)", default: []].count < Self.mostExamples else { return }
        examples["\(was)>\(would)", default: []].append(decision.id)
    }

    /// Counts a decision that cannot be computed again.
    package mutating func skip() { skipped += 1 }

    /// Adds the counts and examples of a later part.
    package mutating func add(_ later: PolicyTrial) {
        count += later.count
        agreed += later.agreed
        skipped += later.skipped
        Self.add(later.matrix, to: &matrix)
        for (tenant, matrix) in later.byTenant { Self.add(matrix, to: &byTenant[tenant, default: [:]]) }
        for (change, ids) in later.examples {
            examples[change] = Array((examples[change, default: []] + ids).prefix(Self.mostExamples))
        }
    }

    private static func add(_ other: Matrix, to matrix: inout Matrix) {
        for (was, row) in other {
            for (would, count) in row { matrix[was, default: [:]][would, default: 0] += count }
        }
    }
}

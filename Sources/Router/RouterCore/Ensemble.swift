package import BifronsWire
internal import Glibc

/// The models, how their scores merge, the evidence beside them, and how policies decide: the contents of
/// `ensemble.json`.
package struct Ensemble: Sendable {
    /// A logistic blend: probability = sigmoid(bias + Σ weight · calibrated logit) (stacking with a logistic
    /// regression, Wolpert 1992). Each blend is fitted for one subset of the models, so that a verdict without the
    /// other models is calibrated too.
    package struct Blend: Equatable, Sendable {
        package var bias: Double
        /// One weight for each model of the subset, in the subset's order.
        package var weights: [Double]

        package init(bias: Double, weights: [Double]) {
            self.bias = bias
            self.weights = weights
        }
    }

    /// The error of an invalid ensemble. The message is one sentence that names the field.
    package struct Invalid: Error, Equatable, Sendable {
        package var message: String
    }

    /// The most models that one ensemble may name: it needs a blend for each of their subsets. `JobID` depends on this
    /// too.
    package static let maxModels = 8

    private static let locatorName = "locator"

    package let models: [String]
    /// The kinds of evidence that are collected about each image besides the models' scores.
    package let evidence: [EvidenceKind]
    /// The names of the worker pools: one for each model, followed by the locators' pool and one for each kind of
    /// evidence.
    let pools: [String]
    package let policies: [String: Policy]
    /// The checked clauses of each policy.
    private let rules: [String: [PolicyRule]]
    /// The blends, indexed by the set of models that gave a score, as a bit set.
    private let blends: [[Double]]

    /// - Parameters:
    ///   - models: the names of the models.
    ///   - merge: one blend for every non-empty subset of `models`.
    ///   - policies: the policies by name. One is `default`.
    ///   - evidence: the names of kinds of evidence.
    package init(
        models: [String], merge: [(models: [String], blend: Blend)], policies: [String: Policy],
        evidence: [String] = []
    ) throws(Invalid) {
        guard (1...Self.maxModels).contains(models.count) else {
            throw Invalid(message: "'models' must name 1 to \(Self.maxModels) models, not \(models.count)")
        }
        guard Set(models).count == models.count, !models.contains("") else {
            throw Invalid(message: "'models' must name each model once")
        }
        guard !models.contains(Self.locatorName) else {
            throw Invalid(
                message: "'models' must not name '\(Self.locatorName)': the workers that find the faces are called so")
        }
        if let long = (models + policies.keys.sorted()).first(where: { $0.utf8.count > Limits.nameBytes }) {
            throw Invalid(message: "the name '\(long)' has more than \(Limits.nameBytes) bytes")
        }
        self.models = models
        self.evidence = try Self.evidence(evidence, besides: models)
        pools = models + [Self.locatorName] + evidence
        self.blends = try Self.blends(models, merge)
        for (name, policy) in policies {
            guard 0 <= policy.review, policy.review <= policy.block, policy.block <= 1 else {
                throw Invalid(message: "the policy '\(name)' needs 0 <= review <= block <= 1")
            }
        }
        guard policies[Limits.defaultPolicy] != nil else {
            throw Invalid(message: "'policies' must have one named '\(Limits.defaultPolicy)'")
        }
        self.policies = policies
        var rules: [String: [PolicyRule]] = [:]
        for (name, policy) in policies.sorted(by: { $0.key < $1.key }) {
            let byDefault = name == Limits.defaultPolicy ? Self.defaultClauses(for: self.evidence) : []
            rules[name] = try PolicyRule.rules(policy.clauses ?? byDefault, of: name, evidence: self.evidence)
        }
        self.rules = rules
    }

    /// The index of the locators' pool.
    var locator: Int { models.count }

    /// The indices of the evidence workers' pools.
    var examiners: Range<Int> { models.count + 1..<pools.count }

    /// Returns the kind of evidence that a pool's workers find.
    ///
    /// - Precondition: the pool is one of ``examiners``.
    func evidence(of pool: Int) -> EvidenceKind {
        evidence[pool - examiners.lowerBound]
    }

    private static func evidence(
        _ names: [String], besides models: [String]
    ) throws(Invalid) -> [EvidenceKind] {
        var kinds: [EvidenceKind] = []
        for name in names {
            guard let kind = EvidenceKind(rawValue: name) else {
                let known = EvidenceKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw Invalid(message: "'evidence' names '\(name)', which is no kind of evidence; there are \(known)")
            }
            guard !kinds.contains(kind) else { throw Invalid(message: "'evidence' must name each kind once") }
            guard !models.contains(name) else {
                throw Invalid(message: "'models' must not name '\(name)': the workers for that evidence are called so")
            }
            kinds.append(kind)
        }
        return kinds
    }

    /// Returns one row for each subset of the models, indexed by its bit set: the bias, then a weight for each model of
    /// the ensemble, zero outside the subset.
    private static func blends(
        _ models: [String], _ merge: [(models: [String], blend: Blend)]
    ) throws(Invalid) -> [[Double]] {
        var blends = [[Double]](repeating: [], count: 1 << models.count)
        for (subset, blend) in merge {
            let name = subset.joined(separator: "+")
            guard subset.count == blend.weights.count else {
                throw Invalid(
                    message: "'merge' of \(name) has \(blend.weights.count) weights for \(subset.count) models")
            }
            guard blend.bias.isFinite, blend.weights.allSatisfy(\.isFinite) else {
                throw Invalid(message: "'merge' of \(name) has a number that is not finite")
            }
            var row = [Double](repeating: 0, count: 1 + models.count)
            row[0] = blend.bias
            var members = 0
            for (model, weight) in zip(subset, blend.weights) {
                guard let index = models.firstIndex(of: model) else {
                    throw Invalid(message: "'merge' of \(name) names '\(model)', which is not in 'models'")
                }
                members |= 1 << index
                row[1 + index] = weight
            }
            guard !subset.isEmpty, members.nonzeroBitCount == subset.count, blends[members].isEmpty else {
                throw Invalid(message: "'merge' of \(name) is empty or given twice")
            }
            blends[members] = row
        }
        if let missing = (1..<blends.count).first(where: { blends[$0].isEmpty }) {
            let subset = models.indices.filter { missing & 1 << $0 != 0 }.map { models[$0] }
            throw Invalid(message: "'merge' has no blend for \(subset.joined(separator: "+"))")
        }
        return blends
    }

    /// Returns the calibrated probability, from 0 to 1, that a face is AI-generated.
    ///
    /// - Parameter logits: the calibrated logit of each model of the ensemble, nil for models without a score; not all
    ///   nil.
    func probability(_ logits: [Float?]) -> Double {
        var members = 0
        for (index, logit) in logits.enumerated() where logit != nil { members |= 1 << index }
        let row = blends[members]
        var sum = row[0]
        for (index, logit) in logits.enumerated() {
            if let logit { sum += row[1 + index] * Double(logit) }
        }
        return Self.sigmoid(sum)
    }

    static func sigmoid(_ logit: Double) -> Double {
        1 / (1 + exp(-logit))
    }

    /// Returns a policy's verdict on a probability, or on an image without a face if that is nil, and on the evidence.
    /// Returns nil if the policy does not exist.
    ///
    /// Evidence changes the action and never the label or the probability.
    func verdict(
        _ probability: Double?, policy name: String, evidence: [ResultDocument.Evidence] = []
    ) -> ResultDocument.Verdict? {
        guard let policy = policies[name] else { return nil }
        let label = probability.map { $0 >= 0.5 ? ResultDocument.Label.aiGenerated : .real } ?? .noFace
        var verdict = ResultDocument.Verdict(
            label: label, aiProbability: probability, action: policy.action(for: probability), policy: name)
        for rule in rules[name] ?? [] { rule.apply(evidence, to: &verdict) }
        return verdict
    }

    /// Returns a stored result as the answer to another request with its idempotency key: with that request's id and
    /// metadata, and decided by its policy.
    ///
    /// - Returns: nil if the policy does not exist.
    package func answer(_ stored: ResultDocument, to header: RequestHeader) -> ResultDocument? {
        var document = stored
        document.id = header.id
        document.metadata = header.metadata
        guard let known = stored.verdict, known.policy != header.policy else { return document }
        guard var verdict = verdict(known.aiProbability, policy: header.policy, evidence: stored.evidence) else {
            return nil
        }
        // The stored probability may have been rounded to one half, so the stored label is kept.
        verdict.label = known.label
        document.verdict = verdict
        return document
    }
}

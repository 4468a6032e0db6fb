package import BifronsWire

/// The models, how their scores merge, the evidence beside them, and the first version of each policy: the contents of
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

    /// A model that scores a share of the images for comparison, without an effect on any answer.
    package struct Shadow: Equatable, Sendable {
        package var model: String
        /// The share, above 0 and at most 1, of the images.
        package var sample: Double

        package init(model: String, sample: Double) {
            self.model = model
            self.sample = sample
        }
    }

    /// The most models that may be named as shadows. `JobID` depends on this too.
    package static let maxShadows = 4

    /// The most models that one ensemble may name: it needs a blend for each of their subsets. `JobID` depends on this
    /// too.
    package static let maxModels = 8

    private static let locatorName = "locator"

    package let models: [String]
    /// The kinds of evidence that are collected about each image besides the models' scores.
    package let evidence: [EvidenceKind]
    /// The models that score a share of the images for comparison.
    package let shadows: [Shadow]
    /// The names of the worker pools: one for each model, followed by the locators' pool, one for each kind of
    /// evidence, and one for each shadow.
    package let pools: [String]
    /// The first version of each policy, by the policy's name.
    package let policies: [String: PolicyVersion]
    /// How scores merge.
    package let merge: Merge
    /// Where each model's logits lay at its calibration; nil where the file has nothing on the model.
    package let references: [DriftReference?]

    /// - Parameters:
    ///   - models: the names of the models.
    ///   - merge: one blend for every non-empty subset of `models`.
    ///   - policies: the policies by name. One is `default`.
    ///   - evidence: the names of kinds of evidence.
    ///   - shadows: models that score a share of the images for comparison.
    ///   - references: where the models' logits lay at the calibration, by the model's name.
    package init(
        models: [String], merge: [(models: [String], blend: Blend)], policies: [String: Policy],
        evidence: [String] = [], shadows: [Shadow] = [], references: [String: DriftReference] = [:]
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
        if let stranger = references.keys.sorted().first(where: { !models.contains($0) }) {
            throw Invalid(message: "'reference' names '\(stranger)', which is not in 'models'")
        }
        self.references = models.map { references[$0] }
        self.models = models
        self.evidence = try Self.evidence(evidence, besides: models)
        self.shadows = try Self.shadows(shadows, besides: models + [Self.locatorName] + evidence)
        pools = models + [Self.locatorName] + evidence + shadows.map(\.model)
        self.merge = Merge(models: models, blends: try Self.blends(models, merge))
        guard policies[Limits.defaultPolicy] != nil else {
            throw Invalid(message: "'policies' must have one named '\(Limits.defaultPolicy)'")
        }
        var versions: [String: PolicyVersion] = [:]
        for (name, policy) in policies.sorted(by: { $0.key < $1.key }) {
            versions[name] = try PolicyVersion(
                name, 1, policy, evidence: self.evidence, place: "policies.\(name)")
        }
        self.policies = versions
    }

    /// The index of the locators' pool.
    package var locator: Int { models.count }

    /// The indices of the evidence workers' pools.
    package var examiners: Range<Int> { models.count + 1..<models.count + 1 + evidence.count }

    /// The indices of the shadows' pools.
    package var shadowPools: Range<Int> { examiners.upperBound..<pools.count }

    /// Returns the kind of evidence that a pool's workers find.
    ///
    /// - Precondition: the pool is one of ``examiners``.
    package func evidence(of pool: Int) -> EvidenceKind {
        evidence[pool - examiners.lowerBound]
    }

    private static func shadows(_ shadows: [Shadow], besides names: [String]) throws(Invalid) -> [Shadow] {
        guard shadows.count <= maxShadows else {
            throw Invalid(message: "'shadow' must name at most \(maxShadows) models, not \(shadows.count)")
        }
        for (index, shadow) in shadows.enumerated() {
            guard (1...Limits.nameBytes).contains(shadow.model.utf8.count),
                !(names + shadows[..<index].map(\.model)).contains(shadow.model)
            else {
                throw Invalid(
                    message:
                        "'shadow' must name models that are not used otherwise, each once; '\(shadow.model)' is none")
            }
            guard shadow.sample > 0, shadow.sample <= 1 else {
                throw Invalid(message: "'shadow' needs a sample above 0, at most 1, for '\(shadow.model)'")
            }
        }
        return shadows
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
}

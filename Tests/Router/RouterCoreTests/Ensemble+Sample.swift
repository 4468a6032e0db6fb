import BifronsWire
import Decisions
import RouterCore

extension Ensemble {
    /// resnet and inception, with numbers that distinguish every subset and every policy.
    static var sample: Ensemble { sample(evidence: []) }

    /// The same with a model that scores every image for comparison.
    static var sampleWithShadow: Ensemble { sample(evidence: [], shadows: [Shadow(model: "shadow", sample: 1)]) }

    /// The same with evidence and clauses about it.
    static var sampleWithEvidence: Ensemble {
        sample(
            evidence: ["provenance", "known"],
            clauses: [
                Policy.Clause(
                    if: ["provenance.claim": ["ai_generated", "ai_edited"], "provenance.trust": ["trusted"]],
                    atLeast: .block),
                Policy.Clause(
                    if: ["provenance.claim": ["ai_generated", "ai_edited"]], atLeast: .review, reason: "says-so"),
                Policy.Clause(if: ["known.bank": ["PRESS"]], atMost: .allow),
            ])
    }

    /// - Parameter clauses: the clauses of the policy `strict`.
    private static func sample(
        evidence: [String], clauses: [Policy.Clause]? = nil, shadows: [Shadow] = []
    ) -> Ensemble {
        do {
            return try Ensemble(
                models: ["resnet", "inception"],
                merge: [
                    (["resnet"], Blend(bias: 0.1, weights: [1.5])),
                    (["inception"], Blend(bias: -0.2, weights: [0.5])),
                    (["resnet", "inception"], Blend(bias: 0.3, weights: [0.7, 0.6])),
                ],
                policies: [
                    "default": Policy(review: 0.5, block: 0.9),
                    "strict": Policy(review: 0.1, block: 0.2, clauses: clauses),
                    "careful": Policy(review: 0.5, block: 0.9, noFace: .block),
                    "easy": Policy(review: 0.5, block: 0.9, noFace: .allow),
                    "audited": Policy(review: 0.5, block: 0.9, record: .required),
                ], evidence: evidence, shadows: shadows,
                references: [
                    "resnet": DriftReference(
                        version: "1.0.0", edges: [-4, -3, -2, -1, 0, 1, 2, 3, 4], place: "reference.resnet")
                ])
        } catch {
            preconditionFailure(error.message)
        }
    }
}

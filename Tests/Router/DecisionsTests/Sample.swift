import BifronsWire
import Decisions

/// An ensemble of two models with two policies, and decisions of it.
enum Sample {
    static func ensemble(
        review: Double = 0.5, evidence: [String] = ["provenance", "known"], shadow: [PolicyReference] = []
    ) throws -> Ensemble {
        try Ensemble(
            models: ["a", "b"],
            merge: [
                (["a"], Ensemble.Blend(bias: 0.1, weights: [1.5])), (["b"], Ensemble.Blend(bias: -0.2, weights: [0.5])),
                (["a", "b"], Ensemble.Blend(bias: 0.3, weights: [0.7, 0.6])),
            ],
            policies: [
                "default": Policy(review: review, block: 0.9, degraded: .review, shadow: shadow),
                "strict": Policy(review: 0.1, block: 0.2),
            ], evidence: evidence)
    }

    /// The decision that a policy's first version makes on these logits, a region each.
    static func decision(
        _ number: UInt64, _ logits: [[Float?]], by policy: String = "default", in ensemble: Ensemble,
        evidence: [EvidenceFacts] = [], isDegraded: Bool = false, tenant: String? = nil, subject: Subject? = nil
    ) throws -> Decision {
        guard let version = ensemble.policies[policy] else { preconditionFailure("there is no policy \(policy)") }
        let probability = logits.map { ensemble.merge.probability($0) }.max()
        let verdict = version.verdict(probability, isDegraded: isDegraded, evidence: evidence)
        var document = ResultDocument(id: "job \(number)", status: isDegraded ? .partial : .ok)
        document.degraded = isDegraded
        document.verdict = verdict
        let body = Decision.Body(
            document, verdict,
            regions: logits.map { Decision.Body.Region(isFace: true, turned: nil, logits: $0) },
            merge: ensemble.merge.digest, evidence: evidence)
        let personal = Decision.Personal(
            subject: subject, request: document.id, sha256: String(repeating: "0a", count: 32),
            boxes: logits.map { _ in [1, 2, 3, 4] }, evidence: [])
        return Decision(number: number, tenant: tenant, body: body, personal: personal)
    }
}

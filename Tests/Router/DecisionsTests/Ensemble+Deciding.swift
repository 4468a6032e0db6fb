import BifronsWire
import Decisions

extension Ensemble {
    /// The verdict of a policy's first version, or nil if there is no such policy.
    func verdict(
        _ probability: Double?, policy name: String, evidence: [ResultDocument.Evidence] = []
    ) -> ResultDocument.Verdict? {
        policies[name]?.verdict(probability, isDegraded: false, evidence: evidence.map(EvidenceFacts.init))
    }

    /// A stored result as the answer to another request.
    func answer(_ stored: ResultDocument, to header: RequestHeader) -> ResultDocument? {
        PolicyBook(self).answer(stored, to: header, for: nil)
    }
}

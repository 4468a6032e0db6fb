package import BifronsWire

/// What policies may read of one kind of evidence. It holds nothing that points to a person, so the decision ledger
/// keeps it even after an erasure.
package struct EvidenceFacts: Codable, Equatable, Sendable {
    /// A match with a known image.
    package struct Match: Codable, Equatable, Sendable {
        package var bank: String
        package var bankKind: String

        private enum CodingKeys: String, CodingKey {
            case bank
            case bankKind = "bank_kind"
        }
    }

    package var kind: String
    /// 200 with evidence; otherwise the status of the failure.
    package var status: Int
    package var claim: String?
    package var trust: String?
    package var source: String?
    package var matches: [Match]?

    package init(_ evidence: ResultDocument.Evidence) {
        kind = evidence.kind.rawValue
        status = evidence.status.rawValue
        switch evidence.report {
        case .provenance(let report)?:
            (claim, trust, source) = (report.claim.rawValue, report.trust.rawValue, report.source?.rawValue)
        case .known(let report)?:
            matches = report.matches.map { Match(bank: $0.bank, bankKind: $0.bankKind.rawValue) }
        case nil: break
        }
    }

    /// Whether there is evidence.
    var isPresent: Bool { status == Status.ok.rawValue }
}

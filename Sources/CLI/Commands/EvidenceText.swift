import BifronsWire

/// Evidence about an image in words for people.
enum EvidenceText {
    /// What people must know to read the absence of evidence.
    static let absence =
        "an image that says nothing of itself may be AI-generated all the same; SynthID watermarks are not checked"

    /// Returns a line for each entry that says something, or that is missing.
    static func lines(_ evidence: [ResultDocument.Evidence]) -> [String] {
        evidence.flatMap { entry in
            switch entry.report {
            case .provenance(let provenance)?: line(provenance).map { [$0] } ?? []
            case .known(let known)?: known.matches.map(line)
            case nil:
                ["\(entry.kind.rawValue) is missing" + (entry.error.map { ": \($0.message.printable)" } ?? "")]
            }
        }
    }

    private static func line(_ evidence: ProvenanceEvidence) -> String? {
        let claim: String
        switch evidence.claim {
        case .aiGenerated: claim = "AI-generated"
        case .aiEdited: claim = "edited with AI"
        case .captured: claim = "captured by a camera"
        case .none:
            // A signed file that says nothing of AI, or one whose signature is broken, is worth a line.
            guard evidence.trust != .unsigned else { return nil }
            claim = "nothing of how it was made"
        }
        let maker = evidence.generator.map { ", made with \($0.printable)" } ?? ""
        return "says of itself: \(claim)\(maker), \(signature(evidence))"
    }

    private static func signature(_ evidence: ProvenanceEvidence) -> String {
        let signed = "signed" + (evidence.signer.map { " by \($0.printable)" } ?? "")
        switch evidence.trust {
        case .trusted: return signed
        case .untrusted: return signed + ", chain not trusted"
        case .broken: return "signature broken: changed after it was signed"
        case .unsigned: return "not signed"
        }
    }

    private static func line(_ match: KnownEvidence.Match) -> String {
        let how = match.sha256 ? "the same file" : "distance \(match.distance)"
        return "known image: \(match.bank.printable) (\(match.bankKind.rawValue)), item \(match.item), \(how)"
    }
}

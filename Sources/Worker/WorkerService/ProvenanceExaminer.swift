internal import BifronsWire
internal import Files
internal import Glibc
internal import Hashing
internal import Hexadecimal
internal import Provenance
internal import Reactor

/// Reads what images' files say about their own origin.
struct ProvenanceExaminer: Examiner {
    /// The largest list of trusted certificates in bytes; C2PA's has about 100 kB.
    private static let listBytes = 4 << 20

    let identity: ModelIdentity
    private let reader: ProvenanceReader

    /// Creates an examiner.
    ///
    /// - Parameter trust: A PEM file of the trusted certificates; nil: no signer is trusted.
    /// - Throws: ``UnfitWorker`` if the file cannot be read or is no such list.
    init(trust: String?) throws(UnfitWorker) {
        var list: [UInt8] = []
        var anchors = TrustAnchors.none
        if let trust {
            guard let bytes = Files.contents(of: trust, limit: Self.listBytes) else {
                throw UnfitWorker(
                    description:
                        "\(trust) cannot be read (\(Files.reason)); name a PEM file of the trusted certificates "
                        + "with --trust")
            }
            do {
                anchors = try TrustAnchors(pem: bytes)
            } catch {
                throw UnfitWorker(
                    description: "\(trust) is no list of certificates: \(error.message); write each as PEM, between "
                        + "BEGIN CERTIFICATE and END CERTIFICATE")
            }
            list = bytes
        }
        reader = ProvenanceReader(anchors: anchors)
        identity = ModelIdentity(
            name: EvidenceKind.provenance.rawValue, version: Release.version,
            digest: "sha256:" + SHA256.hexDigest(of: list))
    }

    func examine(_ file: UnsafeRawBufferPointer) throws -> EvidenceReport {
        let thread = RunningThread.current
        return .provenance(ProvenanceEvidence(try reader.read(file, at: time(nil)) { thread.computingTime }))
    }
}

extension ProvenanceEvidence {
    /// Creates the evidence for the wire.
    init(_ report: ProvenanceReport) {
        self.init(
            claim: Claim(report.claim), trust: Trust(report.trust), source: report.source.map { Source($0) },
            generator: report.generator, signer: report.signer, validation: report.validation,
            digest: report.digest.flatMap { [UInt8](hexadecimal: $0) })
    }
}

extension ProvenanceEvidence.Claim {
    init(_ claim: ProvenanceReport.Claim) {
        self =
            switch claim {
            case .aiGenerated: .aiGenerated
            case .aiEdited: .aiEdited
            case .captured: .captured
            case .none: .none
            }
    }
}

extension ProvenanceEvidence.Trust {
    init(_ trust: ProvenanceReport.Trust) {
        self =
            switch trust {
            case .trusted: .trusted
            case .untrusted: .untrusted
            case .broken: .broken
            case .unsigned: .unsigned
            }
    }
}

extension ProvenanceEvidence.Source {
    init(_ source: ProvenanceReport.Source) {
        self =
            switch source {
            case .c2pa: .c2pa
            case .xmp: .xmp
            case .iptc: .iptc
            case .exif: .exif
            case .tc260: .tc260
            case .pngText: .pngText
            }
    }
}

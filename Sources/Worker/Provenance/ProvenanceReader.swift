/// Reads what a picture's file says about its own origin: C2PA manifests, XMP, IPTC, EXIF, and the texts of PNG.
///
/// The steps: find the pieces of metadata in the container (`Container`) → read the manifest store and check its
/// signature and hashes (`StoreReader`) → look for the markers that anyone can write (`Markers`) → report the
/// strongest claim. Any bytes give a report or an ``EvidenceError``. Nothing is fetched, no file is opened, no thread is started,
/// and the pixels are not looked at.
package struct ProvenanceReader: Sendable {
    package let limits: ProvenanceLimits
    private let anchors: TrustAnchors

    /// - Parameter anchors: The certificates that make a signer trusted.
    package init(limits: ProvenanceLimits = .init(), anchors: TrustAnchors = .none) {
        self.limits = limits
        self.anchors = anchors
    }

    /// Reads a file's evidence.
    ///
    /// A claim that is signed comes before one that is not, unless only the latter speaks of a model: then a `captured`
    /// counts only if it is trusted.
    ///
    /// - Parameters:
    ///   - file: The whole file; read only during the call.
    ///   - time: The present, in seconds since 1970, for the validity of certificates.
    ///   - processorTime: Returns the processor time of the calling thread.
    /// - Throws: ``EvidenceError`` if a limit is passed.
    package func read(
        _ file: UnsafeRawBufferPointer, at time: Int, processorTime: @escaping () -> Duration
    ) throws(EvidenceError) -> ProvenanceReport {
        let effort = Effort(limits, processorTime: processorTime)
        let file = ByteView(buffer: file)
        var report = ProvenanceReport()
        guard let container = try Container.read(file, effort) else { return report }
        let signed = try StoreReader.read(file, container, anchors, time: time, effort)
        if let signed {
            report.source = .c2pa
            report.claim = signed.claim
            report.trust = signed.trust
            report.generator = signed.generator
            report.signer = signed.signer
            report.validation = signed.validation
            report.digest = signed.digest
        }
        guard let marker = try Markers.strongest(container, effort) else { return report }
        let isSilent = report.claim == .none || report.claim == .captured && report.trust != .trusted
        if marker.claim.stronger(report.claim) != report.claim, isSilent {
            report.source = marker.source
            report.claim = marker.claim
            report.trust = .unsigned
            report.generator = marker.generator.flatMap(ReportText.cut)
        }
        return report
    }
}

internal import BifronsWire
internal import Hashing
internal import ImageDecoding
internal import KnownImages
internal import Logging
internal import Reactor
internal import Synchronization

/// Looks images up in the operator's banks of known images. In the place of an image there may be a signal in the form
/// of the banks' files, such as `pdq` and 64 hexadecimal digits.
final class KnownExaminer: Examiner {
    private struct State {
        var banks: Banks
        /// The digest of the banks.
        var digest: String
        var flood = FloodGuard()
    }

    private let folder: String
    private let decoder: ImageDecoder
    private let logger: Logger
    private let state: Mutex<State>
    /// The folders of `banks.json` and of the files that it named at the start.
    let folders: [String]

    /// Loads the banks.
    ///
    /// - Parameters:
    ///   - folder: The folder of `banks.json`.
    ///   - limits: The limits for decoding an image.
    ///   - logger: Takes alerts, and mistakes in banks that are loaded later.
    /// - Throws: `BanksError` with a sentence for each mistake.
    init(folder: String, limits: DecodeLimits, logger: Logger) throws(BanksError) {
        self.folder = folder
        self.logger = logger
        decoder = ImageDecoder(limits: limits)
        let banks = try Banks.load(folder: folder)
        folders = [folder] + banks.folders.filter { $0 != folder }
        state = Mutex(State(banks: banks, digest: "sha256:" + banks.digest))
        note(banks)
    }

    var identity: ModelIdentity {
        ModelIdentity(
            name: EvidenceKind.known.rawValue, version: Release.version, digest: state.withLock { $0.digest })
    }

    /// Loads the banks anew. With a mistake in them, the ones that are loaded stay in force.
    func reload() {
        do throws(BanksError) {
            let banks = try Banks.load(folder: folder)
            let digest = "sha256:" + banks.digest
            state.withLock { state in
                state.banks = banks
                state.digest = digest
            }
            note(banks)
        } catch {
            for problem in error.problems {
                logger.error("banks are wrong, the earlier ones stay in force", metadata: ["problem": "\(problem)"])
            }
        }
    }

    private func note(_ banks: Banks) {
        logger.info(
            "banks are loaded", metadata: ["banks": "\(banks.banks.count)", "signals": "\(banks.count)"])
    }

    func examine(_ file: UnsafeRawBufferPointer) throws -> EvidenceReport {
        let banks = state.withLock { $0.banks }
        if let signal = Signal(line: file) { return evidence(banks.report(on: signal), quality: nil) }
        let sha256 = Bits256(bytes: SHA256.digest(of: file))
        let pdq = Result { () throws(DecodeError) in
            PDQ(of: try decoder.decode(file, reduction: PDQ.reduction).image)
        }
        // A file that cannot be decoded may still be known by its digest.
        let report = banks.report(on: (try? pdq.get()) ?? .none, sha256: sha256)
        if case .failure(let error) = pdq, report.matches.isEmpty { throw error }
        return evidence(report, quality: try? pdq.get().quality)
    }

    /// Returns a report as evidence, with the matches of items in quarantine as ones for review.
    private func evidence(_ report: KnownImageReport, quality: Int?) -> EvidenceReport {
        var report = report
        let now = MonotonicClock.now()
        for alert in state.withLock({ $0.flood.judge(&report, at: now) }) {
            logger.warning("a known image matches too often", metadata: ["alert": "\(alert)"])
        }
        return .known(KnownEvidence(quality: quality, matches: report.matches.compactMap { .init($0) }))
    }
}

extension KnownEvidence.Match {
    /// Creates the match for the wire.
    init?(_ match: KnownImageReport.Match) {
        let kind: KnownEvidence.BankKind =
            switch match.kind {
            case .block: .block
            case .review: .review
            case .allow: .allow
            }
        self.init(
            bank: match.bank, bankKind: kind, distance: match.distance, item: match.item, sha256: match.isSHA256)
    }
}

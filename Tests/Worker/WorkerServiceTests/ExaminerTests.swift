import BifronsWire
import Glibc
import Hexadecimal
import ImageDecoding
import InMemoryLogging
import KnownImages
import Logging
import Provenance
import TestImages
import TestManifests
import Testing

@testable import WorkerService

/// Tests what finds the evidence, with files on disk and without a router.
@Suite struct ExaminerTests {
    private let folder: Folder
    private let log = InMemoryLogHandler()

    init() throws {
        folder = try Folder()
    }

    private var logger: Logger { Logger(label: "test") { _ in log } }

    /// The lines that were logged, without information.
    private var warnings: [String] {
        log.entries.filter { $0.level > .info }.map { entry in
            "\(entry.message)" + (entry.metadata.map { ": \($0.value)" }.joined())
        }
    }

    /// An image with enough detail for a hash, and one that has none.
    private static let detailed = TestImages.png(width: 200, height: 160, pattern: mosaic)
    private static let plain = TestImages.png(width: 64, height: 64, pattern: .plain(90, 90, 90))
    private static let mosaic = Pattern { x, y, width, height in
        let value = UInt8((x * 12 / width * 31 + y * 12 / height * 17) * 73 % 256)
        return (value, value, value)
    }

    private static func hash(_ file: [UInt8]) throws -> PDQ { PDQ(of: try ImageDecoder().decode(file).image) }

    private func examine(_ examiner: any Examiner, _ file: [UInt8]) throws -> EvidenceReport {
        try file.withUnsafeBytes { try examiner.examine($0) }
    }

    // MARK: Provenance

    private func trust(_ text: [UInt8]?) -> String? {
        do {
            let path = "\(folder.path)/trust.pem"
            if let text { try folder.write("trust.pem", text) }
            _ = try ProvenanceExaminer(trust: path)
            return nil
        } catch {
            return "\(error)".replacing(folder.path, with: "F")
        }
    }

    @Test func aWrongTrustListIsRefusedInOneSentence() throws {
        let root = try TestSigner(organisation: "Root", extensions: TestSigner.authorityExtensions)
        #expect(
            trust(nil)
                == "F/trust.pem cannot be read (No such file or directory); name a PEM file of the trusted certificates "
                + "with --trust")
        let end = "; write each as PEM, between BEGIN CERTIFICATE and END CERTIFICATE"
        #expect(trust([]) == "F/trust.pem is no list of certificates: it has no certificate in PEM" + end)
        #expect(
            trust(root.pem + Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8))
                == "F/trust.pem is no list of certificates: it is damaged behind its certificate number 1" + end)
        #expect(trust(Array("Some text.\n".utf8) + root.pem) == nil)
    }

    @Test func signedClaimsAreTrustedByTheListAlone() throws {
        let now = time(nil)
        let root = try TestSigner(
            organisation: "Root", validity: now - 1000..<now + 100_000, extensions: TestSigner.authorityExtensions)
        let signer = try TestSigner(organisation: "Maker", issuer: root, validity: now - 1000..<now + 100_000)
        let file = try TestFile.png.signed(.created("trainedAlgorithmicMedia", by: signer))
        try folder.write("trust.pem", root.pem)
        let (strange, trusting) = (
            try ProvenanceExaminer(trust: nil), try ProvenanceExaminer(trust: "\(folder.path)/trust.pem")
        )
        #expect(strange.identity.name == "provenance" && strange.identity.version == Release.version)
        #expect(strange.identity.digest != trusting.identity.digest && trusting.identity.digest.hasPrefix("sha256:"))
        for (examiner, trust) in [(strange, ProvenanceEvidence.Trust.untrusted), (trusting, .trusted)] {
            guard case .provenance(let found) = try examine(examiner, file) else {
                Issue.record("no provenance")
                continue
            }
            #expect(found.claim == .aiGenerated && found.trust == trust && found.source == .c2pa)
            #expect(found.signer == "Maker" && found.generator == "Test camera" && found.digest?.count == 32)
            #expect(found.validation.contains("assertion.dataHash.match"))
        }
        #expect(
            try examine(trusting, Self.detailed) == .provenance(ProvenanceEvidence(claim: .none, trust: .unsigned)))
    }

    @Test func metadataBeyondTheLimitsIsNoEvidence() throws {
        let text = TestImages.chunk("tEXt", Array("Comment\0a".utf8))
        let header = TestImages.pngSignature.count + 25
        let file = Self.detailed[..<header] + Array(repeating: text, count: 300).joined() + Self.detailed[header...]
        let error = #expect(throws: EvidenceError.self) {
            try examine(try ProvenanceExaminer(trust: nil), Array(file))
        }
        #expect(error?.status == 422 && error?.code == "evidence_too_complex")
    }

    // MARK: Known images

    /// Writes banks of one kind with these lines, and returns the folder.
    private func banks(_ lines: String, kind: String = "block", more: String = "") throws -> String {
        try folder.write(
            "banks.json",
            #"{"schema": 1, "banks": [{"name": "SPAM", "kind": "\#(kind)", \#(more)"files": ["spam.txt"]}]}"#)
        try folder.write("spam.txt", lines)
        return folder.path
    }

    private func known(_ examiner: KnownExaminer, _ file: [UInt8]) throws -> KnownEvidence {
        guard case .known(let evidence) = try examine(examiner, file) else { throw Harness.Unexpected() }
        return evidence
    }

    private func examiner(_ folder: String) throws -> KnownExaminer {
        try KnownExaminer(folder: folder, limits: DecodeLimits(), logger: logger)
    }

    @Test func imagesAreFoundByHashAndByDigest() throws {
        let other = TestImages.jpeg(width: 200, height: 160, quality: 60, pattern: Self.mosaic)
        let hash = try Self.hash(Self.detailed)
        try #require(hash.isReliable)
        let examiner = try examiner(
            banks("pdq \(hash.hash)\nsha256 \(sha256(Self.plain).hexadecimal)\n"))
        #expect(examiner.identity.name == "known" && examiner.identity.version == Release.version)
        let exact = try known(examiner, Self.detailed)
        #expect(exact.quality == hash.quality)
        #expect(
            exact.matches
                == [.init(bank: "SPAM", bankKind: .block, distance: 0, item: 1, sha256: false)].compactMap(\.self))
        // The same pattern, compressed.
        let similar = try known(examiner, other)
        #expect(similar.matches.map(\.item) == [1] && similar.matches.allSatisfy { $0.distance <= 31 && !$0.sha256 })
        let plain = try known(examiner, Self.plain)
        #expect(plain.matches.map(\.item) == [2] && plain.matches.first?.sha256 == true)
        #expect(try #require(plain.quality) < PDQ.minimumQuality)
    }

    @Test func aSignalInThePlaceOfAnImageIsLookedUp() throws {
        let hash = try Self.hash(Self.detailed).hash
        let digest = sha256(Self.plain).hexadecimal
        let examiner = try examiner(banks("pdq \(hash)\nsha256 \(digest)\n"))
        for (line, items) in [
            ("pdq \(hash)", [1]), ("sha256 \(digest)", [2]), ("pdq \(digest)", []), ("sha256 \(hash)", []),
        ] {
            let found = try known(examiner, Array(line.utf8))
            #expect(found.quality == nil && found.matches.map(\.item) == items)
        }
        for line in ["pdq \(hash)0", "md5 \(hash)", "pdq \(hash)\npdq \(hash)"] {
            #expect(throws: DecodeError.self) { try known(examiner, Array(line.utf8)) }
        }
    }

    @Test func aFileThatCannotBeDecodedIsFoundByItsDigestOnly() throws {
        let broken = Array(Self.detailed.dropLast(40))
        let examiner = try examiner(banks("sha256 \(sha256(broken).hexadecimal)"))
        let found = try known(examiner, broken)
        #expect(found.quality == nil && found.matches.map(\.sha256) == [true])
        let error = #expect(throws: DecodeError.self) { try known(examiner, broken.dropLast()) }
        #expect(error?.status == 422)
    }

    @Test func aReloadTakesNewBanksAndAMistakeLeavesTheOldOnes() throws {
        let hash = try Self.hash(Self.detailed).hash
        let examiner = try examiner(banks("pdq \(hash)"))
        #expect(examiner.folders == [folder.path])
        let first = examiner.identity.digest
        try folder.write("spam.txt", "pdq \(hash)\nnonsense\n")
        examiner.reload()
        #expect(examiner.identity.digest == first)
        #expect(try known(examiner, Self.detailed).matches.count == 1)
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix("banks are wrong, the earlier ones stay in force: line 2 of ") == true)
        try folder.write("spam.txt", "")
        examiner.reload()
        #expect(examiner.identity.digest != first && warnings.count == 1)
        #expect(try known(examiner, Self.detailed).matches.isEmpty)
    }

    @Test func aFloodOfOneImageGoesToReviewWithOneAlert() throws {
        let examiner = try examiner(banks("sha256 \(sha256(Self.plain).hexadecimal)"))
        let kinds = try (0..<100).map { _ in try known(examiner, Self.plain).matches.first?.bankKind }
        #expect(kinds.first == .block && kinds.last == .review && !kinds.contains(nil))
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("item 1 of the bank SPAM matched 6") == true)
    }

    @Test func wrongBanksAreRefusedInASentenceEach() throws {
        let error = #expect(throws: BanksError.self) { try examiner("\(folder.path)/none") }
        #expect(error?.description.contains("none/banks.json cannot be read (No such file or directory)") == true)
        let two = #expect(throws: BanksError.self) { try examiner(banks("a\nb")) }
        #expect(two?.problems.count == 2)
    }
}

/// A temporary folder that is removed with its contents.
private final class Folder {
    let path: String

    init() throws {
        var template = Array("/tmp/bifrons-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in ["trust.pem", "banks.json", "spam.txt"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func write(_ name: String, _ text: String) throws {
        try write(name, Array(text.utf8))
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}

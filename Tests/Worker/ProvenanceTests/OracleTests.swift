import FoundationEssentials
import Glibc
import TestImages
import TestManifests
import Testing

@testable import Provenance

/// Compares the readers with c2pa-python and with exiftool, which write files and say what is in them.
///
/// BIFRONS_ORACLE_FILES is the number of pictures that c2pa-python signs, 60 by default; BIFRONS_ORACLE_SEED chooses
/// them.
@Suite struct OracleTests {
    private static let root = String(#filePath.dropLast("/Tests/Worker/ProvenanceTests/OracleTests.swift".count))

    /// Runs a Python program of the folder `Oracle`.
    private static func run(_ program: String, _ arguments: String) throws {
        let command = """
            cd '\(root)' && scripts/python-environment .venv-test Tests/requirements.txt && \
            .venv-test/bin/python Tests/Worker/ProvenanceTests/Oracle/\(program) \(arguments)
            """
        let pipe = try #require(popen("{ \(command); } 2>&1", "r"))
        var said: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { said.append(UInt8(byte)) }
        try #require(pclose(pipe) == 0, "\(program): \(String(decoding: said, as: UTF8.self))")
    }

    private static func withFolder(_ body: (String) throws -> Void) throws {
        var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/oracle-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        try Array(#require(FileManager.default.contents(atPath: path), "\(path)"))
    }

    private static func setting(_ name: String, default value: Int) -> Int {
        getenv(name).flatMap { Int(String(cString: $0)) } ?? value
    }

    // MARK: c2pa-python

    /// What c2pa-python makes of a file.
    private struct Answer: Decodable {
        var file: String
        var error: String?
        var unknown: [String]?
        var known: [String]?
        var state: String?
        /// Actions and their digital source types.
        var terms: [[String]]?
        var signer: String?
        var generator: String?
        var manifests: Int?
    }

    @Test func manifestsAreReadAsByTheirReferenceImplementation() throws {
        try Self.withFolder { folder in
            try writeManifests(to: folder)
            let count = Self.setting("BIFRONS_ORACLE_FILES", default: 60)
            let seed = Self.setting("BIFRONS_ORACLE_SEED", default: 1)
            try Self.run("c2pa_oracle.py", "'\(folder)' \(count) \(seed)")
            let answers = try JSONDecoder().decode([Answer].self, from: Data(Self.contents("\(folder)/c2pa.json")))
            #expect(answers.count >= count + 10)
            let anchors = try TrustAnchors(pem: Self.contents("\(folder)/anchors.pem"))
            for answer in answers { try compare(answer, in: folder, anchors) }
        }
    }

    private func compare(_ answer: Answer, in folder: String, _ anchors: TrustAnchors) throws {
        let file = try Self.contents("\(folder)/\(answer.file)")
        let now = time(nil)
        let unknown = try report(file, at: now)
        let known = try report(file, anchors: anchors, at: now)
        #expect(unknown.trust != .trusted, "\(answer.file)")
        guard answer.error == nil else {
            #expect(known.trust == .broken, "\(answer.file): \(answer.error ?? "")")
            return
        }
        let (codes, all) = (Set(known.validation), Set(answer.known ?? []))
        #expect(Set(unknown.validation) == Set(answer.unknown ?? []), "\(answer.file)")
        #expect(codes == all, "\(answer.file): \(codes.symmetricDifference(all))")
        #expect(known.generator == answer.generator || (answer.manifests ?? 1) > 1, "\(answer.file)")
        if codes.contains("claimSignature.validated") { #expect(known.signer == answer.signer, "\(answer.file)") }
        switch answer.state {
        case "Trusted": #expect(known.trust == .trusted, "\(answer.file)")
        case "Valid": #expect(known.trust == .untrusted, "\(answer.file)")
        default: #expect(known.trust != .trusted, "\(answer.file)")
        }
        if answer.manifests == 1 { #expect(known.claim == Self.claim(answer.terms ?? []), "\(answer.file)") }
    }

    /// The claim of a manifest without ingredients by its actions.
    private static func claim(_ terms: [[String]]) -> ProvenanceReport.Claim {
        let words = terms.map { $0[1].split(separator: "/").last.map(String.init) ?? "" }
        if words.contains("trainedAlgorithmicMedia") { return .aiGenerated }
        if words.contains("compositeWithTrainedAlgorithmicMedia") || words.contains("compositeSynthetic") {
            return .aiEdited
        }
        return words.contains("digitalCapture") || words.contains("computationalCapture") ? .captured : .none
    }

    /// Writes manifests that c2pa-python would not sign.
    private func writeManifests(to folder: String) throws {
        let now = time(nil)
        let valid = now - 1000..<now + 100_000
        let root = try TestSigner(organisation: "Root", validity: valid, extensions: TestSigner.authorityExtensions)
        let good = try TestSigner(organisation: "Good", issuer: root, validity: valid)
        let base = TestSigner.signerExtensions
        var signers: [String: TestSigner] = ["good": good]
        signers["expired"] = try TestSigner(organisation: "Expired", issuer: root, validity: now - 1000..<now - 10)
        signers["early"] = try TestSigner(organisation: "Early", issuer: root, validity: now + 1000..<now + 2000)
        signers["self"] = try TestSigner(organisation: "Root", validity: valid)
        signers["forged"] = try TestSigner(
            organisation: "Forged", issuer: TestSigner(organisation: "x", validity: valid), issuerName: "Root",
            validity: valid)
        for (name, index, value) in [
            ("server", 2, "serverAuth"), ("any", 2, "anyExtendedKeyUsage"), ("authority", 0, "critical,CA:TRUE"),
        ] {
            var extensions = base
            extensions[index].1 = value
            signers[name] = try TestSigner(organisation: name, issuer: root, validity: valid, extensions: extensions)
        }
        for index in 1..<4 {
            var extensions = base
            extensions.remove(at: index)
            signers["lacks \(index)"] = try TestSigner(
                organisation: "Lacks", issuer: root, validity: valid, extensions: extensions)
        }
        for (name, signer) in signers {
            try write(TestManifest.created("digitalCapture", by: signer), "signer \(name)", to: folder)
        }
        var manifest = TestManifest.created("trainedAlgorithmicMedia", by: good)
        manifest.damage = { $0[0] = TestManifest.superbox("cbor", "c2pa.actions.v2", box("cbor", [0xA0])) }
        try write(manifest, "changed assertion", to: folder)
        manifest.damage = { $0.removeFirst() }
        try write(manifest, "missing assertion", to: folder)
        manifest = TestManifest.created("trainedAlgorithmicMedia", by: good)
        for (name, actions) in [
            ("no origin", [["action": "c2pa.edited"]]),
            ("no ingredient", [["action": "c2pa.created"], ["action": "c2pa.placed"]]),
            ("late origin", [["action": "c2pa.created"], ["action": "c2pa.created"]]),
        ] as [(String, [Item])] {
            manifest.actions = actions
            try write(manifest, name, to: folder)
        }
        try Data(root.pem).write(to: URL(filePath: "\(folder)/anchors.pem"))
    }

    private func write(_ manifest: TestManifest, _ name: String, to folder: String) throws {
        for (kind, suffix) in [(TestFile.jpeg, "jpg"), (.png, "png")] {
            try Data(kind.signed(manifest)).write(to: URL(filePath: "\(folder)/\(name).\(suffix)"))
        }
    }

    // MARK: exiftool

    private struct Fields: Decodable {
        var file: String
        var values: [String: String]
    }

    @Test func metadataIsReadAsByExiftool() throws {
        try Self.withFolder { folder in
            try Self.run("exiftool_oracle.py", "'\(folder)'")
            let answers = try JSONDecoder().decode([Fields].self, from: Data(Self.contents("\(folder)/exiftool.json")))
            #expect(answers.count > 40)
            for answer in answers {
                let file = try Self.contents("\(folder)/\(answer.file)")
                let found = try file.withUnsafeBytes { try Self.fields(ByteView(buffer: $0)) }
                for (tag, value) in answer.values {
                    #expect(found[tag] == value, "\(answer.file): \(tag)")
                }
                #expect(Set(found.keys).isSubset(of: answer.values.keys), "\(answer.file)")
            }
        }
    }

    /// Returns the metadata that the readers find, by the names of `exiftool_oracle.py`.
    private static func fields(_ file: ByteView) throws -> [String: String] {
        let effort = Effort(.init()) { .zero }
        let container = try #require(try Container.read(file, effort))
        var fields: [String: String] = [:]
        for packet in container.xmp {
            try packet.withUnsafeBytes { bytes in
                for (property, value) in try XMPPacket(ByteView(buffer: bytes), effort).values
                where property != .hasExtendedXMP {
                    fields["\(property)"] = value
                }
            }
        }
        try container.iptc.withUnsafeBytes { bytes in
            for (field, value) in try IPTC.fields(ByteView(buffer: bytes), effort) { fields["iptc \(field)"] = value }
        }
        for block in container.exif {
            for (tag, value) in try EXIF(block, effort).texts { fields["exif \(tag)"] = value }
        }
        for text in container.text {
            fields["png \(text.keyword)"] = text.value.withUnsafeBytes { ByteView(buffer: $0).text }
        }
        return fields
    }
}

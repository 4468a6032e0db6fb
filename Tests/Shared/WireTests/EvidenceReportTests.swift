import FoundationEssentials
import TestKit
import Testing

@testable import BifronsWire

struct EvidenceReportTests {
    private static let digest = (0..<32).map { UInt8($0) }
    /// The largest report of each kind.
    private static let largestProvenance = ProvenanceEvidence(
        claim: .aiGenerated, trust: .untrusted, source: .pngText, generator: String(repeating: "\"", count: 200),
        signer: String(repeating: "\\", count: 200),
        validation: (0..<40).map { "\($0 % 10)" + String(repeating: "x", count: 63) }, digest: digest)
    private static let largestKnown = KnownEvidence(
        quality: 100,
        matches: (0..<40).compactMap { _ in
            KnownEvidence.Match(
                bank: String(repeating: "B", count: 64), bankKind: .review, distance: 256, item: .max, sha256: false)
        })

    static let reports: [EvidenceReport] = [
        .provenance(ProvenanceEvidence(claim: .none, trust: .unsigned)),
        .provenance(
            ProvenanceEvidence(
                claim: .aiEdited, trust: .trusted, source: .c2pa, generator: "Generator 1.0 \"é\"", signer: "テスト",
                validation: ["claimSignature.validated", "assertion.dataHash.match"], digest: digest)),
        .provenance(largestProvenance),
        .known(KnownEvidence(quality: nil, matches: [])),
        .known(
            KnownEvidence(
                quality: 49,
                matches: [KnownEvidence.Match(bank: "A_1", bankKind: .block, distance: 0, item: 0, sha256: true)!])),
        .known(largestKnown),
    ]

    @Test(arguments: reports) func aReportIsReadBack(report: EvidenceReport) throws {
        #expect(try EvidenceReport.decode(report.encoded()) == report)
        #expect(report.encoded().utf8.count <= Limits.evidenceReportBytes)
        // Clients decode a result's evidence with any decoder.
        var document = ResultDocument(id: nil, status: .ok)
        document.evidence = [ResultDocument.Evidence(report)]
        #expect(try ResultDocument.decode(document.encoded()) == document)
    }

    @Test func theSpecifiedNamesAreUsed() {
        #expect(
            Self.reports[1].encoded()
                == #"{"kind":"provenance","claim":"ai_edited","trust":"trusted","source":"c2pa","#
                + #""generator":"Generator 1.0 \"é\"","signer":"テスト","#
                + #""validation":["claimSignature.validated","assertion.dataHash.match"],"digest":""#
                + #"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","synthid":"not_checked"}"#)
        #expect(
            Self.reports[4].encoded()
                == #"{"kind":"known","quality":49,"matches":[{"bank":"A_1","bank_kind":"block","distance":0,"item":0,"#
                + #""sha256":true}]}"#)
    }

    private static let plain =
        #"{"kind":"provenance","claim":"none","trust":"unsigned","validation":[],"synthid":"not_checked"}"#
    private static let match = #"{"bank":"A","bank_kind":"block","distance":1,"item":2,"sha256":false}"#
    private static let known = #"{"kind":"known","matches":[\#(match)]}"#

    @Test func theSimplestReportsAreRead() throws {
        #expect(
            try EvidenceReport.decode(Self.plain)
                == .provenance(ProvenanceEvidence(claim: .none, trust: .unsigned)))
        #expect(try EvidenceReport.decode(" " + Self.known.replacing(":", with: " : ") + "\n").kind == .known)
    }

    @Test(
        arguments: [
            ("\"none\"", "\"real\""), ("\"claim\"", "\"clam\""), ("\"unsigned\"", "\"signed\""), ("\"unsigned\"", "7"),
            ("\"provenance\"", "\"known\""), ("\"provenance\"", "\"synthid\""), ("\"provenance\"", "null"),
            ("not_checked", "found"), ("[]", "[\"a b\"]"), ("[]", "[\"\"]"), ("[]", "[7]"), ("[]", "{}"),
            ("[]", "[" + Array(repeating: "\"a\"", count: 33).joined(separator: ",") + "]"),
            ("[]", "[],\"source\":\"file\""), ("[]", "[],\"generator\":\"\""), ("[]", "[],\"signer\":\"a\\u0007\""),
            ("[]", "[],\"signer\":\"a\\u202eb\""), ("[]", "[],\"quality\":1"), ("[]", "[],\"matches\":[]"),
            ("[]", "[],\"generator\":\"" + String(repeating: "x", count: 129) + "\""), ("[]", "[],\"digest\":\"00ff\""),
            ("[]", "[],\"digest\":\"" + String(repeating: "g", count: 64) + "\""), ("[]", "[],\"detail\":{\"a\":[1]}"),
            ("{", ""), ("}", ""), ("}", "}x"), ("{\"kind\"", "[{\"kind\""),
        ] as [(String, String)])
    func aReportWithAnythingUnknownIsMalformed(old: String, new: String) {
        let text = Self.plain.replacing(old, with: new)
        #expect(text != Self.plain)
        #expect(throws: MalformedMessage.self) { try EvidenceReport.decode(text) }
    }

    @Test(
        arguments: [
            ("\"A\"", "\"a\""), ("\"A\"", "\"\""), ("\"A\"", "\"" + String(repeating: "A", count: 65) + "\""),
            ("\"block\"", "\"ban\""), ("1,", "257,"), ("1,", "-1,"), ("1,", "1.5,"), ("1,", "1e1,"), ("2,", "-2,"),
            ("2,", "99999999999999999999,"), ("false", "0"), ("\"item\"", "\"id\""), ("[{", "{"), ("[{", "[7,{"),
            ("\"matches\"", "\"quality\":101,\"matches\""), ("\"matches\"", "\"quality\":\"1\",\"matches\""),
            ("\"matches\"", "\"claim\":\"none\",\"matches\""),
            (match, Array(repeating: match, count: 25).joined(separator: ",")),
        ] as [(String, String)])
    func matchesOutOfTheirRangesAreMalformed(old: String, new: String) {
        let text = Self.known.replacing(old, with: new)
        #expect(text != Self.known)
        #expect(throws: MalformedMessage.self) { try EvidenceReport.decode(text) }
    }

    @Test func textsOutOfFilesAreMadeHarmless() {
        let evidence = ProvenanceEvidence(
            claim: .none, trust: .unsigned, generator: "a\u{7}\u{202E}b\u{85}\n", signer: "\u{0}",
            validation: ["good.code", "bad code", ""], digest: [1, 2])
        #expect(evidence.generator == "ab")
        #expect(evidence.signer == nil && evidence.digest == nil)
        #expect(evidence.validation == ["good.code"])
        // It is cut between characters.
        let long = ProvenanceEvidence(
            claim: .none, trust: .unsigned, generator: "x" + String(repeating: "é", count: 100))
        #expect(long.generator == "x" + String(repeating: "é", count: 63))
    }

    @Test func aMatchIsWithinItsLimits() {
        func match(_ bank: String = "A", _ distance: Int = 0, _ item: Int = 0) -> KnownEvidence.Match? {
            KnownEvidence.Match(bank: bank, bankKind: .allow, distance: distance, item: item, sha256: false)
        }
        #expect(match() != nil && match("PRESS_2", 256, .max) != nil)
        #expect(match("press") == nil && match("A", 257) == nil && match("A", 0, -1) == nil)
        #expect(KnownEvidence(quality: 101, matches: []).quality == nil)
    }

    @Test func randomTextsAreDecodedOrRefused() {
        var random = SeededGenerator(seed: 9)
        let pieces = [
            "{", "}", "[", "]", ",", "\"kind\":\"known\"", "\"kind\":\"provenance\"", "\"matches\":[", Self.match,
            "\"claim\":\"none\"", "\"trust\":\"broken\"", "\"validation\":[\"a\"]", "\"synthid\":\"not_checked\"",
            "\"quality\":7", "1", "\"", "\\u0", "null",
        ]
        for _ in 0..<20_000 {
            var text = random.chance(0.8) ? "{" : ""
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                text += pieces.randomElement(using: &random)! + (random.chance(0.6) ? "," : "")
            }
            if random.chance(0.8) { text += "}" }
            guard let report = try? EvidenceReport.decode(text.replacing(",}", with: "}")) else { continue }
            #expect((try? EvidenceReport.decode(report.encoded())) == report)
        }
    }

    // MARK: In results

    @Test func aFailureIsReadBack() throws {
        var document = ResultDocument(id: nil, status: .ok)
        document.evidence = [
            ResultDocument.Evidence(.provenance, failed: WireError(.timeout, code: "evidence_late", "it is late"))
        ]
        #expect(
            document.encoded().text == #"{"status":200,"evidence":[{"kind":"provenance","status":408,"#
                + #""error":{"code":"evidence_late","message":"it is late"}}]}"#)
        #expect(try ResultDocument.decode(document.encoded()) == document)
    }

    @Test func evidenceOfALaterReleaseIsSkipped() throws {
        let text =
            #"{"status":200,"evidence":[{"kind":"watermark","status":200,"found":true},"#
            + #"{"kind":"known","status":200,"matches":[],"new":1}]}"#
        let document = try ResultDocument.decode(Array(text.utf8))
        #expect(document.evidence == [ResultDocument.Evidence(.known(KnownEvidence(quality: nil, matches: [])))])
    }

    @Test func evidenceThatIsNoneIsRefused() {
        let text = #"{"status":200,"evidence":[{"kind":"provenance","status":200,"claim":"maybe"}]}"#
        #expect(throws: DecodingError.self) { try ResultDocument.decode(Array(text.utf8)) }
    }

    @Test func theReasonsOfAVerdictAreReadBack() throws {
        var document = ResultDocument(id: nil, status: .ok)
        document.verdict = .init(
            label: .real, aiProbability: 0.25, action: .review, policy: "default",
            reasons: ["provenance", "evidence_missing"])
        #expect(
            document.encoded().text == #"{"status":200,"verdict":{"label":"real","ai_probability":0.25,"#
                + #""action":"review","policy":"default","reasons":["provenance","evidence_missing"]}}"#)
        #expect(try ResultDocument.decode(document.encoded()) == document)
    }
}

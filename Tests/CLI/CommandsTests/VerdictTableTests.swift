import BifronsWire
import ProcessSupport
import Testing

@testable import Commands

@Suite struct VerdictTableTests {
    private let table = VerdictTable(names: ["a.jpg", "folder/b.png"], models: ["resnet", "inception"])

    private var verdict: ResultDocument {
        var result = ResultDocument(id: "1", status: .ok)
        result.verdict = .init(label: .aiGenerated, aiProbability: 0.973, action: .block, policy: "default")
        var resnet = ResultDocument.ModelResult(name: "resnet", status: .ok)
        resnet.aiProbability = 0.981
        result.models = [.init(name: "inception", status: .timeout), resnet]
        result.totalMilliseconds = 12.14
        return result
    }

    @Test func verdictsAreAlignedInColumns() {
        #expect(
            [table.header, table.line("a.jpg", verdict)] == [
                "FILE          VERDICT            AI  ACTION  FACES   resnet  inception      MS",
                "a.jpg         AI-generated   97.3 %  block       -   98.1 %          -    12.1",
            ])
    }

    @Test func theNumberOfFacesOrTheirAbsenceIsShown() {
        var result = verdict
        result.faces = []
        #expect(table.line("a.jpg", result).contains("block    none  "))
        result.faces = [.init(box: Box(x: 1, y: 2, width: 3, height: 4), aiProbability: 0.5, models: [])]
        #expect(table.line("a.jpg", result).contains("block       1  "))
    }

    @Test func facesThatWereNotScoredAreIncludedInTheCount() {
        var result = verdict
        result.faces = [.init(box: Box(x: 1, y: 2, width: 3, height: 4), aiProbability: 0.5, models: [])]
        result.facesFound = 1
        #expect(table.line("a.jpg", result).contains("block       1  "))
        result.facesFound = 40
        #expect(table.line("a.jpg", result).contains("block   1 of 40  "))
    }

    @Test func anImageWithoutAFaceHasNoProbability() {
        var result = verdict
        result.verdict = .init(label: .noFace, aiProbability: nil, action: .review, policy: "default")
        (result.faces, result.facesFound) = ([], 0)
        #expect(
            table.line("a.jpg", result)
                == "a.jpg         no face             -  review   none        -          -    12.1")
    }

    @Test func errorsAreShownWithStatusAndCode() {
        let result = ResultDocument(
            id: nil, error: WireError(.unprocessable, code: "image_truncated", "the end is missing"))
        #expect(table.line("folder/b.png", result) == "folder/b.png  error 422 image_truncated: the end is missing")
    }

    // MARK: Colours and CSV

    @Test func coloursChangeNoColumn() {
        let coloured = VerdictTable(
            names: ["a.jpg", "folder/b.png"], models: ["resnet", "inception"], isColoured: true)
        let line = coloured.line("a.jpg", verdict)
        #expect(line.contains("\u{1B}[31mblock\u{1B}[0m "))
        let plain = line.replacing("\u{1B}[31m", with: "").replacing("\u{1B}[0m", with: "")
        #expect(plain == table.line("a.jpg", verdict))
        let failed = ResultDocument(id: nil, error: WireError(.unprocessable, code: "c", "m"))
        #expect(coloured.line("a.jpg", failed).contains("\u{1B}[31merror 422\u{1B}[0m c: m"))
    }

    @Test(
        arguments: [
            (true, nil, "xterm", true), (false, nil, "xterm", false), (true, "1", "xterm", false),
            (true, "", "xterm", true),
            (true, nil, "dumb", false), (true, nil, nil, true),
        ] as [(Bool, String?, String?, Bool)])
    func coloursAreForTerminalsAndNobodyWhoRefusesThem(
        isTerminal: Bool, noColor: String?, terminal: String?, isWanted: Bool
    ) {
        let environment = ["NO_COLOR": noColor, "TERM": terminal].compactMapValues(\.self)
        #expect(Colour.isWanted(isTerminal: isTerminal) { environment[$0] } == isWanted)
    }

    @Test func linesOfCSVHaveTheHeadersColumns() {
        #expect(
            CSV.header
                == "file,status,label,ai_probability,action,policy,reasons,faces,faces_found,models,total_ms,decision,"
                + "error_code,error_message")
        #expect(
            CSV.line("a.jpg", verdict)
                == "a.jpg,200,ai_generated,0.973000,block,default,,,,resnet=0.981000,12.140,,,")
        let failed = ResultDocument(
            id: nil, error: WireError(.unprocessable, code: "image_truncated", "the \"end\", is missing"))
        #expect(
            CSV.line("=cmd,x.jpg", failed)
                == #""'=cmd,x.jpg",422,,,,,,,,,,,image_truncated,"the ""end"", is missing""#)
    }

    // MARK: Evidence

    private func lines(_ evidence: [ResultDocument.Evidence], reasons: [String] = []) -> [String] {
        var result = verdict
        result.evidence = evidence
        result.verdict?.reasons = reasons
        let lines = table.lines("a.jpg", result)
        #expect(lines.first == table.line("a.jpg", result))
        return Array(lines.dropFirst())
    }

    private func provenance(
        _ claim: ProvenanceEvidence.Claim, _ trust: ProvenanceEvidence.Trust, generator: String? = nil,
        signer: String? = nil
    ) -> [String] {
        lines([
            .init(.provenance(.init(claim: claim, trust: trust, generator: generator, signer: signer)))
        ])
    }

    @Test func whatAFileSaysOfItselfStandsBelowItsVerdict() {
        #expect(
            provenance(.aiGenerated, .untrusted, generator: "Painter 3", signer: "Painters Ltd")
                == [
                    "    says of itself: AI-generated, made with Painter 3, signed by Painters Ltd, chain not trusted"
                ])
        #expect(
            provenance(.aiEdited, .trusted, signer: "Camera Inc")
                == ["    says of itself: edited with AI, signed by Camera Inc"])
        #expect(provenance(.captured, .trusted) == ["    says of itself: captured by a camera, signed"])
        #expect(provenance(.aiGenerated, .unsigned) == ["    says of itself: AI-generated, not signed"])
        #expect(
            provenance(.none, .broken, signer: "A")
                == [
                    "    says of itself: nothing of how it was made, signature broken: changed after it was signed"
                ])
        #expect(provenance(.none, .unsigned) == [])
    }

    @Test func knownImagesAndMissingEvidenceStandBelowTheVerdict() throws {
        let matches = [
            KnownEvidence.Match(bank: "PRESS", bankKind: .allow, distance: 4, item: 17, sha256: false),
            KnownEvidence.Match(bank: "BAD_1", bankKind: .block, distance: 0, item: 2, sha256: true),
        ].compactMap(\.self)
        let late = WireError(.timeout, code: "evidence_late", "the verdict did not wait")
        #expect(
            lines(
                [.init(.known(.init(quality: 90, matches: matches))), .init(.provenance, failed: late)],
                reasons: ["known", "evidence_missing"])
                == [
                    "    known image: PRESS (allow), item 17, distance 4",
                    "    known image: BAD_1 (block), item 2, the same file",
                    "    provenance is missing: the verdict did not wait",
                    "    decided by: known, evidence_missing",
                ])
    }

    @Test func anAnimationIsSaidToBeOne() {
        var result = verdict
        for isAnimated in [false, true] {
            result.image = ImageInformation(
                format: .gif, isAnimated: isAnimated, width: 9, height: 9, sha256: [UInt8](repeating: 0, count: 32))
            let expected = isAnimated ? ["    an animation, of which only the first frame was looked at"] : []
            #expect(Array(table.lines("a.gif", result).dropFirst()) == expected)
        }
    }

    @Test func jsonIsTheResultWithTheFileName() {
        let line = VerdictTable.json(FileName("a/\"b\".jpg"), Array(#"{"id":"1"}"#.utf8))
        #expect(line == #"{"file":"a/\"b\".jpg","id":"1"}"#)
        #expect(VerdictTable.json(FileName("a"), Array(" {} ".utf8)) == #"{"file":"a"} "#)
    }

    @Test func aNameThatIsNotUTF8IsEscapedAndAlsoGivenInBase64() {
        let names = [[0x63, 0xE9], [0x63, 0xE8], Array("c\\xE9".utf8)].map { FileName(bytes: $0) }
        let lines = names.map { VerdictTable.json($0, Array("{}".utf8)) }
        #expect(
            lines == [
                #"{"file":"c\\xE9","file_base64":"Y+k="}"#, #"{"file":"c\\xE8","file_base64":"Y+g="}"#,
                #"{"file":"c\\xE9"}"#,
            ])
        #expect(table.line(names[0].text, verdict).hasPrefix(#"c\xE9  "#))
    }
}

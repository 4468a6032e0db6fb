import BifronsWire
import FoundationEssentials
import TestKit
import Testing

struct ResultDocumentTests {
    private func readBack(_ document: ResultDocument) throws -> ResultDocument {
        try JSONDecoder().decode(ResultDocument.self, from: Data(document.encoded()))
    }

    /// A result with every field, except `metadata`, which is not decoded.
    private var full: ResultDocument {
        var document = ResultDocument(id: "a\"1\n", status: .partial)
        document.verdict = ResultDocument.Verdict(
            label: .aiGenerated, aiProbability: 0.973, action: .block, policy: "default")
        var scored = ResultDocument.ModelResult(name: "resnet", status: .ok)
        scored.version = "1.0.0"
        scored.digest = "sha256:00ff"
        scored.aiProbability = 0.981
        scored.queueMilliseconds = 0.4
        scored.computeMilliseconds = 9.8
        scored.worker = "resnet-7f3a"
        var failed = ResultDocument.ModelResult(name: "inception", status: .timeout)
        failed.error = ResultDocument.Problem(WireError(.timeout, code: "budget_spent", "the \"budget\" was\tspent"))
        document.models = [scored, failed]
        document.locator = ResultDocument.LocatorResult(
            version: "2.0.0", digest: "sha256:11ee", queueMilliseconds: 0.25, computeMilliseconds: 4.125,
            worker: "locator-02b1")
        document.degraded = true
        document.attempts = 2
        document.totalMilliseconds = 12.125
        document.faces = [
            ResultDocument.Face(
                box: Box(x: -1, y: 2, width: 300, height: .max), turned: -47.3, aiProbability: 0.973,
                models: [("resnet", 0.981), ("inception", 0.962)],
                maps: [
                    "resnet": HeatMap(
                        square: Box(x: 0, y: 2, width: 9, height: 9),
                        evidence: EvidenceMap(width: 1, height: 2, cells: [255, 0]))
                ]
            )
        ]
        document.facesFound = 17
        document.maps = [
            "inception": HeatMap(
                square: Box(x: 0, y: 0, width: 1, height: 1), evidence: EvidenceMap(width: 1, height: 1, cells: [7]))
        ]
        document.image = .sample
        document.error = ResultDocument.Problem(WireError(.badRequest, code: "c", "m"))
        document.retryAfterMilliseconds = 250
        return document
    }

    @Test func everyFieldIsReadBack() throws {
        #expect(try readBack(full) == full)
    }

    @Test func theLocatorIsReported() throws {
        var document = ResultDocument(id: nil, status: .ok)
        document.locator = full.locator
        #expect(
            document.encoded().text == #"{"status":200,"locator":{"version":"2.0.0","digest":"sha256:11ee","#
                + #""queue_ms":0.25,"compute_ms":4.125,"worker":"locator-02b1"}}"#)
        #expect(try readBack(document) == document)
    }

    /// Results of earlier releases, and of images that were not decoded, have no locator.
    @Test func aResultWithoutALocatorIsReadBack() throws {
        var document = full
        document.locator = nil
        #expect(!document.encoded().text.contains("locator"))
        #expect(try readBack(document) == document)
    }

    @Test(arguments: ["version", "digest", "queue_ms", "compute_ms", "worker"])
    func aLocatorWithoutOneOfItsFieldsIsRefused(field: String) {
        let text = full.encoded().text.split(separator: #""locator":"#)[1]
        let object = text.prefix(through: text.firstIndex(of: "}")!).replacing("\"\(field)\":", with: "\"other\":")
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(ResultDocument.self, from: Data(#"{"status":200,"locator":\#(object)}"#.utf8))
        }
    }

    @Test func aMapIsWrittenInBase64() {
        var document = ResultDocument(id: nil, status: .ok)
        document.maps = [
            "resnet": HeatMap(
                square: Box(x: 1, y: 2, width: 3, height: 3),
                evidence: EvidenceMap(width: 2, height: 2, cells: [0, 255, 16, 1]))
        ]
        #expect(
            document.encoded().text
                == #"{"status":200,"maps":{"resnet":{"square":[1,2,3,3],"width":2,"height":2,"data":"AP8QAQ=="}}}"#)
    }

    @Test(arguments: [
        #"{"square":[1,2,3],"width":2,"height":2,"data":"AP8QAQ=="}"#,
        #"{"square":[1,2,3,3],"width":2,"height":1,"data":"AP8QAQ=="}"#,
        #"{"square":[1,2,3,3],"width":0,"height":0,"data":""}"#,
        #"{"square":[1,2,3,3],"width":17,"height":1,"data":"AP8QAQ=="}"#,
        #"{"square":[1,2,3,3],"width":2,"height":2,"data":"?"}"#,
    ])
    func anInvalidMapIsRefused(map: String) {
        let text = #"{"status":200,"maps":{"resnet":\#(map)}}"#
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(ResultDocument.self, from: Data(text.utf8))
        }
    }

    @Test func theSmallestResultIsReadBack() throws {
        let document = ResultDocument(id: nil, status: .ok)
        #expect(document.encoded().text == #"{"status":200}"#)
        #expect(try readBack(document) == document)
    }

    @Test func aRefusalReportsStatusCodeAndMessage() throws {
        let document = ResultDocument(
            id: "a1", error: WireError(.unprocessable, code: "image_truncated", "it ends early"))
        #expect(
            document.encoded().text
                == #"{"id":"a1","status":422,"error":{"code":"image_truncated","message":"it ends early"}}"#)
        #expect(try readBack(document) == document)
    }

    @Test func noFacesFoundDiffersFromFacesNotLocated() throws {
        var document = ResultDocument(id: "a", status: .ok)
        #expect(try readBack(document).faces == nil)
        document.faces = []
        #expect(document.encoded().text.contains(#""faces":[]"#))
        #expect(try readBack(document).faces == [])
    }

    @Test func aVerdictWithoutAFaceHasNoProbability() throws {
        var document = ResultDocument(id: nil, status: .ok)
        document.verdict = .init(label: .noFace, aiProbability: nil, action: .review, policy: "default")
        (document.faces, document.facesFound) = ([], 0)
        #expect(
            document.encoded().text == #"{"status":200,"verdict":{"label":"no_face","action":"review","#
                + #""policy":"default"},"faces":[],"faces_found":0}"#)
        #expect(try readBack(document) == document)
    }

    @Test func aResultWithoutACountOfFacesIsReadBack() throws {
        let text = #"{"status":200,"faces":[]}"#
        let document = try JSONDecoder().decode(ResultDocument.self, from: Data(text.utf8))
        #expect(document.faces == [] && document.facesFound == nil)
    }

    @Test func metadataIsEncodedUnchanged() throws {
        var document = full
        document.metadata = Array(#"{"a": [1, 2.50]}"#.utf8)
        #expect(document.encoded().text.contains(#","metadata":{"a": [1, 2.50]},"#))
        _ = try readBack(document)
    }

    @Test func fieldsHaveTheNamesOfTheProtocol() {
        let text = full.encoded().text
        for name in [
            "id", "status", "verdict", "label", "ai_probability", "action", "policy", "models", "name", "version",
            "digest", "queue_ms", "compute_ms", "worker", "locator", "degraded", "attempts", "total_ms", "faces",
            "faces_found",
            "box", "turned", "image",
            "format", "width", "height", "sha256", "error", "code", "message", "retry_after_ms",
        ] {
            #expect(text.contains("\"\(name)\":"))
        }
        #expect(text.contains(#""label":"ai_generated""#))
        #expect(text.contains(#""sha256":"0008101820"#))
        #expect(text.contains(#""models":{"resnet":0.981,"inception":0.962}"#))
    }

    @Test(arguments: ["", "00", String(repeating: "0", count: 63), String(repeating: "g", count: 64)])
    func anInvalidImageDigestIsRefused(digest: String) {
        let text = #"{"status":200,"image":{"format":"png","width":1,"height":1,"sha256":"\#(digest)"}}"#
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ResultDocument.self, from: Data(text.utf8)) }
    }

    @Test(arguments: ["[1,2,3]", "[]", "[1,2,3,4,5]", "[1,2,3,2147483648]"]) func aBoxWithoutFourIntegersIsRefused(
        box: String
    ) {
        let text = #"{"status":200,"faces":[{"box":\#(box),"ai_probability":1,"models":{}}]}"#
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(ResultDocument.self, from: Data(text.utf8)) }
    }

    @Test func onlyAnAnimationSaysSo() throws {
        var document = ResultDocument(id: nil, status: .ok)
        let still = ImageInformation(format: .webp, width: 3, height: 4, sha256: Array(repeating: 0, count: 32))
        let animated = ImageInformation(
            format: .webp, isAnimated: true, width: 3, height: 4, sha256: Array(repeating: 0, count: 32))
        for (image, words) in [(still, ""), (animated, #""animated":true,"#)] {
            document.image = image
            #expect(document.encoded().text.contains(#"{"format":"webp",\#(words)"width":3,"height":4,"sha256":"00"#))
            #expect(try JSONDecoder().decode(ResultDocument.self, from: Data(document.encoded())).image == image)
        }
    }

    @Test func onlyTurnedFacesReportTheirTurn() throws {
        var document = ResultDocument(id: nil, status: .ok)
        let box = Box(x: 1, y: 2, width: 3, height: 4)
        document.faces = [nil, 90, -47.25].map { .init(box: box, turned: $0, aiProbability: 1, models: []) }
        #expect(
            document.encoded().text == #"{"status":200,"faces":[{"box":[1,2,3,4],"ai_probability":1,"models":{}},"#
                + #"{"box":[1,2,3,4],"turned":90,"ai_probability":1,"models":{}},"#
                + #"{"box":[1,2,3,4],"turned":-47.3,"ai_probability":1,"models":{}}]}"#)
    }

    @Test func randomResultsAreReadBack() throws {
        var random = SeededGenerator(seed: 5)
        func probability() -> Double { (Double.random(in: 0...1, using: &random) * 1e6).rounded() / 1e6 }
        for _ in 0..<300 {
            var document = full
            document.verdict?.aiProbability = probability()
            document.verdict?.label = ResultDocument.Label.allCases.randomElement(using: &random)!
            if document.verdict?.label == .noFace { document.verdict?.aiProbability = nil }
            document.verdict?.action = ResultDocument.PolicyAction.allCases.randomElement(using: &random)!
            document.models[0].aiProbability = probability()
            document.totalMilliseconds = Double(Int.random(in: 0...600_000_000, using: &random)) / 1000
            document.faces = (0..<Int.random(in: 0...3, using: &random)).map { index in
                ResultDocument.Face(
                    box: Box(x: Int32(index), y: 2, width: 3, height: 4),
                    turned: index == 0 ? nil : Double(Int.random(in: -1799...1800, using: &random)) / 10,
                    aiProbability: probability(),
                    models: [("resnet", probability()), ("inception", probability())])
            }
            #expect(try readBack(document) == document)
        }
    }

    @Test func actionsAreOrderedBySeverity() {
        #expect(ResultDocument.PolicyAction.allow < .review)
        #expect(ResultDocument.PolicyAction.review < .block)
        #expect(!(ResultDocument.PolicyAction.block < .block))
    }

    @Test(arguments: [
        (Status.ok, true), (.partial, true), (.tooLarge, true), (.unsupportedMedia, true), (.unprocessable, true),
        (.accepted, false), (.badRequest, false), (.notFound, false), (.timeout, false), (.tooManyRequests, false),
        (.unavailable, false),
    ]) func aStatusIsFinalIfARetryWouldEndTheSame(status: Status, isFinal: Bool) {
        #expect(status.isFinal == isFinal)
        #expect(status.isSuccess == (status.rawValue < 300))
    }
}

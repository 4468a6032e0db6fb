import BifronsWire
import Decisions
import Glibc
import RouterCore
import TestKit
import Testing

struct MergeTests {
    private func sigmoid(_ x: Double) -> Double { 1 / (1 + Glibc.exp(-x)) }

    private func isNear(_ left: Double?, _ right: Double) -> Bool {
        left.map { abs($0 - right) < 1e-9 } ?? false
    }

    /// Returns a request's result after both models have answered.
    private func result(
        resnet: Float, inception: Float, _ change: (inout RequestHeader) -> Void = { _ in }
    ) throws -> ResultDocument {
        var script = Script()
        script.join("r1")
        script.join("i1")
        script.classify(1, change)
        script.score("r1", 1, logit: resnet)
        #expect(script.score("i1", 1, logit: inception) == ["reply 1: 200"])
        return try #require(script.document(1))
    }

    @Test func bothScoresMergeIntoTheVerdict() throws {
        let result = try result(resnet: 1.25, inception: -0.5)
        // 0.3 + 0.7 · 1.25 − 0.6 · 0.5 = 0.875
        #expect(isNear(result.verdict?.aiProbability, sigmoid(0.875)))
        #expect(result.verdict?.label == .aiGenerated)
        #expect(result.verdict?.action == .review)
        #expect(result.verdict?.policy == "default")
        #expect(result.status == .ok)
        #expect(!result.degraded)
        #expect(result.attempts == 1)
        #expect(result.error == nil)
        #expect(result.models.map(\.name) == ["resnet", "inception"])
        #expect(result.models.map(\.status) == [.ok, .ok])
        #expect(isNear(result.models[0].aiProbability, sigmoid(1.25)))
        #expect(isNear(result.models[1].aiProbability, sigmoid(-0.5)))
        #expect(result.models.map(\.worker) == ["r1", "i1"])
        #expect(result.models.map(\.digest) == ["sha256:00ff", "sha256:00ff"])
        #expect(result.models.map(\.version) == ["1.0.0", "1.0.0"])
        #expect(result.image == .sample)
        // No model looks for faces.
        #expect(result.faces == nil && result.facesFound == nil)
    }

    @Test func aSingleModelIsMergedByItsOwnBlend() throws {
        var script = Script()
        script.join("r1")
        script.join("i1")
        #expect(script.classify(1) { $0.models = ["inception"] } == ["job 1 to i1"])
        #expect(script.score("i1", 1, logit: 2) == ["reply 1: 200"])
        let result = try #require(script.document(1))
        #expect(isNear(result.verdict?.aiProbability, sigmoid(-0.2 + 0.5 * 2)))
        #expect(result.models.map(\.name) == ["inception"])
        #expect(!result.degraded)
    }

    @Test func resultsListTheModelsInTheEnsemblesOrder() throws {
        let result = try result(resnet: 0, inception: 0) { $0.models = ["inception", "resnet"] }
        #expect(result.models.map(\.name) == ["resnet", "inception"])
    }

    @Test(
        arguments: [
            ("default", -3, ResultDocument.Label.real, ResultDocument.PolicyAction.allow),
            ("default", 0, .aiGenerated, .review), ("default", 5, .aiGenerated, .block),
            ("strict", -1.5, .real, .review),
            ("strict", 0, .aiGenerated, .block), ("strict", -6, .real, .allow), ("careful", -3, .real, .allow),
            ("easy", 5, .aiGenerated, .block),
        ] as [(String, Float, ResultDocument.Label, ResultDocument.PolicyAction)])
    func policiesTurnProbabilitiesIntoActions(
        policy: String, logit: Float, label: ResultDocument.Label, action: ResultDocument.PolicyAction
    ) throws {
        let result = try result(resnet: logit, inception: logit) { $0.policy = policy }
        #expect(result.verdict?.label == label)
        #expect(result.verdict?.action == action)
        #expect(result.verdict?.policy == policy)
    }

    private let left = Box(x: 10, y: 20, width: 100, height: 110)
    private let right = Box(x: 300, y: 20, width: 90, height: 95)

    /// Returns a script with workers of both models, which score these faces.
    private func pair(_ faces: [Box], facesFound: Int? = nil) -> Script {
        var script = Script()
        script.faces = faces.map { WorkerMessage.Face(box: $0) }
        script.facesFound = facesFound
        script.join("r1", scoring: .sample)
        script.join("i1", scoring: .sample)
        return script
    }

    /// Returns a script in which resnet has scored the first faces. Then a worker of inception joined that wants other
    /// crops, and the image was cut again, with the second faces.
    private func cutTwice(_ first: [Box], _ second: [Box], resnet: [Float]) -> Script {
        var script = pair(first)
        script.classify(1)
        script.score("r1", 1, logits: resnet)
        script.faces = second.map { WorkerMessage.Face(box: $0) }
        script.lose("i1", .unreachable)
        let wider = CropSpecification(kind: .face(margin: 2), width: 2, height: 2, preprocessing: 3)
        #expect(script.join("i2", scoring: wider) == ["welcome i2", "job 1 to i2, attempt 2"])
        return script
    }

    @Test func facesMergeByTheirBoxesAndTheHighestProbabilityDecides() throws {
        var script = pair([left, right])
        script.classify(1) { $0.policy = "careful" }
        script.score("r1", 1, logits: [-2, 3])
        script.score("i1", 1, logits: [-1, 1])
        let result = try #require(script.document(1))
        let faces = try #require(result.faces)
        #expect(faces.map(\.box) == [left, right])
        #expect(isNear(faces[0].aiProbability, sigmoid(0.3 - 0.7 * 2 - 0.6 * 1)))
        #expect(isNear(faces[1].aiProbability, sigmoid(0.3 + 0.7 * 3 + 0.6 * 1)))
        #expect(faces[0].models.map(\.name) == ["resnet", "inception"])
        #expect(isNear(faces[0].models[0].aiProbability, sigmoid(-2)))
        #expect(isNear(faces[0].models[1].aiProbability, sigmoid(-1)))
        #expect(result.verdict?.aiProbability == faces[1].aiProbability)
        // The probability is 0.95, so the image is blocked.
        #expect(result.verdict?.action == .block)
        #expect(result.facesFound == 2)
        // A model's own probability is that of the decisive face.
        #expect(isNear(result.models[0].aiProbability, sigmoid(3)))
        #expect(isNear(result.models[1].aiProbability, sigmoid(1)))
    }

    @Test func heatMapsAreReportedOnlyOnRequest() throws {
        func map(_ cell: UInt8) -> EvidenceMap { EvidenceMap(width: 1, height: 1, cells: [cell]) }
        var script = pair([left, right])
        for (token, explain) in [(1, true), (2, false)] {
            script.classify(token) { $0.explain = explain }
            script.score("r1", token, logits: [-2, 3], maps: [map(1), nil])
            script.score("i1", token, logits: [-1, 1], maps: [nil, map(2)])
            let faces = try #require(script.document(token)?.faces)
            let (first, second) = (HeatMap(square: left, evidence: map(1)), HeatMap(square: right, evidence: map(2)))
            #expect(faces.map(\.maps) == (explain ? [["resnet": first], ["inception": second]] : [[:], [:]]))
            #expect(script.document(token)?.maps == [:])
        }
        script.faces = []
        for (token, explain) in [(3, true), (4, false)] {
            script.classify(token) { $0.explain = explain }
            script.score("r1", token, logits: [-2], maps: [map(3)])
            script.score("i1", token, logits: [2], maps: [map(4)])
            let maps = [("resnet", map(3)), ("inception", map(4))].map {
                ($0, HeatMap(square: .wholeSample, evidence: $1))
            }
            #expect(script.document(token)?.maps == (explain ? Dictionary(uniqueKeysWithValues: maps) : [:]))
        }
    }

    @Test func facesReportTheirRotation() throws {
        var script = pair([])
        script.faces = [.init(box: left, turned: 90), .init(box: right)]
        script.classify(1)
        script.score("r1", 1, logits: [-2, 3])
        script.score("i1", 1, logits: [-1, 1])
        #expect(script.document(1)?.faces?.map(\.turned) == [90, nil])
    }

    @Test func boxesThatMostlyOverlapAreOneFace() throws {
        let (shifted, elsewhere) = (
            Box(x: 11, y: 19, width: 101, height: 110), Box(x: 80, y: 20, width: 100, height: 110)
        )
        var script = cutTwice([left, elsewhere], [elsewhere, shifted], resnet: [-2, 3])
        #expect(script.score("i2", 1, logits: [1, -1]) == ["reply 1: 200"])
        let faces = try #require(script.document(1)?.faces)
        #expect(faces.map(\.box) == [left, elsewhere])
        #expect(isNear(faces[0].aiProbability, sigmoid(0.3 - 0.7 * 2 - 0.6 * 1)))
        #expect(isNear(faces[1].aiProbability, sigmoid(0.3 + 0.7 * 3 + 0.6 * 1)))
    }

    @Test func overlappingFacesOfOneModelAreNotMerged() throws {
        var script = pair([left, left])
        script.classify(1) { $0.models = ["resnet"] }
        script.score("r1", 1, logits: [-2, 3])
        #expect(script.document(1)?.faces?.count == 2)
    }

    @Test func aFaceScoredByOneModelIsMergedByThatModelsBlend() throws {
        var script = cutTwice([left], [left, right], resnet: [-2])
        script.score("i2", 1, logits: [-1, 4])
        let result = try #require(script.document(1))
        let faces = try #require(result.faces)
        #expect(faces.count == 2)
        #expect(isNear(faces[1].aiProbability, sigmoid(-0.2 + 0.5 * 4)))
        #expect(faces[1].models.map(\.name) == ["inception"])
        #expect(result.verdict?.aiProbability == faces[1].aiProbability)
        // resnet did not see the decisive face, so its highest score is reported.
        #expect(isNear(result.models[0].aiProbability, sigmoid(-2)))
    }

    // MARK: Images without a face

    @Test(
        arguments: [-9, 0, 9] as [Float],
        ["default": .review, "strict": .review, "careful": .block, "easy": .allow]
            as [String: ResultDocument.PolicyAction])
    func anImageWithoutAFaceGetsNoProbabilityAndThePolicysAction(
        logit: Float, policy: (key: String, value: ResultDocument.PolicyAction)
    ) throws {
        var script = pair([])
        script.classify(1) { $0.policy = policy.key }
        script.score("r1", 1, logit: logit)
        #expect(script.score("i1", 1, logit: 1) == ["reply 1: 200"])
        let result = try #require(script.document(1))
        #expect(
            result.verdict?.unversioned
                == ResultDocument.Verdict(
                    label: .noFace, aiProbability: nil, action: policy.value, policy: policy.key))
        #expect(result.faces == [] && result.facesFound == 0)
        // The scores of the central square are reported, but do not decide.
        #expect(isNear(result.models[0].aiProbability, sigmoid(Double(logit))))
        #expect(isNear(result.models[1].aiProbability, sigmoid(1)))
    }

    @Test func theNoFaceActionDoesNotApplyToAnImageWithAFace() throws {
        var script = pair([left])
        script.classify(1) {
            $0.models = ["resnet"]
            $0.policy = "careful"
        }
        script.score("r1", 1, logit: -5)
        #expect(script.document(1)?.verdict?.action == .allow)
    }

    @Test func aWholeImageModelDecidesWhenThereIsNoFace() throws {
        var script = Script()
        script.join("r1")
        script.join("i1", scoring: .sample)
        script.classify(1) { $0.policy = "careful" }
        script.score("r1", 1, logit: -2)
        script.score("i1", 1, logit: 9)
        let result = try #require(script.document(1))
        // The verdict is by resnet's own blend. Neither inception's score of the central square nor `no_face` takes
        // part.
        #expect(isNear(result.verdict?.aiProbability, sigmoid(0.1 - 1.5 * 2)))
        #expect(result.verdict?.label == .real && result.verdict?.action == .allow)
        #expect(result.faces == [] && result.facesFound == 0)
        #expect(isNear(result.models[1].aiProbability, sigmoid(9)))
    }

    @Test func aWholeImageModelCountsBesideTheFaces() throws {
        for (whole, face, decisive) in [(5, -1, sigmoid(0.1 + 1.5 * 5)), (-5, 3, sigmoid(-0.2 + 0.5 * 3))]
            as [(Float, Float, Double)]
        {
            var script = Script()
            script.faces = [WorkerMessage.Face(box: left)]
            script.join("r1")
            script.join("i1", scoring: .sample)
            script.classify(1)
            script.score("r1", 1, logit: whole)
            script.score("i1", 1, logit: face)
            let result = try #require(script.document(1))
            #expect(isNear(result.verdict?.aiProbability, decisive))
            #expect(result.faces?.map(\.box) == [left])
            #expect(result.facesFound == 1)
        }
    }

    /// Each map covers the part of the image that its model saw.
    @Test func heatMapsReportTheSquareOfTheirCrop() throws {
        let map = EvidenceMap(width: 1, height: 1, cells: [9])
        for (box, faces, maps) in [
            (left, [["inception": HeatMap(square: left, evidence: map)]], [:]),
            (nil, [], ["inception": HeatMap(square: .wholeSample, evidence: map)]),
        ] as [(Box?, [[String: HeatMap]], [String: HeatMap])] {
            var script = Script()
            script.faces = [box].compactMap { $0 }.map { WorkerMessage.Face(box: $0) }
            script.join("r1")
            script.join("i1", scoring: .sample)
            script.classify(1) { $0.explain = true }
            script.score("r1", 1, logits: [0], maps: [map])
            script.score("i1", 1, logits: [0], maps: [map])
            let result = try #require(script.document(1))
            #expect(result.faces?.map(\.maps) == faces)
            // Once a face is scored, a map of the whole image is not reported.
            let whole = box == nil ? ["resnet": HeatMap(square: .wholeSample, evidence: map)] : [:]
            #expect(result.maps == maps.merging(whole) { $1 })
        }
    }

    @Test func aFaceFoundForOnlyOneModelDecides() throws {
        var script = cutTwice([], [left], resnet: [9])
        script.score("i2", 1, logits: [-1])
        let result = try #require(script.document(1))
        #expect(isNear(result.verdict?.aiProbability, sigmoid(-0.2 - 0.5)))
        #expect(result.faces?.count == 1 && result.facesFound == 1)
    }

    @Test func anImageWithoutAFaceIsPartialWhenAModelIsMissing() throws {
        var script = pair([])
        script.classify(1)
        script.fail("i1", 1, .timeout)
        #expect(script.score("r1", 1, logit: 9) == ["reply 1: 206"])
        #expect(script.document(1)?.verdict?.label == .noFace)
    }

    @Test func facesFoundIncludesFacesThatAreNotScored() throws {
        var script = pair((0..<16).map { Box(x: 50 * Int32($0), y: 0, width: 40, height: 40) }, facesFound: 41)
        script.classify(1)
        for name in ["r1", "i1"] { script.score(name, 1, logits: Array(repeating: -3, count: 16)) }
        let result = try #require(script.document(1))
        #expect(result.faces?.count == 16)
        #expect(result.facesFound == 41)
    }

    @Test func resultsSeparateQueueTimeFromComputeTime() throws {
        var script = Script()
        script.join("r1")
        script.classify(1) { $0.models = ["resnet"] }
        script.wait(.milliseconds(12))
        script.score("r1", 1)
        let result = try #require(script.document(1))
        #expect(result.totalMilliseconds == 12)
        #expect(result.models[0].computeMilliseconds == 2)
        #expect(result.models[0].queueMilliseconds == 10)
    }

    @Test func extremeScoresGiveProbabilitiesWithinBounds() throws {
        for logit in [Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude] {
            let result = try result(resnet: logit, inception: logit)
            #expect(result.verdict?.aiProbability == (logit > 0 ? 1 : 0))
        }
    }

    @Test func metadataAndIDAreEchoed() throws {
        let metadata = Array(#"{"a": [1]}"#.utf8)
        let result = try result(resnet: 0, inception: 0) { $0.metadata = metadata }
        #expect(result.metadata == metadata)
        #expect(result.id == "job 1")
    }
}

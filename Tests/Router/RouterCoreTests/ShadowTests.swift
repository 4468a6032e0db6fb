import BifronsWire
import Decisions
import TestKit
import Testing

@testable import RouterCore

/// Models that score images for comparison, after the answer.
struct ShadowTests {
    private func script(_ configure: (inout RouterCore.Configuration) -> Void = { _ in }) -> Script {
        var script = Script(ensemble: .sampleWithShadow) {
            $0.keepsJournal = true
            configure(&$0)
        }
        for name in ["r1", "i1", "s1"] { script.join(name) }
        return script
    }

    private func answer(_ script: inout Script, _ token: Int) -> [String] {
        script.score("r1", token, logit: 1)
        return script.score("i1", token, logit: 1)
    }

    @Test func aShadowScoresTheSameCropsAfterTheAnswer() throws {
        var script = script()
        #expect(script.classify(1) == ["job 1 to r1", "job 1 to i1"])
        #expect(answer(&script, 1) == ["reply 1: 200", "job 1 to s1"])
        #expect(script.document(1)?.status == .ok)
        #expect(script.document(1)?.models.count == 2)
        #expect(script.score("s1", 1, logit: -2.5) == [])
        let score = try #require(script.shadowScores.first)
        #expect(score.decision == script.decided.first?.number)
        #expect(score.model == "shadow" && score.logits == [FloatBits(-2.5)])
        #expect(script.core.jobsInHand == 0 && script.core.cropBytes == 0)
    }

    @Test func eachFacesScoreStandsAtItsRegion() throws {
        var script = Script(ensemble: .sampleWithShadow, locators: .byHand) { $0.keepsJournal = true }
        script.join("l9")
        for name in ["r1", "i1", "s1"] { script.join(name, scoring: .sample) }
        script.classify(1)
        let faces = [20, 40, 60].map { size in
            WorkerMessage.Face(box: Box(x: Int32(size), y: 0, width: Int32(size), height: Int32(size)))
        }
        script.cut("l9", 1, faces: faces)
        script.score("r1", 1, logits: [0, 1, 2])
        script.score("i1", 1, logits: [0, 1, 2])
        script.score("s1", 1, logits: [5, 6, 7])
        #expect(script.shadowScores.first?.logits == [FloatBits(5), FloatBits(6), FloatBits(7)])
    }

    @Test func aShadowThatFailsOrIsLostChangesNothing() {
        var script = script()
        script.classify(1)
        #expect(answer(&script, 1).first == "reply 1: 200")
        #expect(script.fail("s1", 1, .unprocessable) == [])
        script.classify(2)
        _ = answer(&script, 2)
        #expect(script.lose("s1") == [])
        // Without its worker, no further image waits for it.
        script.classify(3)
        #expect(answer(&script, 3) == ["reply 3: 200"])
        _ = script.wait(.seconds(30))
        #expect(script.core.jobsInHand == 0 && script.core.cropBytes == 0)
        #expect(script.shadowScores == [])
    }

    @Test func withoutAWorkerItIsNotAReasonForDegradedAnswers() {
        var script = Script(ensemble: .sampleWithShadow) { $0.keepsJournal = true }
        for name in ["r1", "i1"] { script.join(name) }
        script.classify(1)
        #expect(answer(&script, 1) == ["reply 1: 200"])
        #expect(script.core.cropBytes == 0)
    }

    @Test func aBusyOrStoppingRouterLeavesShadowsOut() {
        // Half of the places are the shadows' most.
        var script = script { $0.maxJobs = 4 }
        script.classify(1)
        script.classify(2)
        script.classify(3)
        #expect(answer(&script, 1) == ["reply 1: 200"])
        #expect(answer(&script, 2) == ["reply 2: 200", "job 2 to s1"])
        #expect(answer(&script, 3) == ["reply 3: 200", "job 3 to s1"])
        // A drain waits for no shadow.
        script.handle(.drain)
        #expect(script.core.jobsInHand == 0 && script.core.cropBytes == 0)
    }

    @Test func aReplayHasNoShadows() {
        var script = script()
        script.classify(1) { ($0.verb, $0.id) = (.replay, "00000000000000ff") }
        #expect(answer(&script, 1) == ["ask 1"])
        #expect(script.core.cropBytes == 0)
    }

    @Test(
        arguments: [
            ([("resnet", 0.5)], "used otherwise"), ([("locator", 0.5)], "used otherwise"),
            ([("", 0.5)], "used otherwise"),
            ([("a", 0.5), ("a", 0.5)], "used otherwise"), ([("a", 0)], "sample"), ([("a", 1.5)], "sample"),
            ([("a", Double.nan)], "sample"), ((1...5).map { ("m\($0)", 0.5) }, "at most 4"),
        ] as [([(String, Double)], String)])
    func wrongShadowsAreRefused(shadows: [(String, Double)], reason: String) {
        let error = #expect(throws: Ensemble.Invalid.self) {
            try Ensemble(
                models: ["resnet"], merge: [(["resnet"], .init(bias: 0, weights: [1]))],
                policies: ["default": Policy(review: 0.5, block: 0.9)],
                shadows: shadows.map { Ensemble.Shadow(model: $0.0, sample: $0.1) })
        }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
}

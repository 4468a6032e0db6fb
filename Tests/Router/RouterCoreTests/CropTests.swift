import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// Which crops are cut out of an image: those that the networks want, by one version of preprocessing.
struct CropTests: CropScripts {
    // MARK: Specifications

    @Test func workersOfOneModelMayHaveDifferentCropSpecifications() {
        var script = script([("r1", narrow), ("r2", wide)], credit: 1)
        for token in 1...3 { script.classify(token) { $0.models = ["resnet"] } }
        #expect(script.asked("l1", 1) == [narrow, wide])
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to r1", "image 2 to l1"])
        #expect(script.cut("l1", 2, faces: [face]) == ["job 2 to r2", "image 3 to l1"])
        let frames = [script.core.requests[1], script.core.requests[2]].map { $0.steps[1].given?.frame }
        #expect(frames == [0, 1])
        // Each frame fits one of the workers. The third job goes to the first worker that is free.
        #expect(script.cut("l1", 3, faces: [face]) == [])
        #expect(script.score("r2", 2) == ["reply 2: 200", "job 3 to r2"])
    }

    @Test func aFreeWorkerWithAnotherCropSpecificationDoesNotBlockTheQueue() {
        var script = script([("r1", narrow)], credit: 4)
        _ = classifyResnet(&script, 1)
        script.cut("l1", 1, faces: [face])
        _ = classifyResnet(&script, 2)
        script.say("r1", script["r1"].credit(1))
        script.join("r2", scoring: wide)
        // Cut before r2 joined, so the crops fit only r1, which has no free credit.
        #expect(script.cut("l1", 2, faces: [face]) == [])
        #expect(classifyResnet(&script, 3) == ["image 3 to l1"])
        #expect(script.cut("l1", 3, faces: [face]) == ["job 3 to r2"])
        #expect(script.score("r1", 1) == ["reply 1: 200", "job 2 to r1"])
    }

    @Test func aSuspectReservesOnlyWorkersThatCanScoreItsCrops() {
        var script = script([("r1", narrow)])
        for token in 1...2 { _ = classifyResnet(&script, token) }
        for token in 1...2 { script.cut("l1", token, faces: [face]) }
        script.join("r2", credit: 1, scoring: narrow)
        script.join("r3", scoring: wide)
        _ = classifyResnet(&script, 3)
        script.cut("l1", 3, faces: [face])
        // r2 has the third image, whose crops fit r2 and r3.
        #expect(script.lose("r1") == [])
        #expect(classifyResnet(&script, 4) == ["image 4 to l1"])
        #expect(script.cut("l1", 4, faces: [face]) == ["job 4 to r3"])
        #expect(script.score("r2", 3) == ["reply 3: 200", "job 1 to r2, attempt 2"])
    }

    // MARK: Cutting again

    /// Replaces resnet's only worker while crops wait for it.
    private func replaced(_ script: inout Script, by name: String, _ specification: CropSpecification) -> [String] {
        script.lose("r1", .unreachable)
        return script.join(name, scoring: specification)
    }

    @Test func anImageIsCutAgainForAReplacementWorkerWithAnotherSpecification() throws {
        var script = script([("r1", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        _ = classifyResnet(&script, 1)
        script.cut("l1", 1, faces: [face])
        #expect(replaced(&script, by: "r2", wide) == ["welcome r2", "image 1 to l1"])
        // No worker wants the first crops any more.
        #expect(script.kept.isEmpty)
        #expect(script.asked("l1", 1) == [wide])
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to r2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        // The second cut is not a second execution of any step.
        #expect(script.document(1)?.attempts == 1)
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
    }

    @Test func aModelFailsWhenItsCropSpecificationChangesTwice() throws {
        var script = script([("r1", narrow), ("i1", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        script.classify(1)
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to i1"])
        script.lose("r1")
        script.join("r2", credit: 0, scoring: wide)
        #expect(script.asked("l1", 1) == [narrow])
        #expect(script.say("r2", script["r2"].credit(1)) == ["image 1 to l1"])
        script.say("r2", script["r2"].credit(0))
        // inception has not answered, so it may need its crops once more.
        #expect(script.asked("l1", 1) == [wide, narrow] && script.kept.count == 1)
        #expect(script.cut("l1", 1, faces: [face]) == [])
        script.lose("r2")
        #expect(script.join("r3", scoring: wider) == ["welcome r3"])
        #expect(script.score("i1", 1) == ["reply 1: 206"])
        let error = try #require(script.document(1)?.models[0].error)
        #expect(error.code == "crops_unavailable")
        #expect(error.message == "the workers of resnet changed again and again what they score; send it again")
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
    }

    @Test func aModelThatHasItsCropsIsNotDelayedWhenTheImageIsCutAgain() {
        var script = script([("r1", narrow), ("i1", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        script.classify(1)
        script.cut("l1", 1, faces: [face])
        #expect(replaced(&script, by: "r2", wide) == ["welcome r2", "image 1 to l1"])
        // This score is of the first crops.
        #expect(script.score("i1", 1, logit: 2) == [])
        #expect(script.kept.isEmpty)
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to r2"])
        #expect(script.score("r2", 1, logit: 2) == ["reply 1: 200"])
        #expect(script.document(1)?.faces?.map(\.models.count) == [2])
    }

    @Test func aLostWorkersCropsAreSentAgainWhileTheImageIsCutASecondTime() {
        var script = script([("r1", narrow), ("i1", narrow), ("i2", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        script.classify(1)
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to i1"])
        #expect(replaced(&script, by: "r2", wide) == ["welcome r2", "image 1 to l1"])
        #expect(script.lose("i1") == ["job 1 to i2, attempt 2"])
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to r2"])
        script.score("r2", 1)
        #expect(script.score("i2", 1) == ["reply 1: 200"])
        #expect(script.document(1)?.attempts == 2)
    }

    @Test func oneLocatorDeathInEachCuttingDoesNotQuarantineTheImage() {
        var script = script([("r1", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        _ = classifyResnet(&script, 1)
        script.join("l2")
        script.lose("l1")
        script.cut("l2", 1, faces: [face])
        #expect(replaced(&script, by: "r2", wide) == ["welcome r2", "image 1 to l2"])
        script.join("l3")
        // One death in each cutting is not enough for a quarantine.
        #expect(script.lose("l2") == ["image 1 to l3, attempt 2"])
        #expect(script.cut("l3", 1, faces: [face]) == ["job 1 to r2"])
        script.score("r2", 1)
        #expect(script.document(1)?.attempts == 2 && script.document(1)?.locator?.worker == "l3")
    }

    @Test func aFailedSecondCuttingFailsOnlyTheModelsThatWaitForIt() {
        var script = script([("r1", narrow), ("i1", narrow)])
        script.join("r1", credit: 0, scoring: narrow)
        script.classify(1)
        script.cut("l1", 1, faces: [face])
        _ = replaced(&script, by: "r2", wide)
        #expect(script.fail("l1", 1, .unprocessable) == [])
        #expect(script.score("i1", 1) == ["reply 1: 206"])
        #expect(script.document(1)?.models.map(\.status) == [.unprocessable, .ok])
        #expect(script.kept.isEmpty)
    }

    // MARK: Preprocessing versions

    @Test func namesAModelWhosePreprocessingVersionNoLocatorHas() throws {
        var script = script([("r1", narrow), ("i1", newer)])
        script.classify(1)
        #expect(script.asked("l1", 1) == [narrow])
        #expect(script.cut("l1", 1) == ["job 1 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 206"])
        let error = try #require(script.document(1)?.models[1].error)
        #expect(error.code == "crops_unavailable")
        #expect(
            error.message
                == "no locator cuts crops for inception, which was made for version 4 of preprocessing; "
                + "the locators cut by version 3: run workers of one release")
        #expect(script.classify(2) { $0.models = ["inception"] } == ["reply 2: 503 crops_unavailable"])
    }

    @Test func duringARolloutEachImageIsCutByTheVersionOfMostOfItsModels() {
        var script = script([("r1", narrow), ("i1", narrow)])
        script.join("l2", preprocessing: 4)
        #expect(script.classify(1) == ["image 1 to l1"])
        // resnet joins with the new version besides the old one. Both models still share only the old version.
        script.join("r2", scoring: newer)
        #expect(script.classify(2) == ["image 2 to l1"])
        #expect(script.asked("l1", 2) == [narrow])
        // When both models have workers of the new version, the later version wins.
        script.join("i2", scoring: newer)
        #expect(script.classify(3) == ["image 3 to l2"])
        #expect(script.asked("l2", 3) == [newer])
        #expect(script.cut("l2", 3, faces: [face]) == ["job 3 to r2", "job 3 to i2"])
        #expect(script.cut("l1", 2, faces: [face]) == ["job 2 to r1", "job 2 to i1"])
    }

    @Test func aFreeLocatorOfAnotherVersionDoesNotBlockTheQueue() {
        var script = script([("r1", narrow), ("i1", newer)], credit: 1)
        script.join("l2", credit: 1, preprocessing: 4)
        func ask(_ token: Int, _ model: String) -> [String] { script.classify(token) { $0.models = [model] } }
        #expect(ask(1, "resnet") == ["image 1 to l1"])
        #expect(ask(2, "resnet") == [])
        #expect(ask(3, "inception") == ["image 3 to l2"])
        #expect(script.cut("l1", 1) == ["job 1 to r1", "image 2 to l1"])
        // The locators of the old version are gone, so its model cannot be served.
        script.say("l1", script["l1"].drain)
        #expect(ask(4, "resnet") == [])
        #expect(script.cut("l2", 3) == ["job 3 to i1", "reply 4: 503 crops_unavailable"])
    }
}

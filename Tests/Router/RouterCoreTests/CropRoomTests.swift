import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// Room for crops: it is reserved before an image is cut, and goes to the next image when the crops are released.
struct CropRoomTests: CropScripts {
    /// The crops of sixteen faces must fit into `Limits.cropSetBytes`.
    @Test func permanentlyRejectsAWorkerWhoseCropsExceedTheLimit() {
        var script = script()
        let side = UInt16(1200)
        let huge = CropSpecification(kind: .face(margin: 1), width: side, height: side, preprocessing: 3)
        #expect(huge.mostBytes > Limits.cropSetBytes)
        #expect(script.join("r1", scoring: huge) == ["bye r1"])
        guard case .send(_, .bye(let reason, let isFinal))? = script.lastActions.last else { preconditionFailure() }
        #expect(isFinal)
        #expect(
            reason == "the model 'resnet' scores crops of 1200 × 1200 pixels, of which those of one image may take "
                + "69120000 bytes, more than 67108864; give it a smaller input")
        // A whole image is a single crop.
        let whole = CropSpecification(kind: .centralSquare, width: side, height: side, preprocessing: 3)
        #expect(script.join("r1", scoring: whole) == ["welcome r1"])
        #expect(script.workersStatus.map(\.name) == ["l1", "r1"])
    }

    @Test func aModelFailsIfItsCropsNeverFitIntoMaxCropBytes() throws {
        var script = script([("r1", .centralSample), ("i1", narrow)]) { $0.maxCropBytes = 200 }
        script.classify(1)
        #expect(script.asked("l1", 1) == [.centralSample])
        #expect(script.cut("l1", 1) == ["job 1 to r1"])
        #expect(script.score("r1", 1) == ["reply 1: 206"])
        let error = try #require(script.document(1)?.models[1].error)
        #expect(error.code == "crops_too_large")
        #expect(
            error.message
                == "the crops for inception may take 192 bytes, of which the router has 200 for the crops of a job: "
                + "raise max-crop-bytes, or ask for fewer models")
        #expect(script.classify(2) { $0.models = ["inception"] } == ["image 2 to l1"])
    }

    @Test func aModelWhoseCropsDoNotFitDoesNotChooseThePreprocessingVersion() {
        let large = CropSpecification(kind: .face(margin: 2), width: 3, height: 2, preprocessing: 3)
        let newer = CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 4)
        var script = script([("r1", large), ("i1", narrow), ("i2", newer)]) { $0.maxCropBytes = 200 }
        script.join("l2", preprocessing: 4)
        #expect(script.classify(1) == ["image 1 to l2"])
        #expect(script.asked("l2", 1) == [newer])
        #expect(script.cut("l2", 1, faces: [face]) == ["job 1 to i2"])
        script.score("i2", 1)
        #expect(script.document(1)?.models[0].error?.code == "crops_too_large")
    }

    /// Each model first gets the crops for one of its workers. Crops for workers that are being replaced come only
    /// after that.
    @Test func cutsASecondSpecificationOfAModelOnlyIfTheOtherModelsCropsFit() {
        var script = script([("r1", narrow), ("r2", wide), ("i1", wider)]) { $0.maxCropBytes = 2 * 192 }
        script.classify(1)
        #expect(script.asked("l1", 1) == [narrow, wider])
        #expect(script.cut("l1", 1, faces: [face]) == ["job 1 to r1", "job 1 to i1"])
    }

    @Test func anImageIsNotHandedOutWithoutRoomForItsCrops() {
        var script = script([("r1", narrow)]) { $0.maxCropBytes = 2 * 192 }
        #expect(classifyResnet(&script, 1) == ["image 1 to l1"])
        #expect(classifyResnet(&script, 2) == ["image 2 to l1"])
        #expect(classifyResnet(&script, 3) == [])
        #expect(script.status.queue.cropBytes == 2 * 192)
        // Sixteen faces take all the room that was reserved; one face leaves most of it free.
        #expect(script.cut("l1", 1, faces: Array(repeating: face, count: 16)) == ["job 1 to r1"])
        #expect(script.cut("l1", 2, faces: [face]) == ["job 2 to r1"])
        #expect(script.status.queue.cropBytes == 192 + 12)
        #expect(script.score("r1", 1, logits: Array(repeating: 0, count: 16)) == ["reply 1: 200", "image 3 to l1"])
        #expect(script.status.queue.cropBytes == 12 + 192)
    }

    @Test(arguments: ["score", "fail", "cancel", "budget", "image fails", "locator leaves"])
    func releasedCropRoomGoesToTheNextImage(end: String) {
        var script = script([("r1", narrow)]) { $0.maxCropBytes = 192 }
        script.join("l2")
        script.classify(1) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 100) }
        #expect(classifyResnet(&script, 2) == [])
        let isLocated = ["score", "fail"].contains(end)
        if isLocated { script.cut("l1", 1, faces: [face]) }
        let lines =
            switch end {
            case "score": script.score("r1", 1)
            case "fail": script.fail("r1", 1, .unprocessable)
            case "cancel": script.ask(9, .cancel, id: "job 1")
            case "budget": script.wait(.milliseconds(100))
            case "image fails": script.fail("l1", 1, .unprocessable)
            default: script.say("l1", script["l1"].bye)
            }
        // The earlier job goes first, even if another locator has to cut its image.
        let next = end == "locator leaves" ? "image 1 to l2, attempt 2" : "image 2 to l2"
        #expect(lines.last == next, "\(lines)")
        #expect(script.core.cropBytes == 192)
    }

    @Test func aJobWithSmallCropsDoesNotOvertakeAJobThatWaitsForCropRoom() {
        var script = script([("r1", narrow), ("i1", .centralSample)]) { $0.maxCropBytes = 192 + 18 }
        #expect(script.classify(1) == ["image 1 to l1"])
        script.cut("l1", 1, faces: [face])
        #expect(script.classify(2) == [])
        #expect(script.classify(3) { $0.models = ["inception"] } == [])
        // The job without room is gone, and the next one needs no more room than is free.
        #expect(script.ask(9, .cancel, id: "job 2") == ["reply 2: 408 cancelled", "reply 9: 200", "image 3 to l1"])
    }

    @Test func aSuspectThatWaitsForCropRoomIsNotOvertaken() {
        var script = script([("r1", narrow), ("i1", .centralSample)], credit: 1) { $0.maxCropBytes = 2 * 192 + 17 }
        script.join("l2", credit: 1)
        #expect(classifyResnet(&script, 1) == ["image 1 to l1"])
        #expect(script.classify(2) { $0.models = ["inception"] } == ["image 2 to l2"])
        #expect(script.lose("l1") == [])
        // The suspect's image now has to be cut for two specifications, which takes twice the room.
        script.join("r2", scoring: wide)
        #expect(script.cut("l2", 2) == ["job 2 to i1"])
        script.join("l3")
        #expect(script.classify(3) { $0.models = ["inception"] } == [])
        #expect(script.score("i1", 2) == ["reply 2: 200", "image 1 to l2, attempt 2"])
        #expect(script.core.cropBytes == 2 * 192)
        #expect(script.cut("l2", 1, faces: [face]) == ["job 1 to r1", "image 3 to l3"])
    }

    /// All room is taken by crops that no worker wants any more. It goes to the images that are cut again.
    @Test func imagesThatAreCutAgainReuseTheRoomOfTheirOldCrops() {
        var script = script([("r1", narrow)], credit: 0) { $0.maxCropBytes = 4 * 192 }
        script.say("l1", script["l1"].credit(8))
        let crowd = Array(repeating: face, count: 16)
        for token in 1...4 {
            _ = classifyResnet(&script, token)
            script.cut("l1", token, faces: crowd)
        }
        #expect(script.core.cropBytes == 4 * 192)
        script.lose("r1", .unreachable)
        #expect(
            script.join("r2", scoring: wide)
                == ["welcome r2", "image 1 to l1", "image 2 to l1", "image 3 to l1", "image 4 to l1"])
        #expect(script.kept.isEmpty && script.core.cropBytes == 4 * 192)
    }

    @Test func cropsCountTowardsTheByteLimitOfTheirClient() {
        var script = script([("r1", narrow)]) { $0.maxClientBytes = 1000 }
        let shop = Principal(.key("shop"), .client)
        func ask(_ token: Int, bytes: Int) -> [String] {
            script.classify(token, bytes: bytes, from: shop) { $0.models = ["resnet"] }
        }
        _ = ask(1, bytes: 500)
        script.cut("l1", 1, faces: Array(repeating: face, count: 10))
        #expect(ask(2, bytes: 381) == ["reply 2: 429 client_queue_full"])
        #expect(script.document(2)?.error?.message.contains("1 jobs and 620 bytes") == true)
        #expect(ask(3, bytes: 380) == ["image 3 to l1"])
        script.cut("l1", 3)
        script.score("r1", 3)
        script.score("r1", 1, logits: Array(repeating: 0, count: 10))
        #expect(ask(4, bytes: 1000) == ["image 4 to l1"])
    }
}

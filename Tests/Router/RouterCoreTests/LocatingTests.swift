import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// The first stage of a job: a locator cuts the image, and the core processes its answer.
struct LocatingTests {
    private let left = Box(x: 10, y: 20, width: 100, height: 110)
    private let right = Box(x: 300, y: 20, width: 90, height: 95)

    // MARK: The course of a job

    @Test func anImageGoesToALocatorAndItsCropsGoToAllModels() throws {
        var script = Script.byHand()
        #expect(script.classify(1) == ["image 1 to l1"])
        #expect(script.wait(.milliseconds(7)) == [])
        #expect(script.cut("l1", 1) == ["job 1 to r1", "job 1 to i1"])
        script.wait(.milliseconds(5))
        #expect(script.score("r1", 1) == [])
        #expect(script.kept.values.map { $0 } == [1])
        #expect(script.score("i1", 1) == ["reply 1: 200"])
        #expect(script.kept.isEmpty)
        let result = try #require(script.document(1))
        #expect(result.attempts == 1 && result.totalMilliseconds == 12)
        #expect(
            result.locator
                == ResultDocument.LocatorResult(
                    version: "1.0.0", digest: "sha256:00ff", queueMilliseconds: 5, computeMilliseconds: 2, worker: "l1")
        )
        // The scores came 5 ms after the crops, of which 2 ms were spent computing.
        #expect(result.models.map(\.queueMilliseconds) == [3, 3])
        #expect(result.image == .sample)
    }

    @Test func eachStageIsToldTheRemainingBudget() {
        var script = Script.byHand(["l1", "r1"])
        script.join("l1", credit: 1)
        for token in 1...2 { script.classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 1000) } }
        script.wait(.microseconds(300_500))
        script.cut("l1", 1)
        let remaining = script.lastActions.compactMap { action -> UInt32? in
            switch action {
            case .locate(_, let job, _, image: 2), .score(_, let job, _, _): job.remainingMilliseconds
            default: nil
            }
        }
        #expect(remaining == [699, 699])
    }

    @Test func modelsWithEqualSpecificationsShareACropFrame() {
        var script = Script.byHand(["l1"])
        script.join("r1", scoring: .sample)
        script.join("i1", scoring: .sample)
        script.classify(1)
        #expect(script.asked("l1", 1) == [.sample])
        script.cut("l1", 1, faces: [.init(box: left)])
        let frames = script.lastActions.compactMap { action -> [Int]? in
            if case .score(_, _, let crops, let frame) = action { [crops, frame] } else { nil }
        }
        #expect(frames.count == 2 && Set(frames).count == 1)
    }

    @Test func oneJobMayCombineAWholeImageModelAndAFaceModel() throws {
        var script = Script.byHand(["l1"])
        script.join("r1", scoring: .centralSample)
        script.join("i1", scoring: .sample)
        script.classify(1) { $0.explain = true }
        #expect(script.asked("l1", 1) == [.centralSample, .sample])
        script.cut("l1", 1, faces: [.init(box: left), .init(box: right)], facesFound: 7)
        let map = EvidenceMap(width: 1, height: 1, cells: [5])
        script.score("r1", 1, logits: [-2], maps: [map])
        #expect(script.score("i1", 1, logits: [-1, 3], maps: [nil, map]) == ["reply 1: 200"])
        let result = try #require(script.document(1))
        #expect(result.facesFound == 7)
        #expect(result.faces?.map(\.box) == [left, right])
        #expect(result.faces?.map(\.maps) == [[:], ["inception": HeatMap(square: right, evidence: map)]])
        #expect(result.faces?.map { $0.models.map(\.name) } == [["inception"], ["inception"]])
    }

    @Test func cutsCropsOnlyForTheRequestedModels() {
        var script = Script.byHand(["l1"])
        script.join("r1", scoring: .centralSample)
        script.join("i1", scoring: .sample)
        script.classify(1) { $0.models = ["inception"] }
        #expect(script.asked("l1", 1) == [.sample])
        #expect(script.cut("l1", 1) == ["job 1 to i1"])
    }

    // MARK: Failures

    @Test(arguments: [
        (Status.unprocessable, "image_truncated"), (.unsupportedMedia, "image_unknown_format"),
        (.tooLarge, "image_too_many_pixels"),
    ]) func anUnreadableImageFailsAllModelsAtOnce(status: Status, code: String) throws {
        var script = Script.byHand()
        script.classify(1) { $0.idempotencyKey = "k" }
        #expect(script.fail("l1", 1, status, code: code) == ["reply 1: \(status.rawValue) \(code)"])
        let result = try #require(script.document(1))
        #expect(result.models.map(\.status) == [status, status])
        #expect(result.models.map { $0.error?.code } == [code, code])
        #expect(result.attempts == 1 && result.locator == nil && result.image == nil)
        #expect(script.core.cropBytes == 0)
        // The result is stored under the key, so no locator gets the image again.
        #expect(script.classify(2) { $0.idempotencyKey = "k" } == ["reply 2: \(status.rawValue) \(code)"])
    }

    @Test func aLocatorFailureIsRetriedOnceWithAnotherLocator() {
        var script = Script.byHand()
        script.classify(1)
        #expect(script.fail("l1", 1, .unavailable) == ["image 1 to l2, attempt 2"])
        #expect(script.fail("l2", 1, .unavailable) == ["reply 1: 503 scripted"])
        #expect(script.document(1)?.models.map(\.status) == [.unavailable, .unavailable])
        #expect(script.document(1)?.attempts == 2)
        #expect(script.status.counters.redispatched == 1)
    }

    /// Ways in which an answer for two faces and two specifications can be wrong.
    static let wrongCrops: [(String, @Sendable (inout WorkerMessage.Crops, inout [Int]) -> Void)] = [
        ("a frame is short", { $1[1] -= 1 }), ("a frame is long", { $1[0] += 1 }),
        ("a frame has a crop less", { $1[1] -= CropSpecification.sample.cropBytes }),
        ("a frame is missing", { _ = $1.popLast() }), ("a frame is too many", { $1.append(12) }),
        ("a set is missing", { crops, _ in _ = crops.sets.popLast() }),
        ("set and frame are missing", { crops, frames in _ = (crops.sets.popLast(), frames.popLast()) }),
        ("a square is missing", { crops, _ in _ = crops.sets[1].squares.popLast() }),
        ("the whole has two squares", { crops, _ in crops.sets[0].squares.append(.wholeSample) }),
        ("a face is missing", { crops, _ in _ = crops.faces.popLast() }),
        ("a face is too many", { crops, _ in crops.faces.append(crops.faces[0]) }),
        ("fewer were found than were cut out", { crops, _ in crops.facesFound = 1 }),
        ("nobody looked for faces", { crops, _ in (crops.facesFound, crops.faces) = (nil, []) }),
        (
            "the frames are in another order",
            { crops, frames in
                crops.sets.swapAt(0, 1)
                frames.swapAt(0, 1)
            }
        ),
    ]

    @Test(arguments: wrongCrops.indices) func malformedCropsAreRetriedWithAnotherLocator(index: Int) throws {
        let (what, change) = Self.wrongCrops[index]
        var script = Script.byHand(["l1", "l2"])
        script.join("r1", scoring: .centralSample)
        script.join("i1", scoring: .sample)
        script.classify(1)
        let faces = [left, right].map { WorkerMessage.Face(box: $0) }
        #expect(script.cut("l1", 1, faces: faces, change) == ["image 1 to l2, attempt 2"], "\(what)")
        #expect(script.kept.isEmpty)
        #expect(script.cut("l2", 1, faces: faces, change) == ["reply 1: 503 answer_malformed"], "\(what)")
        #expect(script.kept.isEmpty && script.core.cropBytes == 0)
        let message = "the worker l2 of locator gave an answer that does not fit its job; send it again"
        #expect(script.document(1)?.error?.message == message)
        #expect(script.status.workers.map(\.failed) == [1, 1, 0, 0])
    }

    @Test func cropsOfAnotherSpecificationAreRetriedWithAnotherLocator() {
        var script = Script.byHand(["l1", "l2", "r1"])
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.cut("l1", 1, of: [.sample]) == ["image 1 to l2, attempt 2"])
        #expect(script.cut("l2", 1, of: []) == ["reply 1: 503 answer_malformed"])
    }

    @Test func aWrongNumberOfScoresIsRetriedWithAnotherWorker() {
        for wrong in [0, 1, 3] {
            var script = Script.byHand(["l1"])
            for name in ["r1", "r2"] { script.join(name, scoring: .sample) }
            script.classify(1) { $0.models = ["resnet"] }
            script.cut("l1", 1, faces: [.init(box: left), .init(box: right)])
            let logits = [Float](repeating: 0, count: wrong)
            #expect(script.score("r1", 1, logits: logits) == ["job 1 to r2, attempt 2"])
            #expect(script.score("r2", 1, logits: logits) == ["reply 1: 503 answer_malformed"])
            #expect(script.document(1)?.error?.message.hasPrefix("the worker r2 of resnet gave") == true)
        }
    }

    @Test func anAnswerOfTheOtherStageIsRetriedWithAnotherWorker() {
        var script = Script.byHand(["l1", "l2", "r1", "r2"])
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.score("l1", 1) == ["image 1 to l2, attempt 2"])
        #expect(script.cut("l2", 1) == ["job 1 to r1"])
        #expect(script.cut("r1", 1, of: [.centralSample]) == ["job 1 to r2, attempt 2"])
        #expect(script.score("r2", 1) == ["reply 1: 200"])
        #expect(script.kept.isEmpty)
    }

    @Test func cropsForAJobThatTheLocatorNeverHadAreDropped() throws {
        var script = Script.byHand()
        script.classify(1)
        let answer = script["l2"].crops(script.job("l1", 1), of: [.centralSample])
        guard case .crops(var crops) = answer.message else { preconditionFailure() }
        let frames = answer.frames.map(\.count)
        // Crops of another worker's job, of no job, from an earlier registration, and from an unknown peer.
        #expect(script.deliver("l2", crops, frames, of: 1) == [])
        crops.job = 0
        #expect(script.deliver("l2", crops, frames, of: 1) == [])
        (crops.job, crops.epoch) = (script.job("l1", 1), script["l1"].epoch &- 1)
        #expect(script.deliver("l1", crops, frames, of: 1) == [])
        #expect(script.deliver("l9", crops, frames, of: 1) == ["resync l9"])
        #expect(script.status.counters.unknown == 3 && script.status.counters.strangers == 1)
        #expect(script.kept.isEmpty)
        #expect(script.cut("l1", 1) == ["job 1 to r1", "job 1 to i1"])
        // Crops sent a second time, and CROPS without frames.
        #expect(script.cut("l1", 1) == [])
        #expect(script.say("l1", .crops(crops)) == [])
        #expect(script.status.counters.unknown == 4 && script.status.counters.malformedMessages == 1)
        #expect(script.kept.count == 1)
    }
}

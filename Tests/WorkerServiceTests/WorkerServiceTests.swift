import Glibc
import Hashing
import Inference
import Settings
import TestImages
import Testing
import Wire
import WorkerService

/// The service as a router sees it, over ipc; only the model is a fake.
@Suite struct WorkerServiceTests {
    private func png(_ width: Int) -> [UInt8] { TestImages.png(width: width, height: 9) }

    @Test func everyMapThatANetworkMayHaveFitsIntoAScore() {
        #expect(Evidence.largestSide <= Limits.mapSide)
    }

    @Test func introducesItselfWithWhatTheModelIs() throws {
        let bench = try Bench()
        try bench.start { $0.maxBatch = 3 }
        let hello = try bench.nextHello()
        #expect(hello.model == "resnet" && hello.version == "1.0.0" && hello.digest == "sha256:00")
        #expect(hello.metrics == resnet.metrics)
        #expect(hello.credit == 6)
        let digits = String(hello.bootID % 0x10000, radix: 16)
        #expect(hello.worker == "resnet-" + String(repeating: "0", count: 4 - digits.count) + digits)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func nameOfItsOwnIsUsed() throws {
        let bench = try Bench()
        try bench.start { $0.name = "left" }
        #expect(try bench.nextHello().worker == "left")
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func pictureIsDecodedScoredAndTold() throws {
        let bench = try Bench()
        try bench.start()
        try bench.welcome(epoch: 9)
        let file = TestImages.jpeg(width: 21, height: 34)
        try bench.job(5, file)
        let score = try bench.nextScore()
        #expect(score.epoch == 9 && score.job == 5)
        #expect(score.regions == [WorkerMessage.Region(box: nil, logit: 21)])
        #expect(score.facesFound == 0)
        #expect(score.image.format == .jpeg && score.image.width == 21 && score.image.height == 34)
        let digest = score.image.sha256.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(digest == SHA256.hexDigest(of: file))
        #expect(score.timings.batch == 1)
        bench.kill()
        #expect(try bench.next() == .drain(epoch: 9))
        #expect(try bench.next() == .bye(epoch: 9))
        #expect(try bench.end() == .drained)
    }

    @Test func brokenPictureFailsAloneAndTheOthersOfItsBatchGoOn() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate)
        try bench.welcome()
        try bench.job(1, png(1))
        // The first is in the engine's hands, so the others wait and go together.
        try gate.waitUntilReached()
        try bench.job(2, png(2))
        try bench.job(3, Array(png(3).dropLast(30)))
        try bench.job(4, Array("GIF89a, but not really".utf8))
        try bench.job(5, Array(repeating: 0, count: FakeScorer.imageBytes + 1))
        try bench.job(6, [])
        try bench.job(7, png(7))
        try bench.waitUntilRead()
        gate.open()
        #expect(try bench.nextScore().job == 1)
        #expect(try bench.nextFailure() == (3, 422, "image_truncated"))
        #expect(try bench.nextFailure() == (4, 415, "image_unknown_format"))
        #expect(try bench.nextFailure() == (5, 413, "image_too_large"))
        let empty = try bench.nextFailure()
        #expect(empty.job == 6 && (400..<500).contains(empty.status))
        gate.open()
        for width in [2, 7] {
            let score = try bench.nextScore()
            #expect(score.job == UInt64(width) && score.regions[0].logit == Float(width))
            #expect(score.timings.batch == 6)
        }
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func everyFaceOfAPictureHasItsScore() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate, faces: 3)
        try bench.welcome()
        try bench.job(1, png(1))
        try gate.waitUntilReached()
        for job in [2, 14, 4] { try bench.job(UInt64(job), png(job)) }
        try bench.waitUntilRead()
        gate.open()
        #expect(try bench.nextScore().job == 1)
        gate.open()
        let second = try bench.nextScore()
        #expect(second.regions.map(\.box?.x) == [0, 1, 2] && second.regions.allSatisfy { $0.logit == 2 })
        #expect(second.facesFound == 6)
        // A face without a score leaves its picture without, and no other.
        #expect(try bench.nextFailure() == (14, 503, "inference_failed"))
        #expect(try bench.nextScore().regions.map(\.logit) == [4, 4, 4])
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func engineThatFailsIsAnInternalErrorAndTheWorkerGoesOn() throws {
        let bench = try Bench()
        try bench.start()
        try bench.welcome()
        try bench.job(1, png(13))
        #expect(try bench.nextFailure() == (1, 503, "inference_failed"))
        try bench.job(2, png(14))
        #expect(try bench.nextFailure() == (2, 503, "inference_failed"))
        try bench.job(3, png(15))
        #expect(try bench.nextScore().job == 3)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func heartBeatsWhileThePictureIsComputed() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate)
        try bench.welcome(heartbeat: 10)
        try bench.job(1, png(1))
        var beats = 0
        while beats < 3 {
            let message = try bench.nextOfAnyKind()
            guard case .ping(7, let inFlight, let progress) = message else { throw Bench.Unexpected() }
            try bench.say(.pong(epoch: 7))
            // Decoded, and stuck in the engine.
            if inFlight == 1, progress == 1 { beats += 1 }
        }
        gate.open()
        #expect(try bench.nextScore().job == 1)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func drainAnswersWhatIsInHandFirst() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate) { $0.maxBatch = 1 }
        try bench.welcome()
        try bench.job(1, png(1))
        try bench.job(2, png(2))
        try bench.waitUntilRead()
        bench.kill()
        #expect(try bench.next() == .drain(epoch: 7))
        gate.open()
        #expect(try bench.nextScore().job == 1)
        gate.open()
        #expect(try bench.nextScore().job == 2)
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .drained)
    }

    @Test func drainEndsInTimeWhenTheEngineHangs() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate) { $0.drainTime = .milliseconds(50) }
        try bench.welcome()
        try bench.job(1, png(1))
        try gate.waitUntilReached()
        bench.kill(SIGINT)
        #expect(try bench.next() == .drain(epoch: 7))
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .abandoned)
        gate.open()
    }

    @Test func secondSignalEndsTheDrain() throws {
        let bench = try Bench()
        let gate = try FakeScorer.Gate()
        try bench.start(gate: gate)
        try bench.welcome()
        try bench.job(1, png(1))
        try gate.waitUntilReached()
        bench.kill(SIGINT)
        #expect(try bench.next() == .drain(epoch: 7))
        bench.kill(SIGINT)
        #expect(try bench.next() == .bye(epoch: 7))
        #expect(try bench.end() == .abandoned)
        gate.open()
    }

    @Test func modelThatCannotBeServedEndsTheWorkerBeforeItSaysHello() throws {
        struct Unfit: Error, CustomStringConvertible { let description = "no engine" }
        let bench = try Bench()
        try bench.start({ throw Unfit() })
        let error = #expect(throws: UnfitModel.self) { try bench.end() }
        #expect(error?.description == "no engine")
        #expect(try bench.isSilent())
    }

    @Test func routerThatForgotTheWorkerIsGreetedAgain() throws {
        let bench = try Bench()
        try bench.start()
        let first = try bench.welcome()
        try bench.say(.resync)
        #expect(try bench.welcome(epoch: 8) == first)
        try bench.job(1, png(1))
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func routerThatFallsSilentIsCalledAgainOnANewConnection() throws {
        let bench = try Bench()
        try bench.start()
        try bench.welcome(heartbeat: 10)
        let old = bench.peer
        // Three heartbeats without a word.
        try bench.welcome(epoch: 8)
        #expect(bench.peer != old)
        try bench.job(1, png(1))
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func routerThatComesBackIsGreetedAtOnce() throws {
        let bench = try Bench()
        try bench.start()
        try bench.welcome()
        try bench.restart()
        try bench.welcome(epoch: 8)
        try bench.job(1, png(1))
        #expect(try bench.nextScore().epoch == 8)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func garbageFromARouterIsPassedOver() throws {
        let bench = try Bench()
        try bench.start()
        try bench.welcome()
        try bench.say([UInt8]())
        try bench.say([1])
        try bench.say(Array("what?".utf8), png(1))
        try bench.say([99, 66, 1], png(1), png(1), png(1))
        try bench.job(1, png(1))
        #expect(try bench.nextScore().job == 1)
        bench.kill()
        #expect(try bench.end() == .drained)
    }
}

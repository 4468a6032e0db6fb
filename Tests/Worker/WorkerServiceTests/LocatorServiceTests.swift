import BifronsWire
import Hashing
import Settings
import TestImages
import Testing
import WorkerService

/// Tests a locator from a router's side, over ipc. Only finding the faces is fake.
@Suite struct LocatorServiceTests {
    private func png(_ width: Int) -> [UInt8] { TestImages.png(width: width, height: 2) }

    @Test func helloStatesTheLocatorsRoleAndCredit() throws {
        let harness = try Harness()
        try harness.startLocator(threads: 3)
        let hello = try harness.nextHello()
        #expect(hello.role == .locator(preprocessing: 3))
        #expect(hello.model == "locator" && hello.version == "1.0.0" && hello.digest == "sha256:00")
        #expect(hello.metrics == locator.metrics)
        #expect(hello.credit == 6)
        let digits = String(hello.bootID % 0x10000, radix: 16)
        #expect(hello.worker == "locator-" + String(repeating: "0", count: 4 - digits.count) + digits)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func anImageIsDecodedAndItsCropsAreSent() throws {
        let harness = try Harness()
        try harness.startLocator()
        try harness.welcome(epoch: 9)
        let file = TestImages.jpeg(width: 21, height: 3)
        try harness.locate(5, file, as: [centre, faces])
        let crops = try harness.nextCrops()
        #expect(crops.epoch == 9 && crops.job == 5)
        #expect(crops.faces.map(\.box.y) == [0, 1, 2] && crops.faces.allSatisfy { $0.turned == 12.5 })
        #expect(crops.facesFound == 6)
        #expect(crops.sets.map(\.squares.count) == [1, 3])
        #expect(harness.frames.map(\.count) == [centre.cropBytes, 3 * faces.cropBytes])
        #expect(harness.frames.joined().allSatisfy { $0 == 21 })
        #expect(crops.image.format == .jpeg && crops.image.width == 21 && crops.image.height == 3)
        let digest = crops.image.sha256.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(digest == SHA256.hexDigest(of: file))
        #expect(crops.timings.batch == 1)
        harness.kill()
        #expect(try harness.next() == .drain(epoch: 9))
        #expect(try harness.next() == .bye(epoch: 9))
        #expect(try harness.end() == .drained)
    }

    @Test func largeFileIsHashedWhileItIsDecoded() throws {
        struct Idle: Cutter {
            let identity = locator
            let preprocessing: UInt16 = 3
            func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) -> CutImage {
                let sets = specifications.map {
                    (
                        squares: [Box(x: 0, y: 0, width: 1, height: 1)],
                        pixels: [UInt8](repeating: 1, count: $0.cropBytes)
                    )
                }
                return CutImage(format: .png, width: 1, height: 1, faces: [], facesFound: 0, sets: sets)
            }
        }
        let harness = try Harness()
        try harness.start({ .locator(Idle()) })
        try harness.welcome()
        let file = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
        try harness.locate(1, file)
        #expect(try harness.nextCrops().image.sha256 == file.withUnsafeBytes { SHA256.digest(of: $0) })
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func aBrokenImageFailsOnlyItsOwnJob() throws {
        let harness = try Harness()
        try harness.startLocator(threads: 4)
        try harness.welcome()
        func fail(_ job: UInt64, _ file: [UInt8]) throws -> (status: Int, code: String) {
            try harness.locate(job, file)
            let failure = try harness.nextFailure()
            #expect(failure.job == job)
            return (failure.status, failure.code)
        }
        #expect(try fail(1, Array(png(3).dropLast(30))) == (422, "image_truncated"))
        #expect(try fail(2, Array("II*\0, but not really".utf8)) == (415, "image_unknown_format"))
        #expect(try fail(3, Array(repeating: 0, count: FakeCutter.imageBytes + 1)) == (413, "image_too_large"))
        #expect(try (400..<500).contains(fail(4, []).status))
        #expect(try fail(5, png(13)) == (503, "inference_failed"))
        try harness.locate(6, png(6))
        #expect(try harness.nextCrops().job == 6)
        try harness.score(7, [1])
        #expect(try harness.nextFailure() == (7, 503, "job_misdirected"))
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func imagesAreCutConcurrentlyAndAnsweredAsTheyBecomeReady() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startLocator(gate: gate, threads: 2)
        try harness.welcome()
        try harness.locate(1, png(1))
        try gate.waitUntilReached()
        try harness.locate(2, png(2))
        #expect(try harness.nextCrops().job == 2)
        gate.open()
        #expect(try harness.nextCrops().job == 1)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func aSlowImageLetsOthersPassAndIsAnsweredInTheEnd() throws {
        let harness = try Harness()
        let gate = try Gate()
        try harness.startLocator(gate: gate)
        try harness.welcome()
        try harness.locate(1, png(1))
        try harness.locate(2, png(2))
        #expect(try harness.next() == .credit(epoch: 7, jobs: 3))
        #expect(try harness.nextCrops().job == 2)
        gate.open()
        #expect(try harness.nextCrops().job == 1)
        #expect(try harness.next() == .credit(epoch: 7, jobs: 2))
        for job in 3...5 as ClosedRange<UInt64> {
            try harness.locate(job, png(3))
            #expect(try harness.nextCrops().job == job)
        }
        harness.kill()
        #expect(try harness.end() == .drained)
    }
}

import BifronsWire
import Hashing
import Settings
import TestImages
import Testing
import WorkerService

/// Tests a locator from a router's side, over ipc. Only finding the faces is fake.
@Suite struct LocatorServiceTests {
    private func png(_ width: Int) -> [UInt8] { TestImages.png(width: width, height: 2) }

    @Test func introducesItselfWithItsRole() throws {
        let bench = try Bench()
        try bench.startLocator(threads: 3)
        let hello = try bench.nextHello()
        #expect(hello.role == .locator(preprocessing: 3))
        #expect(hello.model == "locator" && hello.version == "1.0.0" && hello.digest == "sha256:00")
        #expect(hello.metrics == locator.metrics)
        #expect(hello.credit == 6)
        let digits = String(hello.bootID % 0x10000, radix: 16)
        #expect(hello.worker == "locator-" + String(repeating: "0", count: 4 - digits.count) + digits)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func imageIsDecodedCutAndTold() throws {
        let bench = try Bench()
        try bench.startLocator()
        try bench.welcome(epoch: 9)
        let file = TestImages.jpeg(width: 21, height: 3)
        try bench.locate(5, file, as: [centre, faces])
        let crops = try bench.nextCrops()
        #expect(crops.epoch == 9 && crops.job == 5)
        #expect(crops.faces.map(\.box.y) == [0, 1, 2] && crops.faces.allSatisfy { $0.turned == 12.5 })
        #expect(crops.facesFound == 6)
        #expect(crops.sets.map(\.squares.count) == [1, 3])
        #expect(bench.frames.map(\.count) == [centre.cropBytes, 3 * faces.cropBytes])
        #expect(bench.frames.joined().allSatisfy { $0 == 21 })
        #expect(crops.image.format == .jpeg && crops.image.width == 21 && crops.image.height == 3)
        let digest = crops.image.sha256.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(digest == SHA256.hexDigest(of: file))
        #expect(crops.timings.batch == 1)
        bench.kill()
        #expect(try bench.next() == .drain(epoch: 9))
        #expect(try bench.next() == .bye(epoch: 9))
        #expect(try bench.end() == .drained)
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
        let bench = try Bench()
        try bench.start({ .locator(Idle()) })
        try bench.welcome()
        let file = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
        try bench.locate(1, file)
        #expect(try bench.nextCrops().image.sha256 == file.withUnsafeBytes { SHA256.digest(of: $0) })
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func brokenImageFailsAloneAndTheOthersGoOn() throws {
        let bench = try Bench()
        try bench.startLocator(threads: 4)
        try bench.welcome()
        func fail(_ job: UInt64, _ file: [UInt8]) throws -> (status: Int, code: String) {
            try bench.locate(job, file)
            let failure = try bench.nextFailure()
            #expect(failure.job == job)
            return (failure.status, failure.code)
        }
        #expect(try fail(1, Array(png(3).dropLast(30))) == (422, "image_truncated"))
        #expect(try fail(2, Array("GIF89a, but not really".utf8)) == (415, "image_unknown_format"))
        #expect(try fail(3, Array(repeating: 0, count: FakeCutter.imageBytes + 1)) == (413, "image_too_large"))
        #expect(try (400..<500).contains(fail(4, []).status))
        #expect(try fail(5, png(13)) == (503, "inference_failed"))
        try bench.locate(6, png(6))
        #expect(try bench.nextCrops().job == 6)
        try bench.score(7, [1])
        #expect(try bench.nextFailure() == (7, 503, "job_misdirected"))
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func imagesAreCutAtOnceAndToldAsTheyAreReady() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startLocator(gate: gate, threads: 2)
        try bench.welcome()
        try bench.locate(1, png(1))
        try gate.waitUntilReached()
        try bench.locate(2, png(2))
        #expect(try bench.nextCrops().job == 2)
        gate.open()
        #expect(try bench.nextCrops().job == 1)
        bench.kill()
        #expect(try bench.end() == .drained)
    }

    @Test func slowImageMakesWayForOthersAndIsAnsweredInTheEnd() throws {
        let bench = try Bench()
        let gate = try Gate()
        try bench.startLocator(gate: gate)
        try bench.welcome()
        try bench.locate(1, png(1))
        try bench.locate(2, png(2))
        #expect(try bench.next() == .credit(epoch: 7, jobs: 3))
        #expect(try bench.nextCrops().job == 2)
        gate.open()
        #expect(try bench.nextCrops().job == 1)
        #expect(try bench.next() == .credit(epoch: 7, jobs: 2))
        for job in 3...5 as ClosedRange<UInt64> {
            try bench.locate(job, png(3))
            #expect(try bench.nextCrops().job == job)
        }
        bench.kill()
        #expect(try bench.end() == .drained)
    }
}

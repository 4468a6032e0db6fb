import TestKit
import Testing

@testable import Wire

struct WorkerMessagesTests {
    private static let box = Box(x: -5, y: 0, width: .max, height: .min)

    /// The most that a score can carry.
    private static let largest = WorkerMessage.Score(
        epoch: .max, job: 0,
        regions: (0..<Limits.regions).map {
            let side = Limits.mapSide
            let map = HeatMap(square: box, width: side, height: side, cells: Array(repeating: 9, count: side * side))
            return WorkerMessage.Region(box: box, turned: -179.9, logit: Float($0), map: map)
        },
        facesFound: Limits.regions, image: .sample,
        timings: WorkerMessage.Timings(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3))

    static let fromWorkers: [WorkerMessage] = [
        .hello(
            WorkerMessage.Hello(
                model: "resnet", version: "1.0.0", digest: "sha256:" + String(repeating: "0f", count: 32),
                worker: "resnet-é", credit: .max, bootID: .max, metrics: ["roc_auc": 0.97, "brier": -1e-300])),
        .hello(WorkerMessage.Hello(model: "", version: "", digest: "", worker: "", credit: 0, bootID: 0)),
        .score(
            WorkerMessage.Score(
                epoch: 1, job: .max, regions: [WorkerMessage.Region(box: nil, logit: -1.25)], image: .sample,
                timings: WorkerMessage.Timings(queueMicroseconds: 0, computeMicroseconds: .max, batch: 8))),
        .score(
            WorkerMessage.Score(
                epoch: 1, job: 2, regions: [WorkerMessage.Region(box: nil, logit: 0)], facesFound: 0, image: .sample,
                timings: WorkerMessage.Timings(queueMicroseconds: 0, computeMicroseconds: 1, batch: 1))),
        .score(
            WorkerMessage.Score(
                epoch: .max, job: 0,
                regions: (0..<Limits.regions).map { WorkerMessage.Region(box: box, logit: Float($0)) },
                facesFound: 65_534,
                image: ImageInformation(format: .png, width: .max, height: 0, sha256: Array(repeating: 1, count: 32)),
                timings: WorkerMessage.Timings(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3))),
        .score(
            WorkerMessage.Score(
                epoch: 2, job: 3,
                regions: [
                    WorkerMessage.Region(
                        box: box, turned: 180, logit: 2,
                        map: HeatMap(square: box, width: 3, height: 1, cells: [0, 128, 255])),
                    WorkerMessage.Region(box: box, logit: 1), WorkerMessage.Region(box: box, turned: -0.1, logit: 1),
                    WorkerMessage.Region(box: box, turned: 47.3, logit: 1),
                ], facesFound: 4, image: .sample,
                timings: WorkerMessage.Timings(queueMicroseconds: 1, computeMicroseconds: 2, batch: 3))),
        .score(largest),
        .fail(
            WorkerMessage.Failure(
                epoch: 3, job: 4, error: WireError(.unprocessable, code: "image_truncated", "it ends \"early\" – é"))),
        .fail(WorkerMessage.Failure(epoch: 3, job: 4, error: WireError(Status(rawValue: 65_535), code: "", ""))),
        .ping(epoch: 1, inFlight: 2, progress: 3),
        .credit(epoch: 9, jobs: 10),
        .drain(epoch: 11),
        .bye(epoch: 12),
    ]

    static let fromRouters: [RouterMessage] = [
        .welcome(epoch: .max, heartbeatMilliseconds: 500),
        .job(RouterMessage.Job(job: .max, attempt: 2, remainingMilliseconds: 600_000)),
        .pong(epoch: 5),
        .resync,
        .bye(reason: "the ensemble does not name the model 'x'; é"),
    ]

    @Test(arguments: fromWorkers) func whatAWorkerSaysIsReadBack(message: WorkerMessage) throws {
        #expect(try decodeWorkerMessage(message.encoded()) == message)
    }

    @Test(arguments: fromRouters) func whatARouterSaysIsReadBack(message: RouterMessage) throws {
        #expect(try decodeRouterMessage(message.encoded()) == message)
    }

    @Test(arguments: fromWorkers) func everyTruncationFromAWorkerIsMalformed(message: WorkerMessage) {
        let bytes = message.encoded()
        for count in bytes.indices {
            #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(bytes + [0]) }
    }

    @Test(arguments: fromRouters) func everyTruncationFromARouterIsMalformed(message: RouterMessage) {
        let bytes = message.encoded()
        for count in bytes.indices {
            #expect(throws: MalformedMessage.self) { try decodeRouterMessage(Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage.self) { try decodeRouterMessage(bytes + [0]) }
    }

    /// What is taken must also be sayable: the bytes that it is written as are read as the same.
    @Test(arguments: fromWorkers) func everyChangeOfAByteFromAWorkerGivesAMessageOrAnError(message: WorkerMessage) {
        for bytes in changes(of: message.encoded()) {
            guard let read = try? decodeWorkerMessage(bytes) else { continue }
            guard (try? decodeWorkerMessage(read.encoded())) != read else { continue }
            Issue.record("\(bytes) is read as \(read), which is written as something else")
        }
    }

    @Test(arguments: fromRouters) func everyChangeOfAByteFromARouterGivesAMessageOrAnError(message: RouterMessage) {
        for bytes in changes(of: message.encoded()) {
            guard let read = try? decodeRouterMessage(bytes) else { continue }
            guard (try? decodeRouterMessage(read.encoded())) != read else { continue }
            Issue.record("\(bytes) is read as \(read), which is written as something else")
        }
    }

    /// Each byte in turn replaced by its neighbours, its complement, single-bit flips and the extremes.
    private func changes(of bytes: [UInt8]) -> [[UInt8]] {
        bytes.indices.flatMap { index in
            let byte = bytes[index]
            let flipped: [UInt8] = (0..<8).map { byte ^ (1 << $0) }
            let others = Set(flipped + [0, 0xFF, byte &+ 1, byte &- 1, ~byte]).subtracting([byte])
            return others.map { other in
                var changed = bytes
                changed[index] = other
                return changed
            }
        }
    }

    @Test(arguments: [0, 1, 0xFF] as [UInt8]) func anotherVersionIsMalformed(version: UInt8) {
        let bytes = [version] + WorkerMessage.bye(epoch: 1).encoded().dropFirst()
        #expect(throws: MalformedMessage(reason: "version \(version), not 3")) { try decodeWorkerMessage(bytes) }
    }

    @Test func workersAndRoutersDoNotSpeakAlike() {
        for message in Self.fromWorkers {
            #expect(throws: MalformedMessage.self) { try decodeRouterMessage(message.encoded()) }
        }
        for message in Self.fromRouters {
            #expect(throws: MalformedMessage.self) { try decodeWorkerMessage(message.encoded()) }
        }
    }

    @Test func aJobFitsIntoTheMessageItself() {
        #expect(Self.fromRouters[1].encoded().count == 15)
    }

    @Test func textsAreCutToTheirLimitBetweenCharacters() throws {
        let long = String(repeating: "é", count: 5000)
        let hello = WorkerMessage.hello(
            WorkerMessage.Hello(
                model: long, version: long, digest: long, worker: "a" + long, credit: 1, bootID: 1,
                metrics: Dictionary(uniqueKeysWithValues: (0..<40).map { ("\($0)" + long, 1) })))
        guard case .hello(let read) = try decodeWorkerMessage(hello.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.model == String(repeating: "é", count: Limits.nameBytes / 2))
        #expect(read.worker.utf8.count == Limits.nameBytes - 1)
        #expect(read.digest.utf8.count == Limits.identifierBytes)
        #expect(read.metrics.count == Limits.metrics)
        let bye = try decodeRouterMessage(RouterMessage.bye(reason: long).encoded())
        #expect(bye == .bye(reason: String(repeating: "é", count: Limits.reasonBytes / 2)))
        let failure = WorkerMessage.fail(
            WorkerMessage.Failure(epoch: 1, job: 1, error: WireError(.unavailable, code: long, long)))
        guard case .fail(let read) = try decodeWorkerMessage(failure.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.error.message.utf8.count == Limits.reasonBytes)
        #expect(failure.encoded().count <= Limits.workerFrameBytes)
    }

    @Test func theBiggestMessageIsWithinTheLimit() {
        let text = String(repeating: "x", count: 2000)
        let hello = WorkerMessage.hello(
            WorkerMessage.Hello(
                model: text, version: text, digest: text, worker: text, credit: 1, bootID: 1,
                metrics: Dictionary(uniqueKeysWithValues: (0..<40).map { ("\($0)" + text, 1) })))
        #expect(hello.encoded().count <= Limits.workerFrameBytes)
    }

    @Test func moreRegionsThanTheLimitAreLeftOut() throws {
        let many = (0..<300).map { WorkerMessage.Region(box: Self.box, logit: Float($0)) }
        let message = WorkerMessage.score(
            WorkerMessage.Score(
                epoch: 1, job: 1, regions: many, facesFound: many.count, image: .sample,
                timings: WorkerMessage.Timings(queueMicroseconds: 0, computeMicroseconds: 0, batch: 1)))
        guard case .score(let read) = try decodeWorkerMessage(message.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.regions == Array(many.prefix(Limits.regions)))
        #expect(read.facesFound == 300)
    }

    @Test func moreFacesThanTheCountHoldsAreThatMany() throws {
        let worker = ScriptedWorker("w", serving: "m")
        let face = WorkerMessage.Region(box: Self.box, logit: 0)
        let message = worker.score(1, regions: [face], facesFound: 1_000_000)
        guard case .score(let read) = try decodeWorkerMessage(message.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.facesFound == 65_534)
    }

    @Test func facesThatWereFoundFitThoseThatWereScored() {
        let score = WorkerMessage.Score(
            epoch: 1, job: 1, regions: [], image: .sample,
            timings: WorkerMessage.Timings(queueMicroseconds: 0, computeMicroseconds: 0, batch: 1))
        func isRead(_ boxes: [Box?], _ facesFound: Int?) -> Bool {
            var score = score
            score.regions = boxes.map { WorkerMessage.Region(box: $0, logit: 0) }
            score.facesFound = facesFound
            return (try? decodeWorkerMessage(WorkerMessage.score(score).encoded())) == .score(score)
        }
        #expect(isRead([nil], nil) && isRead([nil], 0) && isRead([Self.box], 1) && isRead([Self.box], 2))
        #expect(!isRead([nil], 1) && !isRead([Self.box], 0) && !isRead([Self.box], nil))
        #expect(!isRead([Self.box, Self.box], 1))
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func aScoreThatIsNotFiniteIsMalformed(logit: Float) {
        #expect(throws: MalformedMessage.self) {
            try decodeWorkerMessage(ScriptedWorker("w", serving: "m").score(1, logit: logit).encoded())
        }
    }

    @Test(arguments: [(0.04, nil), (0.06, 0.1), (-90, -90), (180.1, nil), (-180, nil), (.nan, nil), (1e9, nil)])
    func aTurnIsToldToATenthAndWithinItsRange(turned: Double, told: Double?) throws {
        let region = WorkerMessage.Region(box: Self.box, turned: turned, logit: 1)
        let message = ScriptedWorker("w", serving: "m").score(1, regions: [region])
        guard case .score(let read) = try decodeWorkerMessage(message.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.regions.map(\.turned) == [told])
    }

    @Test(arguments: [1801, 1850, -1800, .max, .min] as [Int16]) func aTurnOutOfItsRangeIsMalformed(tenths: Int16) {
        let region = WorkerMessage.Region(box: Self.box, turned: 1, logit: 1)
        var bytes = ScriptedWorker("w", serving: "m").score(1, regions: [region]).encoded()
        // Version, type, epoch, job, count, "has box" and the box stand in front of it.
        let place = 2 + 8 + 8 + 1 + 1 + 16
        #expect(Array(bytes[place..<place + 2]) == [10, 0])
        withUnsafeBytes(of: tenths.littleEndian) { bytes.replaceSubrange(place..<place + 2, with: $0) }
        #expect(throws: MalformedMessage(reason: "a face turned by \(tenths) tenths of a degree")) {
            try decodeWorkerMessage(bytes)
        }
    }

    @Test func aScoreHasBoxesOrOneRegionWithout() {
        let worker = ScriptedWorker("w", serving: "m")
        let boxed = WorkerMessage.Region(box: Self.box, logit: 0)
        let whole = WorkerMessage.Region(box: nil, logit: 0)
        for regions in [[], [whole, boxed], [boxed, whole], [whole, whole]] {
            #expect(throws: MalformedMessage.self) {
                try decodeWorkerMessage(worker.score(1, regions: regions).encoded())
            }
        }
    }

    @Test func metricsThatAreNotFiniteAreLeftOut() throws {
        var worker = ScriptedWorker("w", serving: "m")
        worker.metrics = ["good": 1, "bad": .nan, "worse": .infinity]
        guard case .hello(let read) = try decodeWorkerMessage(worker.hello.encoded()) else {
            throw MalformedMessage(reason: "")
        }
        #expect(read.metrics == ["good": 1])
    }

    @Test func moreBytesThanAWorkerMaySendAreMalformed() {
        #expect(throws: MalformedMessage.self) {
            try decodeWorkerMessage([UInt8](repeating: 1, count: Limits.workerFrameBytes + 1))
        }
    }
}

import TestKit
import Testing

@testable import BifronsWire

/// Fields of messages that are out of range, or that exceed what a message can hold.
struct BinaryReaderTests {
    private let worker = ScriptedWorker("w", serving: "m")
    private let locator = ScriptedWorker.locator()
    private let box = Box(x: -5, y: 0, width: .max, height: .min)

    /// The offsets of the fields of a CROPS without faces: after version, type, epoch and job come the count of faces,
    /// the number of faces found, and the image.
    private enum Crops {
        static let faces = 2 + 8 + 8
        static let format = faces + 1 + 2
        static let animated = format + 1
        static let sets = animated + 1 + 4 + 4 + 32
        static let squares = sets + 1
    }

    /// The offsets of the fields of a SCORE.
    private enum Score {
        static let crops = 2 + 8 + 8
        static let mapWidth = crops + 1 + 4
    }

    /// The offsets of the specifications in a LOCATE.
    private enum Locate {
        static let count = 2 + 8 + 1 + 4
        static let kind = count + 1
    }

    private func refusal(
        _ message: WorkerMessage, with byte: UInt8, at place: Int, _ location: SourceLocation = #_sourceLocation
    ) throws -> String {
        var bytes = message.encoded()
        bytes[place] = byte
        return try #require(throws: MalformedMessage.self, sourceLocation: location) { try decodeWorkerMessage(bytes) }
            .reason
    }

    private func read(_ message: WorkerMessage) throws -> WorkerMessage {
        try decodeWorkerMessage(message.encoded())
    }

    // MARK: Counts

    @Test func countsOutOfRangeAreMalformed() throws {
        let crops = locator.crops(1).message
        #expect(try refusal(crops, with: 17, at: Crops.faces) == "17 faces")
        #expect(try refusal(crops, with: 0, at: Crops.sets) == "0 sets of crops")
        #expect(try refusal(crops, with: 9, at: Crops.sets) == "9 sets of crops")
        #expect(try refusal(crops, with: 0, at: Crops.squares) == "0 crops")
        #expect(try refusal(crops, with: 17, at: Crops.squares) == "17 crops")
        #expect(try refusal(crops, with: 99, at: Crops.format) == "image format 99")
        #expect(try refusal(crops, with: 2, at: Crops.animated) == "2 in place of 0 or 1")
        #expect(try refusal(worker.score(1), with: 0, at: Score.crops) == "0 scores")
        #expect(try refusal(worker.score(1), with: 17, at: Score.crops) == "17 scores")
    }

    @Test(arguments: [0, 9, 0xFF] as [UInt8]) func aLocateWithoutOneToEightSpecificationsIsMalformed(count: UInt8) {
        let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 1)
        var bytes = RouterMessage.locate(job, [.sample]).encoded()
        bytes[Locate.count] = count
        #expect(throws: MalformedMessage(reason: "\(count) crop specifications")) { try decodeRouterMessage(bytes) }
    }

    @Test func itemsBeyondAMessagesLimitsAreNotEncoded() throws {
        let faces = (0..<300).map { WorkerMessage.Face(box: Box(x: $0, y: 0, width: 1, height: 1)) }
        let crops = WorkerMessage.Crops(
            epoch: 1, job: 1, faces: faces, facesFound: 1_000_000, image: .sample,
            sets: Array(repeating: .init(squares: faces.map(\.box)), count: 300), timings: .sample)
        guard case .crops(let read) = try read(.crops(crops)) else { throw MalformedMessage(reason: "") }
        #expect(read.faces == Array(faces.prefix(Limits.faces)))
        #expect(read.facesFound == 65_534, "the most that the count holds")
        #expect(read.sets == Array(repeating: .init(squares: read.faces.map(\.box)), count: Limits.cropSets))

        guard case .score(let score) = try self.read(worker.score(1, logits: (0..<300).map(Float.init))) else {
            throw MalformedMessage(reason: "")
        }
        #expect(score.crops.map(\.logit) == (0..<Limits.faces).map(Float.init))

        let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 1)
        let locate = RouterMessage.locate(job, Array(repeating: .sample, count: 300))
        #expect(
            try decodeRouterMessage(locate.encoded())
                == .locate(job, Array(repeating: .sample, count: Limits.cropSets)))
    }

    @Test func aFaceCountThatContradictsTheFacesIsMalformed() {
        func isRead(faces: Int, found: Int?) -> Bool {
            let faces = Array(repeating: WorkerMessage.Face(box: box), count: faces)
            let message = locator.crops(1, faces: faces, facesFound: .some(found)).message
            return (try? read(message)) == message
        }
        #expect(isRead(faces: 0, found: nil) && isRead(faces: 0, found: 0))
        #expect(isRead(faces: 1, found: 1) && isRead(faces: 1, found: 2) && isRead(faces: 16, found: 65_534))
        #expect(!isRead(faces: 0, found: 1) && !isRead(faces: 1, found: 0) && !isRead(faces: 1, found: nil))
        #expect(!isRead(faces: 2, found: 1))
    }

    // MARK: Crop specifications

    @Test(arguments: [Double.nan, .signalingNaN, .infinity, -.infinity, 0, -1.6, 1.0.nextDown, 4.0.nextUp])
    func aMarginOutOfItsRangeIsMalformed(margin: Double) {
        let specification = CropSpecification(kind: .face(margin: margin), width: 2, height: 2, preprocessing: 3)
        var worker = worker
        worker.role = .network(specification)
        let refused = MalformedMessage(reason: "a margin of \(margin)")
        #expect(throws: refused) { try read(worker.hello) }
        let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 1)
        #expect(throws: refused) {
            try decodeRouterMessage(RouterMessage.locate(job, [.sample, specification]).encoded())
        }
    }

    @Test(arguments: [1, 1.6, 4]) func aMarginWithinItsRangeIsReadBack(margin: Double) throws {
        var worker = worker
        worker.role = .network(.init(kind: .face(margin: margin), width: 2, height: 2, preprocessing: 3))
        #expect(try read(worker.hello) == worker.hello)
    }

    @Test(arguments: [(0, 2), (2, 0), (0, 0)] as [(UInt16, UInt16)])
    func cropsWithoutPixelsAreMalformed(width: UInt16, height: UInt16) {
        let specification = CropSpecification(kind: .centralSquare, width: width, height: height, preprocessing: 3)
        var worker = worker
        worker.role = .network(specification)
        let refused = MalformedMessage(reason: "crops of \(width) × \(height) pixels")
        #expect(throws: refused) { try read(worker.hello) }
        let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 1)
        #expect(throws: refused) { try decodeRouterMessage(RouterMessage.locate(job, [specification]).encoded()) }
    }

    @Test(arguments: [2, 0xFF] as [UInt8]) func aFlagOtherThanZeroOrOneIsMalformed(byte: UInt8) throws {
        let refused = MalformedMessage(reason: "\(byte) in place of 0 or 1")
        // The kind of crop comes after version, type and role.
        #expect(try refusal(worker.hello, with: byte, at: 3) == refused.reason)
        let job = RouterMessage.Job(job: 1, attempt: 1, remainingMilliseconds: 1)
        var locate = RouterMessage.locate(job, [.sample]).encoded()
        locate[Locate.kind] = byte
        #expect(throws: refused) { try decodeRouterMessage(locate) }
        let bye = RouterMessage.bye(reason: "r", isFinal: true).encoded().dropLast() + [byte]
        #expect(throws: refused) { try decodeRouterMessage(Array(bye)) }
    }

    // MARK: Scores

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func aScoreThatIsNotFiniteIsMalformed(logit: Float) {
        #expect(throws: MalformedMessage(reason: "a score that is not finite")) {
            try read(worker.score(1, logits: [0, logit]))
        }
    }

    @Test func aMapWithSidesOutOfRangeIsMalformed() throws {
        let map = EvidenceMap(width: 2, height: 2, cells: [0, 1, 2, 3])
        let score = worker.score(1, maps: [map])
        #expect(try refusal(score, with: 17, at: Score.mapWidth) == "a map of 17 × 2 cells")
        #expect(try refusal(score, with: 17, at: Score.mapWidth + 1) == "a map of 2 × 17 cells")
        #expect(try refusal(score, with: 0, at: Score.mapWidth + 1) == "a map of 2 × 0 cells")
    }

    // MARK: Turns

    @Test(arguments: [(0.04, nil), (0.06, 0.1), (-90, -90), (180.1, nil), (-180, nil), (.nan, nil), (1e9, nil)])
    func aTurnIsRoundedToTenthsAndOmittedOutOfRange(turned: Double, told: Double?) throws {
        let message = locator.crops(1, faces: [.init(box: box, turned: turned)]).message
        guard case .crops(let read) = try read(message) else { throw MalformedMessage(reason: "") }
        #expect(read.faces.map(\.turned) == [told])
    }

    @Test(arguments: [1801, 1850, -1800, .max, .min] as [Int16]) func aTurnOutOfItsRangeIsMalformed(tenths: Int16) {
        var bytes = locator.crops(1, faces: [.init(box: box, turned: 1)]).message.encoded()
        // The turn comes after the count and the box.
        let place = Crops.faces + 1 + 16
        #expect(Array(bytes[place..<place + 2]) == [10, 0])
        withUnsafeBytes(of: tenths.littleEndian) { bytes.replaceSubrange(place..<place + 2, with: $0) }
        #expect(throws: MalformedMessage(reason: "a face turned by \(tenths) tenths of a degree")) {
            try decodeWorkerMessage(bytes)
        }
    }

    // MARK: Texts and metrics

    @Test func textsAreCutToTheirLimitBetweenCharacters() throws {
        let long = String(repeating: "é", count: 5000)
        let hello = WorkerMessage.hello(
            WorkerMessage.Hello(
                role: .locator(preprocessing: 3), model: long, version: long, digest: long, worker: "a" + long,
                credit: 1, bootID: 1,
                metrics: Dictionary(uniqueKeysWithValues: (0..<40).map { ("\($0)" + long, 1) })))
        guard case .hello(let greeting) = try read(hello) else { throw MalformedMessage(reason: "") }
        #expect(greeting.model == String(repeating: "é", count: Limits.nameBytes / 2))
        #expect(greeting.worker.utf8.count == Limits.nameBytes - 1)
        #expect(greeting.digest.utf8.count == Limits.identifierBytes)
        #expect(greeting.metrics.count == Limits.metrics)
        let bye = try decodeRouterMessage(RouterMessage.bye(reason: long, isFinal: true).encoded())
        #expect(bye == .bye(reason: String(repeating: "é", count: Limits.reasonBytes / 2), isFinal: true))
        let failure = WorkerMessage.Failure(epoch: 1, job: 1, error: WireError(.unavailable, code: long, long))
        guard case .fail(let read) = try read(.fail(failure)) else { throw MalformedMessage(reason: "") }
        #expect(read.error.message.utf8.count == Limits.reasonBytes)
    }

    @Test func metricsThatAreNotFiniteAreLeftOut() throws {
        var worker = worker
        worker.metrics = ["good": 1, "bad": .nan, "worse": .infinity]
        guard case .hello(let read) = try read(worker.hello) else { throw MalformedMessage(reason: "") }
        #expect(read.metrics == ["good": 1])
    }
}

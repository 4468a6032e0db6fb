import BifronsWire
import BifronsZeroMQ
import Glibc
import ImageDecoding
import Logging
import Reactor
import Settings
import Synchronization
import Testing
import WorkerService

/// A time limit in milliseconds, longer than any step takes even on a busy machine.
private let patience = 20_000

let locator = ModelIdentity(
    name: "locator", version: "1.0.0", digest: "sha256:00", metrics: ["recall_40px": 0.97])
let resnet = ModelIdentity(name: "resnet", version: "1.0.0", digest: "sha256:00", metrics: ["roc_auc": 0.97])

/// Small crops of faces.
let faces = CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 3)
/// Small crops of the central square.
let centre = CropSpecification(kind: .centralSquare, width: 3, height: 2, preprocessing: 3)

struct Broken: Error, CustomStringConvertible { let description = "the engine has had enough" }

/// Holds a thread up until the test opens the gate.
final class Gate: Sendable {
    private let reached: Mailbox<Void>
    private let opened: Mailbox<Void>

    init() throws {
        reached = try Mailbox()
        opened = try Mailbox()
    }

    /// Waits until a thread has reached the gate.
    func waitUntilReached() throws {
        try Self.wait(for: reached)
    }

    func open() {
        opened.post(())
    }

    func pass() throws {
        reached.post(())
        try Self.wait(for: opened)
    }

    private static func wait(for mail: Mailbox<Void>) throws {
        var polled = PollSet()
        _ = polled.add(descriptor: mail.descriptor)
        try #require(try polled.wait(milliseconds: patience) == 1)
        _ = mail.drain()
    }
}

/// Decodes images and needs no engine. An image has as many faces as its height in pixels, in rows of one pixel, and
/// every byte of a crop is the image's width.
struct FakeCutter: Cutter {
    /// The most bytes of a file.
    static let imageBytes = 5000
    let identity = locator
    let preprocessing: UInt16 = 3
    /// Holds up images that are one pixel wide.
    let gate: Gate?
    private let decoder = ImageDecoder(limits: DecodeLimits(bytes: FakeCutter.imageBytes))

    init(gate: Gate? = nil) {
        self.gate = gate
    }

    func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutImage {
        let image = try decoder.decode(file)
        if image.width == 1 { try gate?.pass() }
        if image.width == 13 { throw Broken() }
        let boxes = (0..<image.height).map { Box(x: 0, y: Int32($0), width: 1, height: 1) }
        let sets = specifications.map { specification in
            let squares = specification.needsFaces ? boxes : [Box(x: 0, y: 0, width: 9, height: 9)]
            let bytes = squares.count * specification.cropBytes
            return (squares: squares, pixels: [UInt8](repeating: UInt8(image.width), count: bytes))
        }
        return CutImage(
            format: image.format == .jpeg ? .jpeg : .png, width: image.width, height: image.height,
            faces: boxes.map { WorkerMessage.Face(box: $0, turned: 12.5) }, facesFound: 2 * boxes.count, sets: sets)
    }
}

/// A network that needs no engine: the logit of a crop is its first byte.
struct FakeScorer: Scorer {
    let identity = resnet
    let specification = faces
    /// Holds up every batch.
    var gate: Gate?

    func score(
        _ crops: UnsafeRawBufferPointer, step: () -> Void
    ) throws -> [Result<WorkerMessage.CropScore, any Error>] {
        try gate?.pass()
        step()
        let first = stride(from: 0, to: crops.count, by: specification.cropBytes).map { crops[$0] }
        if first.contains(13) { throw Broken() }
        return first.map {
            $0 == 14
                ? .failure(Broken())
                : .success(.init(logit: Float($0), map: EvidenceMap(width: 1, height: 1, cells: [$0])))
        }
    }
}

/// What finds evidence without reading any: the image's first byte decides.
struct FakeExaminer: Examiner {
    let identity = ModelIdentity(name: "provenance", version: "1", digest: "sha256:00")

    func examine(_ file: UnsafeRawBufferPointer) throws -> EvidenceReport {
        switch file.first {
        case 1:
            throw WireError(.unprocessable, code: "evidence_too_complex", "it has too many boxes")
        case 2: throw Broken()
        default: return Self.report
        }
    }

    static let report = EvidenceReport.provenance(
        ProvenanceEvidence(claim: .aiGenerated, trust: .unsigned, source: .pngText, generator: "a model"))
}

/// What reads files again: its digest counts how often it has.
final class ReloadingExaminer: Examiner {
    private let reloads = Atomic(0)
    /// Holds up every reload.
    let gate: Gate

    init() throws {
        gate = try Gate()
    }

    var identity: ModelIdentity {
        ModelIdentity(name: "known", version: "1", digest: "sha256:\(reloads.load(ordering: .acquiring))")
    }

    func examine(_ file: UnsafeRawBufferPointer) throws -> EvidenceReport { FakeExaminer.report }

    func reload() {
        try? gate.pass()
        reloads.add(1, ordering: .acquiringAndReleasing)
    }
}

/// A router that a test controls, and a worker service on its own thread.
final class Harness {
    let endpoint: String
    private(set) var router: Socket
    /// The worker's routing id at the ROUTER socket.
    private(set) var peer: [UInt8] = []
    /// The frames behind the last message.
    private(set) var frames: [[UInt8]] = []
    private let context: Context
    private let folder: TemporaryFolder
    private var service: PlatformThread?
    private let state = State()

    private final class State: Sendable {
        let thread = Mutex<pthread_t?>(nil)
        let end = Mutex<Result<WorkerService.End, any Error>?>(nil)
    }

    init() throws {
        folder = try TemporaryFolder()
        endpoint = "ipc://\(folder.path)/router"
        context = try Context()
        router = try Socket(.router, context: context)
        try router.bind(endpoint)
    }

    deinit {
        // A failed test must not leave a service running.
        if state.end.withLock({ $0 == nil }) { kill() }
        service?.join()
    }

    /// Starts a locator.
    func startLocator(gate: Gate? = nil, threads: Int = 1, _ configure: (inout WorkerSettings) -> Void = { _ in })
        throws
    {
        try start({ .locator(FakeCutter(gate: gate)) }) {
            $0.decodeThreads = threads
            configure(&$0)
        }
    }

    /// Starts an evidence worker.
    func startExaminer(_ examiner: any Examiner = FakeExaminer()) throws {
        let environment = ["BIFRONS_EVIDENCE": "known", "BIFRONS_BANKS": "a fake"]
        try start({ .evidence(examiner) }, environment) { $0.decodeThreads = 2 }
    }

    /// Starts a network.
    func startNetwork(gate: Gate? = nil, _ configure: (inout WorkerSettings) -> Void = { _ in }) throws {
        try start({ .network(FakeScorer(gate: gate)) }, configure: configure)
    }

    func start(
        _ load: @escaping @Sendable () throws -> HostedModel,
        _ environment: [String: String] = ["BIFRONS_MODEL": "a fake"],
        configure: (inout WorkerSettings) -> Void = { _ in }
    ) throws {
        var settings = try WorkerSettings(environment: environment)
        settings.routers = [endpoint]
        configure(&settings)
        let started = try WakeUp()
        service = try PlatformThread(name: "service") { [state, settings] in
            let end = Result {
                var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                logger.logLevel = .critical
                let service = try WorkerService(settings: settings, logger: logger, load: load)
                // The service has blocked the signals in this thread, so one can be sent to it now.
                state.thread.withLock { $0 = pthread_self() }
                started.signal()
                return try service.run()
            }
            state.end.withLock { $0 = end }
            started.signal()
        }
        var polled = PollSet()
        _ = polled.add(started)
        try #require(try polled.wait(milliseconds: patience) == 1)
    }

    func kill(_ signal: Int32 = SIGTERM) {
        state.thread.withLock { if let thread = $0 { _ = pthread_kill(thread, signal) } }
    }

    /// Waits for the end of `run` and returns its result.
    func end() throws -> WorkerService.End {
        service?.join()
        return try #require(state.end.withLock { $0 }).get()
    }

    // MARK: The router's side

    /// Replaces the router by a new one, as after a crash.
    func restart() throws {
        try router.unbind(endpoint)
        router = try Socket(.router, context: context)
        try router.bind(endpoint)
    }

    /// Returns the worker's next message, ignoring heartbeats.
    func next() throws -> WorkerMessage {
        while true {
            let message = try nextOfAnyKind()
            if case .ping = message { continue }
            return message
        }
    }

    func nextOfAnyKind() throws -> WorkerMessage {
        let message = Message()
        try #require(try router.wait(milliseconds: patience), "the worker says nothing")
        try #require(try router.receive(into: message))
        try #require(message.count >= 2)
        peer = message.array(at: 0)
        frames = (2..<message.count).map { message.array(at: $0) }
        return try message.withBytes(at: 1) { try WorkerMessage.decode($0) }
    }

    func nextHello() throws -> WorkerMessage.Hello {
        guard case .hello(let hello) = try next() else { throw Unexpected() }
        return hello
    }

    /// Returns the job, status and code of the next answer, which must be a failure.
    func nextFailure() throws -> (job: UInt64, status: Int, code: String) {
        guard case .fail(let failure) = try next() else { throw Unexpected() }
        return (failure.job, failure.error.status.rawValue, failure.error.code)
    }

    func nextScore() throws -> WorkerMessage.Score {
        guard case .score(let score) = try next() else { throw Unexpected() }
        return score
    }

    func nextCrops() throws -> WorkerMessage.Crops {
        guard case .crops(let crops) = try next() else { throw Unexpected() }
        return crops
    }

    func say(_ message: RouterMessage, _ payload: [UInt8]? = nil) throws {
        try say(message.encoded(), payload)
    }

    func say(_ frames: [UInt8]?...) throws {
        let message = Message()
        message.append(peer)
        for case let frame? in frames { message.append(frame) }
        try #require(try router.send(message) == .sent)
    }

    func locate(
        _ job: UInt64, _ image: [UInt8], as specifications: [CropSpecification] = [faces], budget: UInt32 = 60_000
    ) throws {
        try say(.locate(.init(job: job, attempt: 1, remainingMilliseconds: budget), specifications), image)
    }

    /// Sends a SCORE.
    ///
    /// - Parameters:
    ///   - job: The job's number.
    ///   - crops: The first byte of each crop.
    func score(_ job: UInt64, _ crops: [UInt8]) throws {
        let bytes = crops.flatMap { [UInt8](repeating: $0, count: faces.cropBytes) }
        try say(.score(.init(job: job, attempt: 1, remainingMilliseconds: 60_000)), bytes)
    }

    /// Waits until the worker has read all messages sent so far, by sending a job without payload, which is refused at
    /// once.
    func waitUntilRead() throws {
        try say(.score(.init(job: 999, attempt: 1, remainingMilliseconds: 1)))
        let (job, status, code) = try nextFailure()
        guard job == 999, status == 503, ["job_incomplete", "job_misdirected"].contains(code) else {
            throw Unexpected()
        }
    }

    /// Receives the HELLO and accepts the worker, by default with a heartbeat of a minute.
    @discardableResult
    func welcome(epoch: UInt64 = 7, heartbeat: UInt32 = 60_000) throws -> WorkerMessage.Hello {
        let hello = try nextHello()
        try say(.welcome(epoch: epoch, heartbeatMilliseconds: heartbeat))
        return hello
    }

    /// Returns whether no message has arrived.
    func isSilent() throws -> Bool {
        try !router.wait(milliseconds: 0)
    }

    struct Unexpected: Error {}
}

/// A folder for ipc endpoints that is removed with its contents.
private final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/bifrons-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        unlink("\(path)/router")
        rmdir(path)
    }
}

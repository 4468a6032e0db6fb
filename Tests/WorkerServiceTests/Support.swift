import Glibc
import ImageDecoding
import Logging
import Reactor
import Settings
import Synchronization
import Testing
import Wire
import WorkerService
import ZeroMQ

/// Longer than anything here takes, even on a machine that is very busy.
private let patience = 20_000

let resnet = ModelIdentity(
    name: "resnet", version: "1.0.0", digest: "sha256:00", metrics: ["roc_auc": 0.97])

/// A model that needs no engine: the logit of a picture is its width in the file.
final class FakeScorer: Scorer {
    struct Broken: Error, CustomStringConvertible { let description = "the engine has had enough" }

    /// Holds the engine up until the test lets it go on.
    final class Gate: Sendable {
        private let reached: WakeUp
        private let opened: WakeUp

        init() throws {
            reached = try WakeUp()
            opened = try WakeUp()
        }

        /// Waits until a batch is in the engine's hands.
        func waitUntilReached() throws {
            try Self.wait(for: reached)
        }

        func open() {
            opened.signal()
        }

        func pass() throws {
            reached.signal()
            try Self.wait(for: opened)
        }

        private static func wait(for wakeUp: WakeUp) throws {
            var polled = PollSet()
            _ = polled.add(wakeUp)
            try #require(try polled.wait(milliseconds: patience) == 1)
            wakeUp.clear()
        }
    }

    /// The most bytes of a file.
    static let imageBytes = 5000
    let identity: ModelIdentity
    private let gate: Gate?
    private let faces: Int
    private let decoder = ImageDecoder(limits: DecodeLimits(bytes: FakeScorer.imageBytes))
    private var regions: [(box: Box?, width: Int)] = []

    /// - Parameter faces: how many every picture has.
    init(gate: Gate? = nil, faces: Int = 0) {
        identity = resnet
        self.gate = gate
        self.faces = faces
    }

    func place(_ file: UnsafeRawBufferPointer) throws -> PlacedPicture {
        let picture = try decoder.decode(file)
        let boxes: [Box?] = (0..<faces).map { Box(x: Int32($0), y: 0, width: 1, height: 1) }
        regions += (boxes.isEmpty ? [nil] : boxes).map { (box: $0, width: picture.width) }
        return PlacedPicture(
            format: picture.format == .jpeg ? .jpeg : .png, width: picture.width, height: picture.height,
            regions: max(faces, 1), facesFound: 2 * faces)
    }

    func score(step: () -> Void) throws -> [Result<WorkerMessage.Region, any Error>] {
        try gate?.pass()
        step()
        defer { regions = [] }
        if regions.contains(where: { $0.width == 13 }) { throw Broken() }
        return regions.map { box, width in
            width == 14 ? .failure(Broken()) : .success(WorkerMessage.Region(box: box, logit: Float(width)))
        }
    }
}

/// A router that says what the test tells it to say, and a worker's service on a thread of its own.
final class Bench {
    let endpoint: String
    private(set) var router: Socket
    /// Who the worker is to the ROUTER socket.
    private(set) var peer: [UInt8] = []
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
        // A test that failed half-way must not leave a service behind.
        if state.end.withLock({ $0 == nil }) { kill() }
        service?.join()
    }

    func start(
        gate: FakeScorer.Gate? = nil, faces: Int = 0, _ configure: (inout WorkerSettings) -> Void = { _ in }
    ) throws {
        try start({ FakeScorer(gate: gate, faces: faces) }, configure)
    }

    func start(
        _ scorer: @escaping @Sendable () throws -> any Scorer,
        _ configure: (inout WorkerSettings) -> Void = { _ in }
    ) throws {
        var settings = try WorkerSettings(environment: ["BIFRONS_MODEL": "a fake"])
        settings.routers = [endpoint]
        configure(&settings)
        let started = try WakeUp()
        service = try PlatformThread(name: "service") { [state, settings] in
            let end = Result {
                var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                logger.logLevel = .critical
                let service = try WorkerService(settings: settings, logger: logger, makeScorer: scorer)
                // The service has blocked the signals in this thread: now one can be sent to it.
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

    /// Waits for the end of `run`.
    func end() throws -> WorkerService.End {
        service?.join()
        return try #require(state.end.withLock { $0 }).get()
    }

    // MARK: The router's part

    /// The router dies and another one takes its place.
    func restart() throws {
        try router.unbind(endpoint)
        router = try Socket(.router, context: context)
        try router.bind(endpoint)
    }

    /// What the worker says next; heartbeats are passed over.
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
        try #require(message.count == 2)
        peer = message.array(at: 0)
        return try message.withBytes(at: 1) { try WorkerMessage.decode($0) }
    }

    func nextHello() throws -> WorkerMessage.Hello {
        guard case .hello(let hello) = try next() else { throw Unexpected() }
        return hello
    }

    /// The status and code of the next answer, which must be a failure, and its job.
    func nextFailure() throws -> (job: UInt64, status: Int, code: String) {
        guard case .fail(let failure) = try next() else { throw Unexpected() }
        return (failure.job, failure.error.status.rawValue, failure.error.code)
    }

    func nextScore() throws -> WorkerMessage.Score {
        guard case .score(let score) = try next() else { throw Unexpected() }
        return score
    }

    func say(_ message: RouterMessage, image: [UInt8]? = nil) throws {
        try say(message.encoded(), image)
    }

    func say(_ frames: [UInt8]?...) throws {
        let message = Message()
        message.append(peer)
        for case let frame? in frames { message.append(frame) }
        try #require(try router.send(message) == .sent)
    }

    func job(_ job: UInt64, _ image: [UInt8], budget: UInt32 = 60_000) throws {
        try say(.job(.init(job: job, attempt: 1, remainingMilliseconds: budget)), image: image)
    }

    /// Waits until the worker has taken everything that was said so far: a job without an image is refused at once.
    func waitUntilRead() throws {
        try say(.job(.init(job: 999, attempt: 1, remainingMilliseconds: 1)))
        guard try nextFailure() == (999, 503, "job_incomplete") else { throw Unexpected() }
    }

    /// Receives the HELLO and accepts the worker, whose heart will beat slowly.
    @discardableResult
    func welcome(epoch: UInt64 = 7, heartbeat: UInt32 = 60_000) throws -> WorkerMessage.Hello {
        let hello = try nextHello()
        try say(.welcome(epoch: epoch, heartbeatMilliseconds: heartbeat))
        return hello
    }

    /// Whether nothing has arrived so far.
    func isSilent() throws -> Bool {
        try !router.wait(milliseconds: 0)
    }

    struct Unexpected: Error {}
}

/// A folder for ipc endpoints that is removed with its content.
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

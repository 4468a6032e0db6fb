import BifronsWire
import BifronsZeroMQ
import Glibc
import Logging
import Reactor
import Settings
import Synchronization
import TestKit
import Testing
import WorkerService

/// The real worker service on a test's thread, with a model that needs no engine: a locator that finds one face in any
/// bytes, or a network that gives every crop the same score.
final class ServedWorker {
    /// Holds up batches until the test opens the gate.
    final class Gate: Sendable {
        private let reached: WakeUp
        private let opened: WakeUp
        private let stands = Mutex(false)

        init() throws {
            reached = try WakeUp()
            opened = try WakeUp()
        }

        /// Waits until a batch has reached the gate.
        func waitForABatch() throws {
            try Self.wait(for: reached)
        }

        /// Lets the batch at the gate pass.
        func releaseBatch() {
            opened.signal()
        }

        /// Lets all batches pass from now on.
        func openPermanently() {
            stands.withLock { $0 = true }
            opened.signal()
        }

        fileprivate func pass() throws {
            if stands.withLock({ $0 }) { return }
            reached.signal()
            try Self.wait(for: opened)
        }

        private static func wait(for wakeUp: WakeUp) throws {
            var polled = PollSet()
            _ = polled.add(wakeUp)
            try #require(try polled.wait(milliseconds: Bounds.patience) == 1)
            wakeUp.clear()
        }
    }

    private struct Network: Scorer {
        let identity: ModelIdentity
        let specification = CropSpecification.centralSample
        let gate: Gate?

        func score(
            _ crops: UnsafeRawBufferPointer, step: () -> Void
        ) throws -> [Result<WorkerMessage.CropScore, any Error>] {
            try gate?.pass()
            return Array(
                repeating: .success(WorkerMessage.CropScore(logit: 1)), count: crops.count / specification.cropBytes)
        }
    }

    private struct Locator: Cutter {
        let identity = ModelIdentity(name: "locator", version: "1.0.0", digest: "sha256:00")
        let preprocessing = CropSpecification.sample.preprocessing

        func cut(_ file: UnsafeRawBufferPointer, as specifications: [CropSpecification]) throws -> CutImage {
            let looks = specifications.contains(where: \.needsFaces)
            return CutImage(
                format: .png, width: 1, height: 1, faces: looks ? [WorkerMessage.Face(box: .wholeSample)] : [],
                facesFound: looks ? 1 : nil,
                sets: specifications.map { ([.wholeSample], Array(repeating: file.first ?? 0, count: $0.cropBytes)) })
        }
    }

    /// Records the service's log messages, without their metadata.
    private struct Log: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.all.withLock { $0.append("\(event.message)") }
        }
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private final class State: Sendable {
        let thread = Mutex<pthread_t?>(nil)
    }

    private let lines = Lines()
    private let state = State()
    private let service: PlatformThread

    /// Starts serving a network.
    convenience init(
        _ model: String, routers: [String], maxBatch: Int = 8, gate: Gate? = nil,
        lookup: (@Sendable (String) throws -> [String])? = nil
    ) throws {
        var settings = try WorkerSettings(environment: ["BIFRONS_MODEL": model])
        settings.routers = routers
        settings.maxBatch = maxBatch
        let identity = ModelIdentity(name: model, version: "1.0.0", digest: "sha256:00")
        try self.init(.network(Network(identity: identity, gate: gate)), settings, lookup)
    }

    /// Starts a locator.
    ///
    /// - Parameters:
    ///   - routers: The routers' endpoints.
    ///   - keys: The folder of keys; nil: no encryption.
    static func locator(routers: [String], keys: String? = nil) throws -> ServedWorker {
        var settings = try WorkerSettings(environment: ["BIFRONS_MODEL": "locator"])
        settings.routers = routers
        settings.keys = keys
        return try ServedWorker(.locator(Locator()), settings, nil)
    }

    private init(
        _ stage: HostedModel, _ settings: WorkerSettings, _ lookup: (@Sendable (String) throws -> [String])?
    ) throws {
        var settings = settings
        settings.resolveInterval = .milliseconds(100)
        // For a failed test.
        settings.drainTime = .seconds(1)
        let started = try WakeUp()
        service = try PlatformThread(name: "worker") { [state, lines, settings] in
            do {
                let logger = Logger(label: "test") { _ in Log(lines: lines) }
                let service = try WorkerService(settings: settings, logger: logger, lookup: lookup) { stage }
                // The service has blocked the signals in this thread, so one can be sent to it now.
                state.thread.withLock { $0 = pthread_self() }
                started.signal()
                _ = try service.run()
            } catch {
                lines.all.withLock { $0.append("\(error)") }
                started.signal()
            }
            state.thread.withLock { $0 = nil }
        }
        var polled = PollSet()
        _ = polled.add(started)
        try #require(try polled.wait(milliseconds: Bounds.patience) == 1)
    }

    deinit {
        state.thread.withLock { if let thread = $0 { _ = pthread_kill(thread, SIGTERM) } }
        service.join()
    }

    /// Returns how often the service has logged a message.
    func said(_ message: String) -> Int {
        lines.all.withLock { $0.count { $0 == message } }
    }
}

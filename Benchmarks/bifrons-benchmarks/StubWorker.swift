import BifronsWire
import BifronsZeroMQ
import Reactor
import Synchronization

/// A worker that speaks the real protocol but computes nothing: every image gets the same crops, and every crop the
/// same score, at once.
final class StubWorker: Sendable {
    /// The specification of the published networks.
    static let specification = CropSpecification(kind: .face(margin: 1.6), width: 160, height: 160, preprocessing: 3)
    /// One worker of the locator and of each model.
    static let cluster: [(model: String, role: WorkerMessage.Role)] =
        [("locator", .locator(preprocessing: 3))] + Cluster.models.map { ($0, .network(specification)) }

    private let stopped = Atomic(false)
    private let thread: Mutex<PlatformThread?> = Mutex(nil)

    init(model: String, role: WorkerMessage.Role, router: String) throws {
        let body: @Sendable () -> Void = { [self] in
            do {
                try serve(model, role, router)
            } catch {
                print("stub worker \(model) failed: \(error)")
            }
        }
        try thread.withLock { $0 = try PlatformThread(name: "stub-\(model)", body) }
    }

    func stop() {
        stopped.store(true, ordering: .relaxed)
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private func serve(_ model: String, _ role: WorkerMessage.Role, _ router: String) throws {
        let context = try Context()
        var options = SocketOptions()
        // The bare forwarder grants no credit, and an unsent score would lose a job.
        options.sendHighWater = 0
        let socket = try Socket(.dealer, context: context, options: options)
        try socket.connect(router)
        let message = Message()
        func send(_ content: WorkerMessage, crops: Frame? = nil) throws {
            message.removeAll()
            message.append(content.encoded())
            if let crops { message.append(crops) }
            _ = try socket.send(message)
        }
        try send(
            .hello(
                WorkerMessage.Hello(
                    role: role, model: model, version: "1.0.0", digest: "sha256:" + String(repeating: "0", count: 64),
                    worker: "\(model)-stub", credit: 64, bootID: .random(in: 0 ... .max))))
        var epoch: UInt64 = 0
        var heartbeat = Duration.milliseconds(500)
        var nextPing = MonotonicClock.now() + heartbeat
        var done: UInt64 = 0
        let image = ImageInformation(format: .jpeg, width: 1024, height: 1024, sha256: [UInt8](repeating: 7, count: 32))
        let box = Box(x: 100, y: 100, width: 400, height: 500)
        let crops = [UInt8](repeating: 9, count: Self.specification.cropBytes).withUnsafeBytes { Frame($0) }
        let timings = WorkerMessage.Timings(queueMicroseconds: 10, computeMicroseconds: 100, batch: 1)
        while !stopped.load(ordering: .relaxed) {
            _ = try socket.wait(milliseconds: 50)
            while try socket.receive(into: message, maxFrames: 2) {
                let received = message.withBytes(at: 0) { bytes in
                    Result { () throws(MalformedMessage) in try RouterMessage.decode(bytes) }
                }
                switch try received.get() {
                case .welcome(let newEpoch, let milliseconds):
                    epoch = newEpoch
                    heartbeat = .milliseconds(Int(milliseconds))
                case .locate(let job, let specifications):
                    done += 1
                    try send(
                        .crops(
                            WorkerMessage.Crops(
                                epoch: epoch, job: job.job, faces: [WorkerMessage.Face(box: box)], facesFound: 1,
                                image: image, sets: specifications.map { _ in WorkerMessage.CropSet(squares: [box]) },
                                timings: timings)), crops: crops)
                case .score(let job):
                    done += 1
                    try send(
                        .score(
                            WorkerMessage.Score(
                                epoch: epoch, job: job.job, crops: [WorkerMessage.CropScore(logit: 1.5)],
                                timings: timings)))
                case .examine, .pong, .resync, .bye: break
                }
            }
            if MonotonicClock.now() >= nextPing {
                nextPing = MonotonicClock.now() + heartbeat
                try send(.ping(epoch: epoch, inFlight: 0, progress: done))
            }
        }
        try send(.bye(epoch: epoch))
    }
}

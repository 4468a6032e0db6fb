import Reactor
import Synchronization
import Wire
import ZeroMQ

/// A worker that speaks the real protocol and scores nothing: every job gets the same score at once.
final class StubWorker: Sendable {
    private let stopped = Atomic(false)
    private let thread: Mutex<PlatformThread?> = Mutex(nil)

    init(model: String, router: String) throws {
        let body: @Sendable () -> Void = { [self] in
            do {
                try serve(model, router)
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

    private func serve(_ model: String, _ router: String) throws {
        let context = try Context()
        var options = SocketOptions()
        // The bare forwarder gives no credit to keep to, and a score that is not sent would be a job lost.
        options.sendHighWater = 0
        let socket = try Socket(.dealer, context: context, options: options)
        try socket.connect(router)
        let message = Message()
        func send(_ content: WorkerMessage) throws {
            message.removeAll()
            message.append(content.encoded())
            _ = try socket.send(message)
        }
        try send(
            .hello(
                WorkerMessage.Hello(
                    model: model, version: "1.0.0", digest: "sha256:" + String(repeating: "0", count: 64),
                    worker: "\(model)-stub", credit: 64, bootID: .random(in: 0 ... .max))))
        var epoch: UInt64 = 0
        var heartbeat = Duration.milliseconds(500)
        var nextPing = MonotonicClock.now() + heartbeat
        var done: UInt64 = 0
        let image = ImageInformation(format: .jpeg, width: 1024, height: 1024, sha256: [UInt8](repeating: 7, count: 32))
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
                case .job(let job):
                    done += 1
                    try send(
                        .score(
                            WorkerMessage.Score(
                                epoch: epoch, job: job.job, regions: [WorkerMessage.Region(box: nil, logit: 1.5)],
                                image: image, timings: timings)))
                case .pong, .resync, .bye: break
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

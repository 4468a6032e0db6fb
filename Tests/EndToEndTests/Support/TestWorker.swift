import BifronsWire
import BifronsZeroMQ
import TestKit
import Testing

/// A worker that sends what a test wants over a real socket.
final class TestWorker {
    struct NothingReceived: Error {}

    private(set) var script: ScriptedWorker
    /// The socket; nil once the worker was killed.
    private var peer: Peer?

    init(_ peer: Peer, _ script: ScriptedWorker) {
        self.peer = peer
        self.script = script
    }

    func send(_ message: WorkerMessage) throws {
        try send(bytes: [message.encoded()])
    }

    func send(bytes frames: [[UInt8]]) throws {
        try peer?.send(frames)
    }

    func send(_ answer: (message: WorkerMessage, frames: [[UInt8]])) throws {
        try send(bytes: [answer.message.encoded()] + answer.frames)
    }

    func receiveFrames(milliseconds: Int = Bounds.patience) throws -> [[UInt8]]? {
        try peer?.receive(milliseconds: milliseconds)
    }

    /// Returns the next message and a job's image or crops; nil if none arrives in time.
    func receive(milliseconds: Int = Bounds.patience) throws -> (message: RouterMessage, payload: [UInt8]?)? {
        guard let frames = try receiveFrames(milliseconds: milliseconds) else { return nil }
        let message = try frames[0].withUnsafeBytes { try RouterMessage.decode($0) }
        return (message, frames.count > 1 ? frames[1] : nil)
    }

    /// Sends the HELLO and waits for the WELCOME.
    func register() throws {
        try send(script.hello)
        guard case .welcome(let epoch, _)? = try receive()?.message else { throw NothingReceived() }
        script.epoch = epoch
    }

    /// Returns the next job of either stage, which must arrive. Other messages before it are ignored.
    func job() throws -> RouterMessage.Job {
        while let (message, _) = try receive() {
            switch message {
            case .locate(let job, _), .score(let job), .examine(let job): return job
            case .welcome, .pong, .resync, .bye: continue
            }
        }
        throw NothingReceived()
    }

    /// Takes a locator's next job and sends crops of the central square, or of each face.
    func cutNextJob(faces: [WorkerMessage.Face] = []) throws {
        while let (message, _) = try receive() {
            guard case .locate(let job, let specifications) = message else { continue }
            return try send(script.crops(job.job, of: specifications, faces: faces))
        }
        throw NothingReceived()
    }

    /// Takes the next job and scores it.
    func scoreNextJob() throws {
        try send(script.score(try job().job))
    }

    /// Scores the jobs that have arrived.
    func scoreArrivedJobs() throws {
        while let (message, _) = try receive(milliseconds: 1) {
            if case .score(let job) = message { try send(script.score(job.job)) }
        }
    }

    /// Ends the connection without a message, as the system does for a killed process.
    func die() {
        peer = nil
    }
}

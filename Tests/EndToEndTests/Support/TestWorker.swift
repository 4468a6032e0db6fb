import TestKit
import Testing
import Wire
import ZeroMQ

/// A worker that says what its test wants, over a real socket.
final class TestWorker {
    struct NothingReceived: Error {}

    private(set) var script: ScriptedWorker
    /// Nil once it was killed.
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

    /// The next message and, behind a JOB, its image; nil if none comes.
    func receive(milliseconds: Int = Bounds.patience) throws -> (message: RouterMessage, image: [UInt8]?)? {
        guard let frames = try peer?.receive(milliseconds: milliseconds) else { return nil }
        let message = try frames[0].withUnsafeBytes { try RouterMessage.decode($0) }
        return (message, frames.count > 1 ? frames[1] : nil)
    }

    /// Says HELLO and waits for the WELCOME.
    func register() throws {
        try send(script.hello)
        guard case .welcome(let epoch, _)? = try receive()?.message else { throw NothingReceived() }
        script.epoch = epoch
    }

    /// The next job, which must come; what else comes before is passed over.
    func job() throws -> RouterMessage.Job {
        while let (message, _) = try receive() {
            if case .job(let job) = message { return job }
        }
        throw NothingReceived()
    }

    /// Takes the next job and scores it.
    func scoreNextJob() throws {
        try send(script.score(try job().job))
    }

    /// Ends the connection without a word, as the system does for a process that is killed.
    func die() {
        peer = nil
    }
}

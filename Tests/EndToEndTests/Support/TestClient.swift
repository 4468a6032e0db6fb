import BifronsWire
import BifronsZeroMQ
import FoundationEssentials
import TestKit
import Testing

/// A client that can send any frames.
final class TestClient {
    /// A decoded reply.
    struct Reply {
        var envelope: [[UInt8]]
        var hasMagic: Bool
        var result: [UInt8]
        var document: ResultDocument

        var status: Int { document.status.rawValue }
        var code: String? { document.error?.code }
    }

    struct NoReply: Error {}

    let peer: Peer

    init(_ peer: Peer) {
        self.peer = peer
    }

    func send(_ frames: [[UInt8]]) throws {
        try peer.send(frames)
    }

    /// Returns the next reply, which must arrive.
    func receive() throws -> Reply {
        try read(try receiveFrames())
    }

    /// Returns the next reply; nil if none arrives in time.
    func receive(milliseconds: Int) throws -> Reply? {
        try peer.receive(milliseconds: milliseconds).map(read)
    }

    private func read(_ message: [[UInt8]]) throws -> Reply {
        var frames = message
        let result = frames.removeLast()
        let hasMagic = frames.last == Frames.magic
        if hasMagic { frames.removeLast() }
        let document = try JSONDecoder().decode(ResultDocument.self, from: Data(result))
        return Reply(envelope: frames, hasMagic: hasMagic, result: result, document: document)
    }

    func ask(_ frames: [[UInt8]]) throws -> Reply {
        try send(frames)
        return try receive()
    }

    func status() throws -> StatusReport {
        try send(Frames.request(#"{"verb":"status"}"#))
        return try StatusReport.decode(try receiveFrames()[1])
    }

    /// Asks for the status until a condition holds.
    func waitForStatus(_ condition: (StatusReport) -> Bool) throws {
        var status = try status()
        var tries = Bounds.patience / 5
        while !condition(status), tries > 0 {
            // Also the pause between two checks: no message arrives without a request.
            #expect(try peer.receive(milliseconds: 5) == nil)
            status = try self.status()
            tries -= 1
        }
        #expect(condition(status), "\(status.counters)")
    }

    func models() throws -> ModelsReport {
        try send(Frames.request(#"{"verb":"models"}"#))
        return try ModelsReport.decode(try receiveFrames()[1])
    }

    private func receiveFrames() throws -> [[UInt8]] {
        guard let frames = try peer.receive() else { throw NoReply() }
        return frames
    }
}

extension StatusReport {
    /// The workers of the second stage.
    var networks: [Worker] { workers.filter { $0.model != "locator" } }
}

/// Makes the frames of requests.
enum Frames {
    static let magic = Array("BIFRONS1".utf8)

    static func request(_ header: String, image: [UInt8]? = nil) -> [[UInt8]] {
        [magic, Array(header.utf8)] + (image.map { [$0] } ?? [])
    }

    static func classify(_ image: [UInt8], _ fields: String = "") -> [[UInt8]] {
        request(#"{"verb":"classify""# + (fields.isEmpty ? "" : "," + fields) + "}", image: image)
    }
}

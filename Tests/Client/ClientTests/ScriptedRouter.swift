import BifronsZeroMQ
import FoundationEssentials
import Reactor
import Testing

/// A folder for ipc endpoints that goes with the object.
final class TemporaryFolder: Sendable {
    let path = "/tmp/bifrons-\(UUID().uuidString.prefix(8))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func endpoint(_ name: String) -> String { "ipc://\(path)/\(name)" }
}

/// A ROUTER socket whose answers the test gives by hand.
// @unchecked: a test makes one call at a time and awaits it.
final class ScriptedRouter: @unchecked Sendable {
    struct Request: Sendable {
        let envelope: [[UInt8]]
        let header: String
        let image: [UInt8]?
    }

    private let socket: Socket
    private let message = Message()

    /// - Parameter holding: how many requests it takes that nobody asks it for.
    init(_ endpoint: String, _ context: Context, holding: Int = 1000, curve: Curve.Role = .none) throws {
        var options = SocketOptions()
        options.curve = curve
        options.receiveHighWater = holding
        socket = try Socket(.router, context: context, options: options)
        try socket.bind(endpoint)
    }

    /// Where it listens.
    var endpoint: String { socket.lastEndpoint }

    /// The next request; nil if none comes within `milliseconds`.
    func receive(milliseconds: Int = 20_000) async throws -> Request? {
        // Not on a thread of the tasks' pool: the machine may have only two, and the client's calls need them.
        let isThere = try await withCheckedThrowingContinuation { continuation in
            do {
                _ = try PlatformThread(name: "scripted router") {
                    continuation.resume(with: Result { try self.socket.wait(milliseconds: milliseconds) })
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        guard try isThere && socket.receive(into: message) else { return nil }
        let frames = (0..<message.count).map { message.array(at: $0) }
        try #require(frames.count >= 5 && frames[2].isEmpty && frames[3] == Array("BIFRONS1".utf8))
        return Request(
            envelope: Array(frames[...2]), header: String(decoding: frames[4], as: UTF8.self),
            image: frames.count > 5 ? frames[5] : nil)
    }

    func answer(_ request: Request, _ result: String) throws {
        try send(request.envelope + [Array("BIFRONS1".utf8), Array(result.utf8)])
    }

    func send(_ frames: [[UInt8]]) throws {
        message.removeAll()
        for frame in frames { message.append(frame) }
        _ = try socket.send(message)
    }
}

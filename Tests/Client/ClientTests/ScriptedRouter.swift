import BifronsZeroMQ
import FoundationEssentials
import Reactor
import Testing

/// A folder for ipc endpoints that is removed with this object.
final class TemporaryFolder: Sendable {
    let path = "/tmp/bifrons-\(UUID().uuidString.prefix(8))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func endpoint(_ name: String) -> String { "ipc://\(path)/\(name)" }
}

/// A ROUTER socket whose requests the test receives and answers one by one.
// @unchecked: a test makes one call at a time and awaits it, so calls do not overlap.
final class ScriptedRouter: @unchecked Sendable {
    struct Request: Sendable {
        let envelope: [[UInt8]]
        let header: String
        let image: [UInt8]?
    }

    private let socket: Socket
    private let message = Message()

    /// Binds the socket.
    /// - Parameter holding: the high-water mark: the number of requests that the socket queues for the test.
    init(_ endpoint: String, _ context: Context, holding: Int = 1000, curve: Curve.Role = .none) throws {
        var options = SocketOptions()
        options.curve = curve
        options.receiveHighWater = holding
        socket = try Socket(.router, context: context, options: options)
        try socket.bind(endpoint)
    }

    /// The endpoint at which the socket listens.
    var endpoint: String { socket.lastEndpoint }

    /// Returns the next request; nil if none arrives within `milliseconds`.
    func receive(milliseconds: Int = 20_000) async throws -> Request? {
        // Waits on a separate thread: the pool of tasks may have only two, which the client's calls need.
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

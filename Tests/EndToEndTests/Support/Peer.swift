import BifronsZeroMQ
import Glibc
import TestKit
import Testing

/// A test's socket that sends and receives exactly the frames of a test. Every wait is bounded.
final class Peer {
    struct CannotSend: Error {}

    private let socket: Socket

    init(_ endpoint: String, _ context: Context, options: SocketOptions = .init()) throws {
        socket = try Socket(.dealer, context: context, options: options)
        try socket.connect(endpoint)
    }

    func send(_ frames: [[UInt8]]) throws {
        let message = Message()
        for frame in frames { message.append(frame) }
        while try socket.send(message) != .sent {
            guard try socket.wait(for: .writable, milliseconds: Bounds.patience) else { throw CannotSend() }
        }
    }

    /// Returns the frames of the next message; nil if none arrives in time.
    func receive(milliseconds: Int = Bounds.patience) throws -> [[UInt8]]? {
        let message = Message()
        while try !socket.receive(into: message) {
            guard try socket.wait(milliseconds: milliseconds) else { return nil }
        }
        return (0..<message.count).map { message.array(at: $0) }
    }
}

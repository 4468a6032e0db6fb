import BifronsWire
import BifronsZeroMQ
import Reactor
import Synchronization
import Testing

/// A router that speaks the client protocol and answers every request at once with a closure's result.
final class AnsweringRouter: Sendable {
    private let stop: WakeUp
    private let thread: PlatformThread

    /// Starts the router.
    ///
    /// - Parameters:
    ///   - endpoint: The endpoint for clients.
    ///   - answer: Returns the result frame for a header and an image.
    init(_ endpoint: String, answer: @escaping @Sendable (RequestHeader, [UInt8]) -> String) throws {
        let stop = try WakeUp()
        let context = try Context()
        let router = SocketOwner(try Socket(.router, context: context))
        try router.socket.bind(endpoint)
        thread = try PlatformThread(name: "answering router") {
            try? router.serve(until: stop, answer: answer)
        }
        self.stop = stop
    }

    deinit {
        stop.signal()
        thread.join()
    }

    private final class SocketOwner {
        let socket: Socket

        init(_ socket: consuming Socket) { self.socket = socket }

        func serve(until stop: WakeUp, answer: (RequestHeader, [UInt8]) -> String) throws {
            var poll = PollSet()
            let stopIndex = poll.add(stop)
            _ = poll.add(socket)
            let message = Message()
            while true {
                _ = try poll.wait(milliseconds: -1)
                if poll.isReadable(stopIndex) { return }
                while try socket.receive(into: message) {
                    // Routing id, number, delimiter, magic, header, image.
                    let header = try message.withBytes(at: 4) { try RequestHeader.decode($0) }
                    let image = message.count > 5 ? message.array(at: 5) : []
                    let envelope = (0..<4).map { message.array(at: $0) }
                    message.removeAll()
                    for frame in envelope { message.append(frame) }
                    message.append(answer(header, image))
                    _ = try socket.send(message)
                }
            }
        }
    }
}

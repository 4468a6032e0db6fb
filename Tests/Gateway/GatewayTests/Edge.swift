import BifronsWire
import Dispatch
import HTTPTypes
import Hummingbird
import InMemoryLogging
import Logging
import NIOCore
import NIOEmbedded
import Settings
import Synchronization
import TestKit
import Testing

@testable import Gateway

/// A gateway in the test's process. The test scripts the routers' answers.
final class Edge: ListeningGateway {
    struct Answer {
        let status: Int
        let headers: HTTPFields
        let text: String
    }

    let router: ScriptedRouter
    private(set) var port: UInt16 = 0
    private let gateway: Gateway
    private let responder: RouterResponder<GatewayContext>
    private let log: InMemoryLogHandler

    /// Creates a gateway.
    /// - Parameters:
    ///   - settings: environment variables.
    ///   - answer: makes the router's answer to a request.
    init(_ settings: [String: String] = [:], answer: @escaping ScriptedRouter.Answer = ScriptedRouter.success) throws {
        let log = InMemoryLogHandler()
        self.log = log
        router = ScriptedRouter(answer)
        let settings = settings.merging(["BIFRONS_HTTP_PORT": "0"]) { given, _ in given }
        gateway = try Gateway(
            settings: GatewaySettings(environment: settings), client: router,
            logger: Logger(label: "gateway") { _ in log })
        responder = gateway.makeRouter().buildResponder()
    }

    var routes: [Router<GatewayContext>.RouteDescription] { gateway.makeRouter().routes }

    /// The lines of the log, with their metadata as `key=value`.
    var logged: String {
        log.entries.map { entry in
            "\(entry.message) " + entry.metadata.map { "\($0)=\($1)" }.sorted().joined(separator: " ") + "\n"
        }.joined()
    }

    // MARK: Without a server

    /// Returns the responder's response to a request, on a connection that stays open until the response is complete.
    /// - Parameter piece: the bytes of the body that arrive together; nil for all of them.
    func respond(
        to method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], body: [UInt8] = [],
        piece: Int? = nil
    ) async throws -> Response {
        var headers = headers
        if !body.isEmpty { headers[.contentLength] = "\(body.count)" }
        let channel = try await NIOAsyncTestingChannel { channel in
            let deadlines = ConnectionDeadlineHandler(timeout: .seconds(60), largestBody: 0) { problem, _ in
                problem.response()
            }
            try channel.pipeline.syncOperations.addHandler(deadlines)
        }
        let head = HTTPRequest(
            method: method, scheme: "http", authority: "gateway", path: path, headerFields: headers)
        let response = try await responder.respond(
            to: Request(head: head, body: Self.arriving(body, piece)),
            context: GatewayContext(source: .init(channel: channel, logger: gateway.logger)))
        _ = try await channel.finish(acceptAlreadyClosed: true)
        return response
    }

    private static func arriving(_ body: [UInt8], _ piece: Int?) -> RequestBody {
        guard let piece else { return RequestBody(buffer: ByteBuffer(bytes: body)) }
        let (pieces, arrival) = AsyncStream.makeStream(of: ByteBuffer.self)
        for start in stride(from: 0, to: body.count, by: piece) {
            arrival.yield(ByteBuffer(bytes: body[start..<min(start + piece, body.count)]))
        }
        arrival.finish()
        return RequestBody(asyncSequence: pieces)
    }

    /// Returns the responder's whole response. The response must end.
    func ask(
        _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], body: [UInt8] = [],
        piece: Int? = nil
    ) async throws -> Answer {
        let response = try await respond(to: method, path, headers, body: body, piece: piece)
        let text = BodyText()
        try await response.body.write(text)
        return Answer(status: response.status.code, headers: response.headers, text: text.text)
    }

    private final class BodyText: ResponseBodyWriter {
        private(set) var text = ""

        func write(_ buffer: ByteBuffer) { text += String(buffer: buffer) }
        func finish(_ trailer: HTTPFields?) {}
    }

    // MARK: With a server

    /// Serves connections while `body` runs. `body` may block, because other threads serve.
    static func serve(_ settings: [String: String] = [:], _ body: (Edge) throws -> Void) throws {
        let edge = try Edge(settings)
        let port = Mutex(0)
        let isListening = DispatchSemaphore(value: 0)
        let application = edge.gateway.application(connections: edge.gateway.settings.connections) { number in
            port.withLock { $0 = number }
            isListening.signal()
        }
        // Other tests keep the threads of tasks busy for longer than a client waits.
        let server = Task(executorPreference: SerialQueue()) { try await application.run() }
        defer { server.cancel() }
        try #require(isListening.wait(timeout: .now() + .milliseconds(Bounds.patience)) == .success)
        edge.port = UInt16(port.withLock { $0 })
        try body(edge)
    }
}

/// A scripted client of routers: records the requests, and answers as the test says.
final class ScriptedRouter: RouterClient {
    struct Request {
        let header: RequestHeader
        let image: [UInt8]?
    }

    typealias Answer = @Sendable (RequestHeader) -> ResultDocument

    static let success: Answer = { ResultDocument(id: $0.id, status: .ok) }

    let routers = ["ipc://script"]
    private let answer: Answer
    private let asked = Mutex<[Request]>([])

    init(_ answer: @escaping Answer) {
        self.answer = answer
    }

    /// The requests in order of arrival.
    var requests: [Request] { asked.withLock { $0 } }

    func request(_ header: RequestHeader, image: [UInt8]?) -> [UInt8] {
        asked.withLock { $0.append(Request(header: header, image: image)) }
        return answer(header).encoded()
    }

    func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) -> [UInt8] {
        request(header, image: image)
    }
}

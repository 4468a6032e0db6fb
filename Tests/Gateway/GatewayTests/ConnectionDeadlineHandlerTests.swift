import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import Synchronization
import Testing

@testable import Gateway

@Suite final class ConnectionDeadlineHandlerTests {
    private let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(
            handler: ConnectionDeadlineHandler(timeout: .seconds(10), largestBody: 1000) { problem, _ in
                problem.response()
            })
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    /// An open channel and its pipeline retain each other.
    deinit {
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private func receive(_ part: HTTPRequestPart) throws {
        try channel.writeInbound(part)
    }

    private func head(_ fields: HTTPFields = [:]) -> HTTPRequestPart {
        .head(HTTPRequest(method: .post, scheme: "http", authority: "a", path: "/", headerFields: fields))
    }

    private func answer() throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    private func sent() throws -> [HTTPResponsePart] {
        var parts: [HTTPResponsePart] = []
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) { parts.append(part) }
        return parts
    }

    private func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    @Test func connectionWithoutARequestIsClosed() {
        pass(9)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func slowBodyGets408AndTheConnectionEnds() throws {
        try receive(head())
        for _ in 0..<10 {
            try receive(.body(ByteBuffer(bytes: [1])))
            pass(1)
        }
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.status == .requestTimeout)
        #expect(head.headerFields[.connection] == "close")
        pass(2)
        #expect(!channel.isActive)
    }

    @Test func aSteadyBodyMayTakeLonger() throws {
        try receive(head())
        for _ in 0..<30 {
            try receive(.body(ByteBuffer(repeating: 0, count: 20_000)))
            pass(1)
        }
        try receive(.end(nil))
        #expect(try sent().isEmpty)
        try answer()
        #expect(try sent().count == 2)
        #expect(channel.isActive)
    }

    @Test func anAnswerHasNoDeadline() throws {
        try receive(head())
        try receive(.end(nil))
        pass(600)
        #expect(channel.isActive)
        try answer()
        pass(9)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func aRefusedClientThatKeepsSendingIsDisconnected() throws {
        try receive(head())
        try receive(.body(ByteBuffer(bytes: [1])))
        try answer()
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.headerFields[.connection] == "close")
        try receive(.body(ByteBuffer(bytes: [2])))
        #expect(channel.isActive)
        pass(2)
        #expect(!channel.isActive)
    }

    @Test func expectContinueIsAnsweredOnlyForABodyWithinTheLimit() throws {
        try receive(head([.expect: "100-continue", .contentLength: "1000"]))
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.status == .continue)
        try receive(.end(nil))
        try answer()
        _ = try sent()
        try receive(self.head([.expect: "100-continue", .contentLength: "1001"]))
        #expect(try sent().isEmpty)
    }

    // MARK: Requests that cannot be read

    /// Writes what the server writes when it reaches an error.
    private func answerMalformed() throws {
        #expect(throws: HTTPParserError.self) { try channel.throwIfErrorCaught() }
        let head = HTTPResponse(status: .badRequest, headerFields: [.connection: "close", .contentLength: "0"])
        try channel.writeOutbound(HTTPResponsePart.head(head))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    private func fail(_ error: HTTPParserError) { channel.pipeline.fireErrorCaught(error) }

    @Test(arguments: [(HTTPParserError.headerOverflow, 431), (.invalidMethod, 400), (.unknown, 400)])
    func aMalformedHeadIsAnsweredWithTheReasonAndTheConnectionEnds(_ error: HTTPParserError, _ status: Int) throws {
        fail(error)
        try answerMalformed()
        let parts = try sent()
        #expect(parts.count == 3)
        guard case .head(let head)? = parts.first, case .body(let body) = parts[1] else {
            preconditionFailure("nothing was answered")
        }
        #expect(head.status.code == status)
        #expect(head.headerFields[.connection] == "close")
        #expect(head.headerFields[.contentLength] == "\(body.readableBytes)")
        pass(2)
        #expect(!channel.isActive)
    }

    @Test func aMalformedHeadIsAnsweredAfterEarlierRequests() throws {
        try receive(head())
        try receive(.end(nil))
        fail(.invalidMethod)
        // The parser reports an invalid version twice.
        fail(.invalidVersion)
        #expect(throws: HTTPParserError.self) { try channel.throwIfErrorCaught() }
        try answer()
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.status == .ok)
        #expect(head.headerFields[.connection] == nil)
        fail(.unknown)
        try answerMalformed()
        #expect(try sent().count == 3)
        pass(2)
        #expect(!channel.isActive)
    }

    @Test func aMalformedBodyGetsTheAnswerOfItsRequest() throws {
        try receive(head())
        fail(.invalidChunkSize)
        try answerMalformed()
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.headerFields[.contentLength] == "0")
        pass(2)
        #expect(!channel.isActive)
    }

    // MARK: Clients that disconnect

    private final class Flag: Sendable {
        private let value = Atomic(false)

        var isSet: Bool { value.load(ordering: .relaxed) }

        func set() { value.store(true, ordering: .relaxed) }
    }

    /// Receives a whole request, and sets the returned flag when its client disconnects.
    private func watchedRequest() throws -> Flag {
        let flag = Flag()
        try receive(head())
        try receive(.end(nil))
        let event = ConnectionDeadlineHandler.OnDeparture { flag.set() }
        try channel.triggerUserOutboundEvent(event).wait()
        return flag
    }

    private func endInput() { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }

    @Test func aRequestIsNotifiedWhenItsClientDisconnects() throws {
        let flag = try watchedRequest()
        #expect(!flag.isSet)
        _ = try channel.finish()
        #expect(flag.isSet)
    }

    @Test func anAnsweredRequestIsNotNotified() throws {
        let flag = try watchedRequest()
        try answer()
        _ = try channel.finish()
        #expect(!flag.isSet)
    }

    @Test func aHalfClosedClientIsProbedWith102AndAnswered() throws {
        let flag = try watchedRequest()
        endInput()
        guard case .head(let interim)? = try sent().first else { preconditionFailure("nothing was said") }
        #expect(interim.status.code == 102)
        #expect(!flag.isSet)
        try answer()
        guard case .head(let head)? = try sent().first else { preconditionFailure("nothing was answered") }
        #expect(head.status == .ok)
    }

    @Test func aClientHalfClosedBeforeItsRequestIsProbedToo() throws {
        endInput()
        #expect(try sent().isEmpty)
        _ = try watchedRequest()
        #expect(try sent().count == 1)
    }
}

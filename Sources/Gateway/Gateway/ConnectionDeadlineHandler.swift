internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Keeps one connection from holding what it does not use: a request has to come in time, an answer has to be taken in
/// time, and who sends on although it was refused is left. And it tells a request whose client is gone, and a client whose
/// request cannot be read.
///
/// A client that closes its connection and one that only has nothing more to send look alike: their input ends. So that one is
/// told 102, which a client that waits passes over (RFC 9110, 15.2); the system of one that is gone refuses it.
///
/// The time limits are for whole messages: a byte now and then ("slow loris") does not extend them, as it does Hummingbird's
/// `idleTimeout`. A body may take a second more for each 10 kB that have come.
final class ConnectionDeadlineHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The slowest body that is taken.
    private static let bytesPerSecond = 10_000
    /// How long what a refused client still sends is read and thrown away. Without that, the system would break the
    /// connection with the answer unread.
    private static let lingerTime = TimeAmount.seconds(2)

    /// What is to be done when the client is gone before the answer; an outbound event.
    struct OnDeparture: Sendable {
        let run: @Sendable () -> Void
    }

    /// - Parameter address: the client's.
    typealias Refuse = @Sendable (_ problem: Problem, _ address: String) -> Response

    private let timeout: TimeAmount
    private let largestBody: Int
    private let refuse: Refuse
    /// Why the latest request could not be read, until it is answered.
    private var malformed: Problem?
    /// Requests whose head has come and whose answer is not written.
    private var requests = 0
    /// Since when the body of the latest request has been coming.
    private var bodyBegan: NIODeadline?
    private var bodyBytes = 0
    /// Since when the oldest part of an answer has been waiting for the client.
    private var unsent: [NIODeadline] = []
    private var idleSince = NIODeadline.uptimeNanoseconds(0)
    private var lingersUntil: NIODeadline?
    private var isAnswering = false
    private var onDeparture: OnDeparture?
    private var isInputClosed = false
    /// Whether the client knows answers before the answer (1xx): those of HTTP/1.0 do not.
    var takesInterim = true
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - timeout: how long a header may take, from the connection's start or the answer before; how long a body may take,
    ///     besides the second for each 10 kB; and how long a part of an answer may wait to be taken.
    ///   - largestBody: bytes of bodies that clients who ask first (`Expect: 100-continue`) are told to send.
    ///   - refuse: makes the answer to a request that cannot be read.
    init(timeout: Duration, largestBody: Int, refuse: @escaping Refuse) {
        self.timeout = TimeAmount(timeout)
        self.largestBody = largestBody
        self.refuse = refuse
    }

    func handlerAdded(context: ChannelHandlerContext) {
        idleSince = context.eventLoop.now
        schedule(context)
        let pipeline = context.pipeline.syncOperations
        if let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) {
            try? pipeline.addHandler(HeadReader(self), position: .after(decoder))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            requests += 1
            bodyBegan = context.eventLoop.now
            bodyBytes = 0
            let length = head.headerFields[.contentLength].flatMap { Int($0) } ?? 0
            if takesInterim, head.headerFields[.expect]?.lowercased() == "100-continue", length <= largestBody {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body(let bytes): bodyBytes += bytes.readableBytes
        case .end:
            bodyBegan = nil
            if lingersUntil != nil { return context.close(promise: nil) }
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            isInputClosed = true
            probe(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard let event = event as? OnDeparture else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        onDeparture = event
        promise?.succeed()
        probe(context)
    }

    /// A head that cannot be read counts as a request, whose answer comes in its turn: the server writes a 400 without a content
    /// when it gets to the error, which gives its place to the answer that tells what is wrong. (A body that cannot be read has
    /// its request to answer it.)
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError, bodyBegan == nil, lingersUntil == nil {
            malformed = Problem(error)
            requests += 1
            bodyBegan = context.eventLoop.now
            bodyBytes = 0
        }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        onDeparture?.run()
        onDeparture = nil
        context.fireChannelInactive()
    }

    /// Has the system find out whether a client that sends nothing more is still there.
    private func probe(_ context: ChannelHandlerContext) {
        guard isInputClosed, onDeparture != nil, takesInterim else { return }
        let processing = HTTPResponse(status: .init(code: 102, reasonPhrase: "Processing"))
        context.writeAndFlush(wrapOutboundOut(.head(processing)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Nothing more is said on a connection whose end was announced.
        if lingersUntil != nil {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        let promise = promise ?? context.eventLoop.makePromise()
        unsent.append(context.eventLoop.now)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in
            let (connection, _) = bound.value
            if !connection.unsent.isEmpty { connection.unsent.removeFirst() }
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isAnswering = true
            onDeparture = nil
            if let malformed, isEarly { return write(malformed, context, promise) }
            // The answer to a request that has not come to its end: nobody will read the rest.
            if isEarly { head.headerFields[.connection] = "close" }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            isAnswering = false
            let isEarly = isEarly
            requests -= 1
            if requests == 0 { idleSince = context.eventLoop.now }
            context.write(data, promise: promise)
            if isEarly {
                context.flush()
                lingersUntil = context.eventLoop.now + Self.lingerTime
            }
        }
        schedule(context)
    }

    /// Begins the answer to a request that could not be read.
    private func write(_ problem: Problem, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        malformed = nil
        var head = refuse(problem, context.remoteAddress?.ipAddress ?? "unknown").head
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: problem.document))), promise: nil)
    }

    /// Whether the request that is being answered is still coming. (With another behind it, it is not.)
    private var isEarly: Bool { requests == 1 && bodyBegan != nil }

    /// When the connection has taken too long with what it is to do next; nil while it is our turn.
    private var deadline: NIODeadline? {
        if let lingersUntil { return lingersUntil }
        if let oldest = unsent.first { return oldest + timeout }
        if requests == 0 { return idleSince + timeout }
        if requests == 1, let bodyBegan {
            return bodyBegan + timeout + .seconds(Int64(bodyBytes / Self.bytesPerSecond))
        }
        return nil
    }

    /// Looks again at the deadline, or after the time limit if there is none now.
    private func schedule(_ context: ChannelHandlerContext) {
        let next = deadline ?? context.eventLoop.now + timeout
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: next) {
            let (connection, context) = bound.value
            connection.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        guard let deadline, deadline <= context.eventLoop.now else { return schedule(context) }
        guard bodyBegan != nil, requests == 1, !isAnswering, lingersUntil == nil else {
            return context.close(promise: nil)
        }
        let problem = Problem(
            .requestTimeout, code: "body_timeout",
            "the body did not come in time: \(bodyBytes) bytes of it did; send it faster")
        let response = problem.response()
        write(context: context, data: wrapOutboundOut(.head(response.head)), promise: nil)
        write(context: context, data: wrapOutboundOut(.body(ByteBuffer(bytes: problem.document))), promise: nil)
        write(context: context, data: wrapOutboundOut(.end(nil)), promise: nil)
    }
}

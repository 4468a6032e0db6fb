internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Enforces the deadlines of one connection: for receiving a request, for the client to accept a response, and for
/// lingering after an early refusal. It also tells a request that its client has disconnected, and answers requests
/// that cannot be parsed.
///
/// The input ends both when a client closes its connection and when it only has nothing more to send. To tell the two
/// apart, the handler sends an interim response, 102, which a waiting client ignores (RFC 9110, 15.2). If the client
/// has disconnected, its operating system rejects the packet, which ends the connection.
///
/// The time limits apply to whole messages. Unlike Hummingbird's `idleTimeout`, they are not extended by a byte now and
/// then ("slow loris"). A body may take one second longer for each 10 kB received.
final class ConnectionDeadlineHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The lowest transfer rate of a body that the handler accepts.
    private static let bytesPerSecond = 10_000
    /// How long the handler reads and discards what a refused client still sends. Without this, the kernel would reset
    /// the connection before the client has read the response.
    private static let lingerTime = TimeAmount.seconds(2)

    /// An outbound event that sets the action to run when the client disconnects before the response.
    struct OnDeparture: Sendable {
        let run: @Sendable () -> Void
    }

    /// Makes the response to a request that cannot be parsed. `address` is the client's IP address.
    typealias Refuse = @Sendable (_ problem: Problem, _ address: String) -> Response

    private let timeout: TimeAmount
    private let largestBody: Int
    private let refuse: Refuse
    /// Why the latest request could not be parsed; nil once its response has begun.
    private var malformed: Problem?
    /// The number of requests whose head has arrived and whose response is not complete.
    private var requests = 0
    /// When the body of the latest request began to arrive; nil if no body is incomplete.
    private var bodyBegan: NIODeadline?
    private var bodyBytes = 0
    /// When each response part that the client has not accepted yet was written, the oldest first.
    private var unsent: [NIODeadline] = []
    private var idleSince = NIODeadline.uptimeNanoseconds(0)
    private var lingersUntil: NIODeadline?
    private var isAnswering = false
    private var onDeparture: OnDeparture?
    private var isInputClosed = false
    /// Whether the client understands interim responses (1xx). HTTP/1.0 clients do not.
    var takesInterim = true
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - timeout: the time for a header, from the connection's start or the previous response; the time for a body,
    ///     besides one second for each 10 kB; and the time that a response part may wait until the client accepts it.
    ///   - largestBody: the largest body, in bytes, for which a client that sends `Expect: 100-continue` gets 100.
    ///   - refuse: makes the response to a request that cannot be parsed.
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

    /// Counts a head that cannot be parsed as a request, which is answered in order. When the server reaches the error,
    /// it writes a 400 without content; this handler replaces it by a response that says what is wrong. (If a body
    /// cannot be parsed, its request is answered.)
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

    /// Sends an interim response, so that the kernel finds out whether a client whose input has ended is still
    /// connected.
    private func probe(_ context: ChannelHandlerContext) {
        guard isInputClosed, onDeparture != nil, takesInterim else { return }
        let processing = HTTPResponse(status: .init(code: 102, reasonPhrase: "Processing"))
        context.writeAndFlush(wrapOutboundOut(.head(processing)), promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // The response with `Connection: close` was the last one on this connection.
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
            // The rest of the request will not be read.
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

    /// Writes the head and the body of the response to a request that could not be parsed.
    private func write(_ problem: Problem, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        malformed = nil
        var head = refuse(problem, context.remoteAddress?.ipAddress ?? "unknown").head
        head.headerFields[.connection] = "close"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: problem.document))), promise: nil)
    }

    /// Whether the request that is being answered is still arriving. It is not if another request has followed it.
    private var isEarly: Bool { requests == 1 && bodyBegan != nil }

    /// When the client exceeds the time for what the connection waits for; nil while the gateway works.
    private var deadline: NIODeadline? {
        if let lingersUntil { return lingersUntil }
        if let oldest = unsent.first { return oldest + timeout }
        if requests == 0 { return idleSince + timeout }
        if requests == 1, let bodyBegan {
            return bodyBegan + timeout + .seconds(Int64(bodyBytes / Self.bytesPerSecond))
        }
        return nil
    }

    /// Schedules the next check, at the deadline; without a deadline, after the time limit.
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

internal import NIOCore
internal import NIOHTTP1

/// Reads and completes request heads, for what the later handlers cannot see: the HTTP version.
///
/// An HTTP/1.0 request may omit `Host`. This handler then adds an empty one, so that the later handlers can require the
/// field. If a client wants the connection to end, this handler adds `Connection: close`, the only form that the server
/// understands; HTTP/1.0 clients want it by default.
final class HeadReader: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let connection: ConnectionDeadlineHandler

    init(_ connection: ConnectionDeadlineHandler) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        connection.takesInterim = head.version != .http1_0
        if head.version == .http1_0, !head.headers.contains(name: "Host") { head.headers.add(name: "Host", value: "") }
        if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}

internal import NIOCore
internal import NIOHTTP1

/// Reads of a request what the parts behind it do not tell: which HTTP its client speaks. That of version 1.0 need not say which
/// host it means; then an empty Host stands for it, so that behind this all requests are to have one. And a client that wants the
/// connection to end is given the one word for it that the server behind this knows: version 1.0 wants that unasked.
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

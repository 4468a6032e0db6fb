import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(2))) struct SocketOptionsTests {
    @Test(arguments: [Socket.Kind.router, .dealer, .req, .rep, .pair])
    func everySettingIsAcceptedByEveryKind(_ kind: Socket.Kind) throws {
        var options = SocketOptions()
        options.probeRouter = true
        options.routingID = [1, 2, 3]
        options.sendHighWater = 0
        options.receiveHighWater = 5
        options.linger = nil
        options.maxMessageSize = 25_000_000
        options.heartbeat = .init(interval: .seconds(1), timeout: .seconds(3), timeToLive: .seconds(3))
        options.handshakeInterval = nil
        options.tcpKeepAlive = .init(idleSeconds: 10, intervalSeconds: 5, probes: 3)
        options.reconnectMinimum = .microseconds(1500)
        options.reconnectMaximum = .zero
        options.immediate = true
        options.ipv6 = true
        options.zapDomain = "bifrons"
        let context = try Context()
        let socket = try Socket(kind, context: context, options: options)
        #expect(socket.kind == kind)
    }

    @Test func heartbeatsKeepAnIdleConnectionAndLetMessagesThrough() throws {
        let context = try Context()
        var options = SocketOptions()
        options.heartbeat = .init(interval: .milliseconds(10), timeout: .seconds(20))
        let router = try Socket(.router, context: context, options: options)
        try router.bind("tcp://127.0.0.1:*")
        let monitor = try router.monitor([.disconnected])
        let dealer = try Socket(.dealer, context: context, options: options)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("before")
        _ = try router.next()
        let ended = try monitor.wait(milliseconds: 100)
        #expect(!ended)
        try dealer.send("after")
        let message = try router.next()
        #expect(message.string(at: 1) == "after")
    }
}

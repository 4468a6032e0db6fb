import Glibc
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
        options.connectTimeout = nil
        options.handshakeInterval = nil
        options.tcpKeepAlive = .init(idleSeconds: 10, intervalSeconds: 5, probes: 3)
        options.tcpAcknowledgementTimeout = .seconds(40)
        options.reconnectMinimum = .microseconds(1500)
        options.reconnectMaximum = .zero
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

    @Test func aConnectionThatTCPDoesNotMakeIsTriedAnew() throws {
        // A machine that has gone answers no SYN; neither does a listener whose queue, here of one, is full.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 0) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        try #require(isListening)
        let endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"

        let context = try Context()
        let first = try Socket(.dealer, context: context)
        let firstMonitor = try first.monitor([.connected])
        try first.connect(endpoint)
        _ = try firstMonitor.next(.connected)
        var options = SocketOptions()
        options.connectTimeout = .milliseconds(50)
        let second = try Socket(.dealer, context: context, options: options)
        let secondMonitor = try second.monitor([.connected, .connectRetried])
        try second.connect(endpoint)
        let event = try secondMonitor.next(.connected, .connectRetried)
        #expect(event.kind == .connectRetried)
    }

    @Test func tcpWatchesThePeersOfASocketThatSaysSo() throws {
        let context = try Context()
        var options = SocketOptions()
        options.tcpKeepAlive = .init(idleSeconds: 11, intervalSeconds: 12, probes: 3)
        options.tcpAcknowledgementTimeout = .seconds(40)
        let router = try Socket(.router, context: context, options: options)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("hello")
        let message = try router.next()
        let descriptor = try #require(message.sourceDescriptor)
        func option(_ level: Int32, _ name: Int32) -> Int32 {
            var (value, size) = (Int32(-1), socklen_t(MemoryLayout<Int32>.size))
            return getsockopt(descriptor, level, name, &value, &size) == 0 ? value : -1
        }
        let tcp = Int32(IPPROTO_TCP)
        #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(tcp, TCP_KEEPIDLE) == 11 && option(tcp, TCP_KEEPINTVL) == 12 && option(tcp, TCP_KEEPCNT) == 3)
        #expect(option(tcp, TCP_USER_TIMEOUT) == 40_000)
    }

    @Test func aPeerThatAnswersNoPingLosesItsConnection() throws {
        let context = try Context()
        let folder = try TemporaryFolder()
        var options = SocketOptions()
        options.heartbeat = .init(interval: .milliseconds(50), timeout: .milliseconds(200))
        let router = try Socket(.router, context: context, options: options)
        let monitor = try router.monitor()
        try router.bind("ipc://\(folder.path)/silent")
        let silent = try connectSilently(to: "\(folder.path)/silent")
        defer { close(silent) }
        // All of a DEALER's handshake, and nothing more.
        let ready = [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        let greeting = [0xFF] + Array(repeating: 0, count: 8) + [0x7F, 3, 0] + Array("NULL".utf8)
        let handshake = greeting + Array(repeating: 0, count: 48) + [4, UInt8(ready.count)] + ready
        try #require(write(silent, handshake, handshake.count) == handshake.count)
        let accepted = try monitor.next(.accepted)
        _ = try monitor.next(.handshakeSucceeded)
        let ended = try monitor.next(.disconnected)
        #expect(ended.descriptor == accepted.descriptor)
    }
}

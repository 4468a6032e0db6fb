import BifronsZeroMQ
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct SocketOptionsTests {
    @Test(arguments: [Socket.Kind.router, .dealer, .req, .rep, .pair])
    func everyOptionIsAcceptedByEveryKindOfSocket(_ kind: Socket.Kind) throws {
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

    @Test func aTCPConnectionThatTimesOutIsRetried() throws {
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

    @Test func tcpKeepAliveAndTimeoutApplyToAcceptedConnections() throws {
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

    /// The bytes that docs/protocol.md shows of ZMTP's heartbeat.
    private static let ping: [UInt8] = [0x04, 0x07, 0x04, 0x50, 0x49, 0x4E, 0x47, 0x00, 0x00]
    private static let pong: [UInt8] = [0x04, 0x05, 0x04, 0x50, 0x4F, 0x4E, 0x47]
    /// PING with a time to live of 1 s and the context "abc", and what libzmq answers.
    private static let pingWithContext: [UInt8] = [
        0x04, 0x0A, 0x04, 0x50, 0x49, 0x4E, 0x47, 0x00, 0x0A, 0x61, 0x62, 0x63,
    ]
    private static let pongWithContext: [UInt8] = [0x04, 0x08, 0x04, 0x50, 0x4F, 0x4E, 0x47, 0x61, 0x62, 0x63]

    @Test func theProtocolDocumentShowsTheHeartbeatBytes() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let file = try #require(fopen("\(root)/docs/protocol.md", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let page = String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
        for frame in [Self.ping, Self.pong, Self.pingWithContext, Self.pongWithContext] {
            let digits = frame.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            #expect(page.contains("    0000  \(digits) "), "\(digits)")
        }
    }

    /// A router that sends PINGs, and a peer without libzmq whose handshake is done.
    private func withPeer(
        _ body: (_ peer: Int32, _ router: borrowing Socket, _ monitor: borrowing Monitor) throws -> Void
    ) throws {
        let context = try Context()
        let folder = try TemporaryFolder()
        var options = SocketOptions()
        options.heartbeat = .init(interval: .milliseconds(100), timeout: .milliseconds(1500))
        let router = try Socket(.router, context: context, options: options)
        let monitor = try router.monitor()
        try router.bind("ipc://\(folder.path)/peer")
        let peer = try connectSilently(to: "\(folder.path)/peer")
        defer { close(peer) }
        // All of a DEALER's handshake.
        let ready = [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        let greeting = [0xFF] + Array(repeating: 0, count: 8) + [0x7F, 3, 0] + Array("NULL".utf8)
        try send(greeting + Array(repeating: 0, count: 48) + [4, UInt8(ready.count)] + ready, to: peer)
        _ = try monitor.next(.handshakeSucceeded)
        try body(peer, router, monitor)
    }

    private func send(_ bytes: [UInt8], to peer: Int32) throws {
        try #require(Glibc.send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    /// What the router sends next; nil if it is none within the time, or the end.
    private func receive(from peer: Int32) -> [UInt8]? {
        var item = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, 20_000) == 1 else { return nil }
        var buffer: [UInt8] = Array(repeating: 0, count: 4096)
        let count = recv(peer, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    @Test func aPeerThatAnswersNoPingLosesItsConnection() throws {
        try withPeer { _, _, monitor in
            let ended = try monitor.next(.disconnected)
            #expect(ended.kind == .disconnected)
        }
    }

    @Test func aPeerThatAnswersEveryPingKeepsItsConnection() throws {
        try withPeer { peer, router, monitor in
            // Behind the greeting and READY; then for nearly three times as long as a silent one lives.
            var received: [UInt8] = []
            for _ in 0..<40 {
                while received.count < Self.ping.count || !received.suffix(Self.ping.count).elementsEqual(Self.ping) {
                    received += try #require(receive(from: peer))
                }
                received = []
                try send(Self.pong, to: peer)
            }
            try send([0x00, 0x02] + Array("hi".utf8), to: peer)
            let message = try router.next()
            #expect(message.string(at: 1) == "hi")
            var events: [MonitorEvent.Kind] = []
            while let event = try monitor.receive() { events.append(event.kind) }
            #expect(!events.contains(.disconnected))
        }
    }

    @Test func aPongEchoesTheContextOfItsPing() throws {
        try withPeer { peer, _, _ in
            try send(Self.pingWithContext, to: peer)
            var received: [UInt8] = []
            while received.count < 200, !received.contains(Self.pongWithContext) {
                guard let more = receive(from: peer) else { break }
                received += more
            }
            #expect(received.contains(Self.pongWithContext))
        }
    }
}

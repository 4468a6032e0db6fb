import BifronsZeroMQ
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct ConnectionDescriptorTests {
    let context: Context
    let folder: TemporaryFolder

    init() throws {
        context = try Context()
        folder = try TemporaryFolder()
    }

    @Test(arguments: [Transport.tcp, .ipc])
    func endingOneConnectionKeepsTheOthers(_ transport: Transport) throws {
        let router = try Socket(.router, context: context)
        let monitor = try router.monitor([.accepted, .disconnected])
        try router.bind(transport.endpoint(in: folder))
        let staying = try Socket(.dealer, context: context)
        try staying.connect(router.lastEndpoint)
        _ = try monitor.next(.accepted)
        let leaving = try Socket(.dealer, context: context)
        try leaving.connect(router.lastEndpoint)
        let accepted = try #require(try monitor.next(.accepted).descriptor)
        ConnectionDescriptor(accepted).end()
        let ended = try monitor.next(.disconnected)
        #expect(ended.descriptor == accepted)
        try staying.send("still here")
        let message = try router.next()
        #expect(message.string(at: 1) == "still here")
    }

    /// Without a reset it might wait for room that nobody tells it of: that depends on when the system last looked for some.
    @Test func aPeerWithAFullSendWindowNoticesTheEnd() throws {
        let (sending, receiving) = try connectedOverTCP()
        defer { close(sending) }
        let block: [UInt8] = Array(repeating: 0, count: 1 << 16)
        while send(sending, block, block.count, Int32(MSG_DONTWAIT)) > 0 {}
        #expect(errno == EAGAIN)
        ConnectionDescriptor(receiving).end()
        var closing = linger()
        var size = socklen_t(MemoryLayout<linger>.size)
        #expect(getsockopt(receiving, SOL_SOCKET, SO_LINGER, &closing, &size) == 0)
        #expect(closing.l_onoff != 0 && closing.l_linger == 0, "close() would not reset the connection")
        // What libzmq does then: it reads to the end, and closes.
        var buffer = block
        while recv(receiving, &buffer, buffer.count, 0) > 0 {}
        close(receiving)
        var told = pollfd(fd: sending, events: 0, revents: 0)
        #expect(poll(&told, 1, Int32(patience)) == 1)
        #expect(told.revents & Int16(POLLERR | POLLHUP) != 0)
    }

    /// Both descriptors of a connection on this machine.
    private func connectedOverTCP() throws -> (dialled: Int32, accepted: Int32) {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listening) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let dialled = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let results = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                [
                    bind(listening, $0, size), listen(listening, 1), getsockname(listening, $0, &size),
                    connect(dialled, $0, size),
                ]
            }
        }
        try #require(results == [0, 0, 0, 0])
        let accepted = accept(listening, nil, nil)
        try #require(accepted >= 0)
        return (dialled, accepted)
    }

    @Test func receivedBytesAreCounted() throws {
        let router = try Socket(.router, context: context)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        var bytes: [UInt64] = []
        for _ in 0..<2 {
            _ = try dealer.send(Message([String(repeating: "x", count: 100_000)]))
            let descriptor = try #require(try router.next().sourceDescriptor)
            bytes.append(try #require(ConnectionDescriptor(descriptor).bytesReceived))
        }
        #expect((100_000..<110_000).contains(bytes[0]))
        #expect((100_000..<100_100).contains(bytes[1] - bytes[0]))
    }

    @Test func ipcConnectionsHaveNoByteCount() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/uncounted")
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("hello")
        let descriptor = try #require(try router.next().sourceDescriptor)
        #expect(ConnectionDescriptor(descriptor).bytesReceived == nil)
        #expect(ConnectionDescriptor(-1).bytesReceived == nil)
    }
}

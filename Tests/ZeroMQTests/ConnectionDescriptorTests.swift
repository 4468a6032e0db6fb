import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(2))) struct ConnectionDescriptorTests {
    let context: Context
    let folder: TemporaryFolder

    init() throws {
        context = try Context()
        folder = try TemporaryFolder()
    }

    @Test(arguments: [Transport.tcp, .ipc])
    func endingOneConnectionLeavesTheOthers(_ transport: Transport) throws {
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

    @Test func bytesThatArriveAreCounted() throws {
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

    @Test func whereTheSystemDoesNotCountThereIsNoNumber() throws {
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

import BifronsZeroMQ
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct MonitorTests {
    let context: Context
    let folder: TemporaryFolder

    init() throws {
        context = try Context()
        folder = try TemporaryFolder()
    }

    /// How a router learns of a worker's death.
    @Test(arguments: [Transport.tcp, .ipc])
    func aDisconnectionIsReportedWithTheDescriptorOfItsMessages(_ transport: Transport) throws {
        let router = try Socket(.router, context: context)
        try router.bind(transport.endpoint(in: folder))
        let monitor = try router.monitor()
        let staying = try Socket(.dealer, context: context)
        try staying.connect(router.lastEndpoint)
        try staying.send("staying")
        let one = try router.next()
        let leaving = try Socket(.dealer, context: context)
        try leaving.connect(router.lastEndpoint)
        try leaving.send("leaving", "with more", "frames")
        let other = try router.next()

        let accepted = try [monitor.next(.accepted).descriptor, monitor.next(.accepted).descriptor]
        #expect(one.sourceDescriptor != nil)
        #expect(other.sourceDescriptor != nil)
        #expect(accepted == [one.sourceDescriptor, other.sourceDescriptor])

        leaving.close()
        let end = try monitor.next(.disconnected)
        #expect(end.descriptor == other.sourceDescriptor)
        try staying.send("still here")
        let later = try router.next()
        #expect(later.sourceDescriptor == one.sourceDescriptor)
    }

    @Test func theOldDisconnectionOfAReusedDescriptorIsReportedBeforeNewMessages() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/reuse")
        let monitor = try router.monitor([.disconnected])
        for _ in 0..<50 {
            let dealer = try Socket(.dealer, context: context)
            try dealer.connect(router.lastEndpoint)
            try dealer.send("hello")
            let first = try router.next()
            dealer.close()
            let next = try Socket(.dealer, context: context)
            try next.connect(router.lastEndpoint)
            try next.send("hello")
            let second = try router.next()
            var ended: [Int32?] = []
            while let event = try monitor.receive() { ended.append(event.descriptor) }
            if first.sourceDescriptor == second.sourceDescriptor { #expect(ended.contains(first.sourceDescriptor)) }
        }
    }

    @Test func theConnectingSideReportsItsEventsToo() throws {
        let dealer = try Socket(.dealer, context: context)
        let monitor = try dealer.monitor([.connected, .handshakeSucceeded, .disconnected, .connectRetried])
        let router = try Socket(.router, context: context)
        try router.bind("tcp://127.0.0.1:*")
        try dealer.connect(router.lastEndpoint)
        let connected = try monitor.next(.connected)
        #expect(connected.endpoint == router.lastEndpoint)
        #expect(connected.descriptor != nil)
        _ = try monitor.next(.handshakeSucceeded)
        router.close()
        let end = try monitor.next(.disconnected)
        #expect(end.descriptor == connected.descriptor)
        let retried = try monitor.next(.connectRetried)
        #expect(retried.value >= 100)
        #expect(retried.descriptor == nil)
    }

    @Test func onlyRequestedKindsOfEventsAreReported() throws {
        let router = try Socket(.router, context: context)
        let monitor = try router.monitor([.handshakeSucceeded])
        try router.bind("ipc://\(folder.path)/kinds")
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        try #require(try monitor.wait(milliseconds: patience))
        let event = try monitor.receive()
        #expect(event?.kind == .handshakeSucceeded)
        let more = try monitor.receive()
        #expect(more == nil)
    }

    @Test func aSilentConnectionFailsItsHandshake() throws {
        var options = SocketOptions()
        options.handshakeInterval = .milliseconds(50)
        let router = try Socket(.router, context: context, options: options)
        try router.bind("ipc://\(folder.path)/silent")
        let monitor = try router.monitor()
        let silent = try connectSilently(to: "\(folder.path)/silent")
        defer { close(silent) }
        let accepted = try monitor.next(.accepted)
        let failed = try monitor.next(.handshakeFailedNoDetail, .disconnected)
        #expect(failed.kind == .handshakeFailedNoDetail)
        let end = try monitor.next(.disconnected)
        #expect(end.descriptor == accepted.descriptor)
    }

    @Test func closingTheSocketIsReported() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/stopped")
        let monitor = try router.monitor()
        router.close()
        _ = try monitor.next(.closed)
        _ = try monitor.next(.monitorStopped)
    }

    @Test func aSocketKeepsWorkingAfterItsMonitorIsReleased() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/forgotten")
        for _ in 0..<3 {
            let monitor = try router.monitor()
            let dealer = try Socket(.dealer, context: context)
            try dealer.connect(router.lastEndpoint)
            _ = try monitor.next(.handshakeSucceeded)
        }
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("hello")
        let message = try router.next()
        #expect(message.string(at: 1) == "hello")
    }

    @Test func unreadEventsBeyondTheHighWaterMarkBlockNothing() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/many")
        let monitor = try router.monitor()
        for _ in 0..<1100 {
            let dealer = try Socket(.dealer, context: context)
            try dealer.connect(router.lastEndpoint)
            try dealer.send("hello")
            _ = try router.next()
        }
        var accepted = 0
        while accepted < 1100 {
            _ = try monitor.next(.accepted)
            accepted += 1
        }
    }
}

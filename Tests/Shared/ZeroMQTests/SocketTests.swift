import BifronsZeroMQ
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct SocketTests {
    let context: Context
    let folder: TemporaryFolder

    init() throws {
        context = try Context()
        folder = try TemporaryFolder()
    }

    @Test(arguments: Transport.allCases)
    func aRequestReachesTheRouterAndItsReplyComesBack(_ transport: Transport) throws {
        let router = try Socket(.router, context: context)
        try router.bind(transport.endpoint(in: folder))
        let request = try Socket(.req, context: context)
        try request.connect(router.lastEndpoint)

        try request.send("hello")
        let received = try router.next()
        #expect(received.strings.dropFirst() == ["", "hello"])

        let reply = Message()
        reply.appendFrames(sharing: received, 0..<2)
        reply.append("world")
        let outcome = try router.send(reply)
        #expect(outcome == .sent)
        #expect(reply.isEmpty)
        let answer = try request.next()
        #expect(answer.strings == ["world"])
    }

    @Test(arguments: Transport.allCases)
    func anEnvelopeAndEveryFrameComeBackAsTheyWereSent(_ transport: Transport) throws {
        let router = try Socket(.router, context: context)
        try router.bind(transport.endpoint(in: folder))
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)

        let frames = [[1, 2, 3], [], [0xFF]] + MessageTests.sizes.map(MessageTests.pattern) + [[]]
        let message = Message()
        for _ in 0..<50 {
            for frame in frames { message.append(frame) }
            let sent = try dealer.send(message)
            #expect(sent == .sent)
            let received = try router.next()
            #expect(Array(received.arrays.dropFirst()) == frames)
            let returned = try router.send(received)
            #expect(returned == .sent)
            let back = try dealer.next()
            #expect(back.arrays == frames)
        }
    }

    /// libzmq takes notice of what its own threads have done at every hundredth receive only, so it takes many.
    @Test func aConnectionThatEndsWhileMessagesAreReadTruncatesNoMessage() throws {
        var options = SocketOptions()
        options.reconnectMinimum = .milliseconds(1)
        options.reconnectMaximum = .milliseconds(1)
        let dealer = try Socket(.dealer, context: context, options: options)
        let endpoint = Transport.ipc.endpoint(in: folder)
        try dealer.connect(endpoint)
        let isOver = Atomic(false)
        try onAnotherThread { [context] in
            defer { isOver.store(true, ordering: .relaxed) }
            do {
                for _ in 0..<50 {
                    let router = try Socket(.router, context: context)
                    try router.bind(endpoint)
                    let peer = try router.next().array(at: 0)
                    for _ in 0..<3000 {
                        let message = Message()
                        message.append(peer)
                        message.append("header")
                        message.append("image")
                        guard try router.send(message) == .sent else { break }
                    }
                }
            } catch {
                Issue.record(error)
            }
        } meanwhile: {
            let message = Message()
            while !isOver.load(ordering: .relaxed) {
                message.append("hello")
                _ = try dealer.send(message)
                guard try dealer.wait(milliseconds: 10) else { continue }
                while try dealer.receive(into: message) { #expect(message.count == 2) }
            }
        }
    }

    @Test func framesBeyondTheLimitAreDroppedAndCounted() throws {
        let receiver = try Socket(.dealer, context: context)
        try receiver.bind("inproc://frames")
        let sender = try Socket(.dealer, context: context)
        try sender.connect("inproc://frames")
        try sender.send("a", "b", "c", "d", "e", "f")
        try sender.send("next")
        let cut = try receiver.next(maxFrames: 4)
        #expect(cut.strings == ["a", "b", "c", "d"])
        #expect(cut.droppedFrames == 2)
        let whole = try receiver.next(maxFrames: 4)
        #expect(whole.strings == ["next"])
        #expect(whole.droppedFrames == 0)
    }

    @Test func aMessageOfExactlyTheFrameLimitIsKept() throws {
        let receiver = try Socket(.dealer, context: context)
        try receiver.bind("inproc://frames")
        let sender = try Socket(.dealer, context: context)
        try sender.connect("inproc://frames")
        try sender.send("a", "b", "c", "d")
        let message = try receiver.next(maxFrames: 4)
        #expect(message.strings == ["a", "b", "c", "d"])
        #expect(message.droppedFrames == 0)
    }

    @Test func receivingFromAnEmptyQueueEmptiesTheMessage() throws {
        let socket = try Socket(.dealer, context: context)
        try socket.bind("inproc://nothing")
        let message = Message(["old"])
        let received = try socket.receive(into: message)
        #expect(!received)
        #expect(message.isEmpty)
    }

    @Test func sendingToAFullQueueWouldBlockAndKeepsTheMessage() throws {
        var options = SocketOptions()
        options.sendHighWater = 3
        let dealer = try Socket(.dealer, context: context, options: options)
        try dealer.connect("ipc://\(folder.path)/nobody")
        let message = Message()
        for _ in 0..<3 {
            for frame in ["a", "b", "c", "d"] { message.append(frame) }
            let outcome = try dealer.send(message)
            #expect(outcome == .sent)
        }
        for frame in ["w", "x", "y", "z"] { message.append(frame) }
        let outcome = try dealer.send(message)
        #expect(outcome == .wouldBlock)
        #expect(message.strings == ["w", "x", "y", "z"])
        let writable = try dealer.wait(for: .writable, milliseconds: 0)
        #expect(!writable)
    }

    @Test func sendingWithoutAPeerWouldBlock() throws {
        let dealer = try Socket(.dealer, context: context)
        try dealer.bind("ipc://\(folder.path)/alone")
        let outcome = try dealer.send(Message(["a"]))
        #expect(outcome == .wouldBlock)
    }

    @Test func sendingToAPeerWithAFullQueueWouldBlock() throws {
        var options = SocketOptions()
        options.sendHighWater = 1
        options.receiveHighWater = 1
        let router = try Socket(.router, context: context, options: options)
        try router.bind("inproc://full")
        options.routingID = Array("peer".utf8)
        let dealer = try Socket(.dealer, context: context, options: options)
        try dealer.connect("inproc://full")
        try dealer.send("here I am")
        _ = try router.next()

        var sent = 0
        while try router.send(Message(["peer", "\(sent)"])) == .sent { sent += 1 }
        #expect(sent == 2)  // one for either side's mark
        let refused = Message(["peer", "2"])
        let outcome = try router.send(refused)
        #expect(outcome == .wouldBlock)
        #expect(refused.strings == ["peer", "2"])
        for expected in 0..<2 {
            let message = try dealer.next()
            #expect(message.strings == ["\(expected)"])
        }
        try #require(try router.wait(for: .writable, milliseconds: patience))
        let again = try router.send(refused)
        #expect(again == .sent)
    }

    @Test func sendingToAnUnknownPeerIsUnroutableAndKeepsTheMessage() throws {
        let router = try Socket(.router, context: context)
        try router.bind("inproc://unknown")
        let message = Message(["nobody", "", "hello"])
        let outcome = try router.send(message)
        #expect(outcome == .unroutable)
        #expect(message.strings == ["nobody", "", "hello"])
    }

    @Test func aDisconnectedPeerIsUnroutable() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/gone")
        let monitor = try router.monitor()
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("hello")
        let message = try router.next()
        dealer.close()
        _ = try monitor.next(.disconnected)
        // The socket learns of it a moment after the monitor does: let it look at its commands.
        var outcome = Socket.SendOutcome.sent
        for _ in 0..<1000 where outcome != .unroutable {
            let reply = Message()
            reply.appendFrames(sharing: message, 0..<2)
            outcome = try router.send(reply)
            _ = try router.wait(milliseconds: 1)
        }
        #expect(outcome == .unroutable)
    }

    @Test func aRouterWithoutMandatoryRoutingDropsSilently() throws {
        var options = SocketOptions()
        options.routerMandatory = false
        let router = try Socket(.router, context: context, options: options)
        try router.bind("inproc://silent")
        let message = Message(["nobody", "hello"])
        let outcome = try router.send(message)
        #expect(outcome == .sent)
        #expect(message.isEmpty)
    }

    @Test func aProbeAnnouncesANewPeerToTheRouter() throws {
        let router = try Socket(.router, context: context)
        try router.bind("ipc://\(folder.path)/probe")
        var options = SocketOptions()
        options.probeRouter = true
        options.routingID = Array("prober".utf8)
        let dealer = try Socket(.dealer, context: context, options: options)
        try dealer.connect(router.lastEndpoint)
        let probe = try router.next()
        #expect(probe.strings == ["prober", ""])
    }

    @Test(.enabled(if: hasIPv6Loopback(), "this machine has no ::1"))
    func socketsConnectOverIPv6() throws {
        var options = SocketOptions()
        options.ipv6 = true
        let router = try Socket(.router, context: context, options: options)
        try router.bind("tcp://[::1]:*")
        #expect(router.lastEndpoint.hasPrefix("tcp://[::1]:"))
        let dealer = try Socket(.dealer, context: context, options: options)
        try dealer.connect(router.lastEndpoint)
        try dealer.send("ping")
        let ping = try router.next()
        let outcome = try router.send(ping)
        #expect(outcome == .sent)
        let pong = try dealer.next()
        #expect(pong.strings == ["ping"])
    }

    @Test func lastEndpointNamesAPortChosenByTheSystem() throws {
        let router = try Socket(.router, context: context)
        #expect(router.lastEndpoint == "")
        try router.bind("tcp://127.0.0.1:*")
        #expect(router.lastEndpoint.hasPrefix("tcp://127.0.0.1:"))
        #expect(!router.lastEndpoint.hasSuffix("*"))
        let endpoint = router.lastEndpoint
        try router.unbind(endpoint)
        // Freed for another one, at the latest when the first is closed.
        router.close()
    }

    @Test func aFrameBeyondTheSizeLimitEndsTheConnection() throws {
        var options = SocketOptions()
        options.maxMessageSize = 1000
        let router = try Socket(.router, context: context, options: options)
        try router.bind("tcp://127.0.0.1:*")
        let monitor = try router.monitor([.disconnected])
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        let message = Message()
        message.append(MessageTests.pattern(1000))
        _ = try dealer.send(message)
        let fits = try router.next()
        #expect(fits.byteCount(at: 1) == 1000)
        message.append(MessageTests.pattern(1001))
        _ = try dealer.send(message)
        let event = try monitor.next(.disconnected)
        #expect(event.descriptor == fits.sourceDescriptor)
        let more = try router.wait(milliseconds: 0)
        #expect(!more)
    }

    @Test func unsentMessagesDoNotDelayTheEndOfTheContext() throws {
        let context = try Context()
        for _ in 0..<3 {
            let dealer = try Socket(.dealer, context: context)
            try dealer.connect("ipc://\(folder.path)/nobody")
            try dealer.send("for nobody")
        }
        // The test's time limit is the assertion: the context ends here.
    }

    @Test func lingerSendsQueuedMessagesBeforeTheContextEnds() throws {
        let receiver = try Socket(.dealer, context: context)
        try receiver.bind("ipc://\(folder.path)/linger")
        do {
            let own = try Context()
            var options = SocketOptions()
            options.linger = .seconds(20)
            let sender = try Socket(.dealer, context: own, options: options)
            try sender.connect(receiver.lastEndpoint)
            for number in 0..<100 { try sender.send("\(number)") }
        }
        for number in 0..<100 {
            let message = try receiver.next()
            #expect(message.strings == ["\(number)"])
        }
    }
}

import BifronsZeroMQ
import Testing

@Suite(.timeLimit(.minutes(2))) struct CurveTests {
    @Test func keysHave40CharactersAndThePublicKeyDerivesFromTheSecretKey() throws {
        let pair = try Curve.makeKeyPair()
        #expect(Curve.isKey(pair.publicKey))
        #expect(Curve.isKey(pair.secretKey))
        #expect(pair.publicKey != pair.secretKey)
        let derived = try Curve.publicKey(of: pair.secretKey)
        #expect(derived == pair.publicKey)
    }

    @Test(arguments: [
        "", "short", String(repeating: "é", count: 20), String(repeating: "a", count: 41),
        String(repeating: "\"", count: 40), String(repeating: "a", count: 39) + "\u{0}",
    ])
    func invalidKeysAreRefusedWithTheOptionsName(_ text: String) throws {
        #expect(!Curve.isKey(text))
        #expect(throws: ZeroMQError.self) { _ = try Curve.publicKey(of: text) }
        var options = SocketOptions()
        options.curve = .server(secretKey: text)
        let context = try Context()
        do throws(ZeroMQError) {
            _ = try Socket(.router, context: context, options: options)
            Issue.record("no error")
        } catch {
            #expect(error.subject == "curve.secretKey")
            #expect(error.code == .invalidArgument)
        }
    }

    @Test func secretKeysAreNotPrinted() throws {
        let pair = try Curve.makeKeyPair()
        var options = SocketOptions()
        options.curve = .client(serverKey: pair.publicKey, publicKey: pair.publicKey, secretKey: pair.secretKey)
        #expect(!"\(options)".contains(pair.secretKey))
        options.curve = .server(secretKey: pair.secretKey)
        #expect(!"\(options)".contains(pair.secretKey))
        #expect(!String(reflecting: options).contains(pair.secretKey))
    }

    @Test func messagesPassBetweenPeersWithMatchingKeys() throws {
        let (context, server, client) = (try Context(), try Curve.makeKeyPair(), try Curve.makeKeyPair())
        let router = try Socket(.router, context: context, options: .server(server.secretKey))
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(
            .dealer, context: context,
            options: .client(server.publicKey, client.publicKey, client.secretKey))
        try dealer.connect(router.lastEndpoint)
        let message = Message()
        message.append(MessageTests.pattern(20))
        message.append(MessageTests.pattern(100_000))
        let sent = try dealer.send(message)
        #expect(sent == .sent)
        let received = try router.next()
        #expect(received.array(at: 1) == MessageTests.pattern(20))
        #expect(received.array(at: 2) == MessageTests.pattern(100_000))
        #expect(received.sourceDescriptor != nil)
        _ = try router.send(received)
        let back = try dealer.next()
        #expect(back.array(at: 1) == MessageTests.pattern(100_000))
    }

    @Test func aWrongServerKeyIsRefused() throws {
        let (context, server, client) = (try Context(), try Curve.makeKeyPair(), try Curve.makeKeyPair())
        let router = try Socket(.router, context: context, options: .server(server.secretKey))
        try router.bind("tcp://127.0.0.1:*")
        let monitor = try router.monitor()
        let dealer = try Socket(
            .dealer, context: context,
            options: .client(client.publicKey, client.publicKey, client.secretKey))
        try dealer.connect(router.lastEndpoint)
        try dealer.send("let me in")
        let event = try monitor.next(
            .handshakeFailedProtocol, .handshakeFailedAuthentication, .handshakeFailedNoDetail, .handshakeSucceeded)
        #expect(event.kind == .handshakeFailedProtocol)
        #expect(event.kind.isHandshakeFailure)
        let received = try router.receive(into: Message())
        #expect(!received)
    }

    @Test func aClientWithoutKeysIsRefused() throws {
        let (context, server) = (try Context(), try Curve.makeKeyPair())
        let router = try Socket(.router, context: context, options: .server(server.secretKey))
        try router.bind("tcp://127.0.0.1:*")
        let monitor = try router.monitor()
        let dealer = try Socket(.dealer, context: context)
        try dealer.connect(router.lastEndpoint)
        // Whose mechanism is refused gives the connection up for good: there is nothing to send on once that has happened.
        _ = try dealer.send(Message(["let me in"]))
        let event = try monitor.next(
            .handshakeFailedProtocol, .handshakeFailedAuthentication, .handshakeFailedNoDetail, .handshakeSucceeded)
        #expect(event.kind.isHandshakeFailure)
        let received = try router.receive(into: Message())
        #expect(!received)
    }
}

extension SocketOptions {
    fileprivate static func server(_ secretKey: String) -> SocketOptions {
        var options = SocketOptions()
        options.curve = .server(secretKey: secretKey)
        return options
    }

    fileprivate static func client(_ serverKey: String, _ publicKey: String, _ secretKey: String) -> SocketOptions {
        var options = SocketOptions()
        options.curve = .client(serverKey: serverKey, publicKey: publicKey, secretKey: secretKey)
        return options
    }
}

import BifronsZeroMQ
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct ZeroMQErrorTests {
    let context: Context
    let folder: TemporaryFolder

    init() throws {
        context = try Context()
        folder = try TemporaryFolder()
    }

    private func bindError(_ endpoint: String) throws -> ZeroMQError? {
        let socket = try Socket(.router, context: context)
        do throws(ZeroMQError) { try socket.bind(endpoint) } catch { return error }
        return nil
    }

    private func connectError(_ endpoint: String) throws -> ZeroMQError? {
        let socket = try Socket(.router, context: context)
        do throws(ZeroMQError) { try socket.connect(endpoint) } catch { return error }
        return nil
    }

    @Test func theErrorOfAPortInUseNamesTheEndpointAndTheRemedy() throws {
        let holder = try Socket(.router, context: context)
        try holder.bind("tcp://127.0.0.1:*")
        let endpoint = holder.lastEndpoint
        let error = try #require(try bindError(endpoint))
        #expect(error.code == .addressInUse)
        #expect(error.endpoint == endpoint)
        #expect(
            "\(error)"
                == "cannot bind \(endpoint): address already in use; stop the other process or choose another endpoint")
    }

    @Test(arguments: [
        ("nonsense", ZeroMQError.Code.invalidArgument),
        ("tcp://127.0.0.1", .invalidArgument),
        ("tcp://127.0.0.1:99999", .invalidArgument),
        ("http://127.0.0.1:80", .transportNotSupported),
        ("tcp://no-such-interface:5555", .addressNotAvailable),
        ("tcp://192.0.2.1:5555", .addressNotAvailable),
        ("ipc:///no/such/folder/socket", .notFound),
        ("ipc:///tmp/" + String(repeating: "x", count: 200), .pathTooLong),
    ])
    func theErrorOfAFailedBindNamesTheEndpointAndTheReason(_ endpoint: String, _ code: ZeroMQError.Code) throws {
        let error = try #require(try bindError(endpoint))
        #expect(error.code == code)
        #expect(error.operation == "bind")
        #expect(error.subject == endpoint)
        #expect("\(error)".hasPrefix("cannot bind \(endpoint): "))
        #expect("\(error)".contains("; "), "says what to do")
    }

    @Test(arguments: [
        ("nonsense", ZeroMQError.Code.invalidArgument), ("http://127.0.0.1:80", .transportNotSupported),
        ("tcp://127.0.0.1:port", .invalidArgument),
    ])
    func theErrorOfAFailedConnectNamesTheEndpointAndTheReason(_ endpoint: String, _ code: ZeroMQError.Code) throws {
        let error = try #require(try connectError(endpoint))
        #expect(error.code == code)
        #expect("\(error)".hasPrefix("cannot connect \(endpoint): "))
    }

    @Test func unbindingAnUnboundEndpointFails() throws {
        let socket = try Socket(.router, context: context)
        do throws(ZeroMQError) {
            try socket.unbind("tcp://127.0.0.1:5")
            Issue.record("no error")
        } catch {
            #expect(error.code == .notFound)
        }
    }

    @Test func replyingBeforeARequestFails() throws {
        let socket = try Socket(.rep, context: context)
        try socket.bind("inproc://turn")
        let message = Message(["too early"])
        do throws(ZeroMQError) {
            _ = try socket.send(message)
            Issue.record("no error")
        } catch {
            #expect(error.code == .wrongState)
        }
        #expect(message.count == 1)
    }

    @Test func theErrorOfAnInvalidOptionNamesTheOption() throws {
        var options = SocketOptions()
        options.routingID = []
        do throws(ZeroMQError) {
            _ = try Socket(.dealer, context: context, options: options)
            Issue.record("no error")
        } catch {
            #expect("\(error)" == "cannot set routingID: invalid value; see the documentation of the option")
            #expect(error.endpoint == nil)
        }
    }

    @Test func unknownErrorNumbersKeepTheSystemsText() {
        let error = ZeroMQError(errno: EXDEV, operation: "try", subject: "it")
        #expect(error.code == .other)
        #expect("\(error)" == "cannot try it: Invalid cross-device link (errno 18)")
    }
}

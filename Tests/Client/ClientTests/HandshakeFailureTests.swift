import BifronsWire
import BifronsZeroMQ
import Testing

@testable import BifronsClient

/// The errors of a client whose keys do not match the router's.
@Suite(.timeLimit(.minutes(5))) struct HandshakeFailureTests {
    private let folder: TemporaryFolder
    private let context: Context

    init() throws {
        folder = try TemporaryFolder()
        context = try Context()
    }

    private func client(_ endpoint: String, _ curve: Curve.Role = .none) throws -> BifronsClient {
        var options = BifronsClient.Options(routers: [endpoint])
        options.curve = curve
        return try BifronsClient(options)
    }

    private func error(_ client: BifronsClient) async -> ClientError? {
        await #expect(throws: ClientError.self) { try await client.ping(timeout: .seconds(2)) }
    }

    private func keys() throws -> (router: Curve.Role, client: Curve.Role, other: Curve.Role) {
        let (router, own, other) = (try Curve.makeKeyPair(), try Curve.makeKeyPair(), try Curve.makeKeyPair())
        func client(_ server: String) -> Curve.Role {
            .client(serverKey: server, publicKey: own.publicKey, secretKey: own.secretKey)
        }
        return (.server(secretKey: router.secretKey), client(router.publicKey), client(other.publicKey))
    }

    @Test(arguments: ["ipc", "tcp"]) func keysOnOnlyOneSideAreReported(transport: String) async throws {
        let keys = try keys()
        func endpoint(_ name: String) -> String { transport == "tcp" ? "tcp://127.0.0.1:*" : folder.endpoint(name) }
        let keyed = try ScriptedRouter(endpoint("keyed"), context, curve: keys.router)
        let keyless = try ScriptedRouter(endpoint("keyless"), context)
        let withoutKeys = await error(try client(keyed.endpoint))
        #expect(withoutKeys?.code == .keysRefused && withoutKeys?.description.contains("wants keys") == true)
        let withKeys = await error(try client(keyless.endpoint, keys.client))
        #expect(withKeys?.code == .keysRefused && withKeys?.description.contains("has no keys") == true)
    }

    @Test(arguments: ["ipc", "tcp"]) func theMechanismIsReadFromTheGreeting(transport: String) throws {
        func endpoint(_ name: String) -> String { transport == "tcp" ? "tcp://127.0.0.1:*" : folder.endpoint(name) }
        let keyed = try ScriptedRouter(endpoint("keyed"), context, curve: try keys().router)
        let keyless = try ScriptedRouter(endpoint("keyless"), context)
        for _ in 0..<20 {
            #expect(Greeting.mechanism(of: keyed.endpoint, within: .seconds(20)) == "CURVE")
            #expect(Greeting.mechanism(of: keyless.endpoint, within: .seconds(20)) == "NULL")
        }
    }

    @Test func endpointsWithoutARouterHaveNoMechanism() throws {
        #expect(Greeting.mechanism(of: folder.endpoint("none"), within: .seconds(20)) == nil)
        #expect(Greeting.mechanism(of: "tcp://127.0.0.1:1", within: .seconds(20)) == nil)
        #expect(Greeting.mechanism(of: "tcp://[::1]:1", within: .seconds(20)) == nil)
        for nonsense in ["tcp://", "inproc://x", "", "ipc://" + String(repeating: "x", count: 200)] {
            #expect(Greeting.mechanism(of: nonsense, within: .seconds(20)) == nil)
        }
    }

    @Test(arguments: ["ipc", "tcp"]) func keyOfAnotherRouterIsRefused(transport: String) async throws {
        let keys = try keys()
        let endpoint = transport == "tcp" ? "tcp://127.0.0.1:*" : folder.endpoint("router")
        let router = try ScriptedRouter(endpoint, context, curve: keys.router)
        let refused = await error(try client(router.endpoint, keys.other))
        #expect(refused?.code == .keysRefused && refused?.description.contains("router.public must be") == true)
    }

    @Test func aMissingRouterIsNotReportedAsRefusedKeys() async throws {
        let missing = await error(try client(folder.endpoint("none"), try keys().client))
        #expect(missing?.code == .noRouter && missing?.description.contains("no router answered at") == true)
    }

    @Test func refusedClientIsServedWhenTheRouterComesBackWithoutKeys() async throws {
        let endpoint = folder.endpoint("router")
        var keyed: ScriptedRouter? = try ScriptedRouter(endpoint, context, curve: try keys().router)
        let client = try client(endpoint)
        #expect(await error(client)?.code == .keysRefused)
        #expect(keyed != nil)
        keyed = nil
        let keyless = try ScriptedRouter(endpoint, context)
        let ping = Task { try await client.ping(timeout: .seconds(30)) }
        let request = try #require(try await keyless.receive())
        try keyless.answer(request, #"{"status": 200}"#)
        _ = try await ping.value
    }
}

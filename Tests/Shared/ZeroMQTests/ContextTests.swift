import BifronsZeroMQ
import Testing

@Suite(.timeLimit(.minutes(2))) struct ContextTests {
    @Test func aNegativeNumberOfThreadsIsAnError() {
        #expect(throws: ZeroMQError.self) { _ = try Context(ioThreads: -1) }
    }

    @Test func aContextLivesAsLongAsItsSockets() throws {
        func open() throws -> Socket { try Socket(.pair, context: Context()) }
        let socket = try open()
        try socket.bind("inproc://orphan")
        #expect(socket.lastEndpoint == "inproc://orphan")
    }
}

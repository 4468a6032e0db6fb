internal import Hummingbird
internal import Synchronization

/// What is known of a request. Its copies share whose it is: the log, outermost, tells what was found further in.
struct GatewayContext: RequestContext {
    private final class Caller: Sendable {
        let name = Mutex<String?>(nil)
    }

    var coreContext: CoreRequestContextStorage
    let client: ClientConnection
    private let found = Caller()

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        client = ClientConnection(source.channel)
    }

    /// Whose token the request bears; nil as long as none was asked for.
    var caller: String? {
        get { found.name.withLock { $0 } }
        nonmutating set { found.name.withLock { $0 = newValue } }
    }
}

/// The rest of a request's way, as a middleware has it.
typealias Next = (Request, GatewayContext) async throws -> Response

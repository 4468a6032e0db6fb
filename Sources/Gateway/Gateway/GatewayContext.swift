internal import Hummingbird
internal import Synchronization

/// The context of a request. All copies share the caller, so that the log middleware, which is outermost, sees the name
/// that an inner middleware has set.
struct GatewayContext: RequestContext {
    private final class Caller: Sendable {
        let name = Mutex<String?>(nil)
        let isOperator = Mutex(false)
    }

    var coreContext: CoreRequestContextStorage
    let client: ClientConnection
    private let found = Caller()

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        client = ClientConnection(source.channel)
    }

    /// Whether the request may ask about all tenants and change policies: it bears an operator's token, or the gateway
    /// has no token list.
    var isOperator: Bool {
        get { caller == nil || found.isOperator.withLock { $0 } }
        nonmutating set { found.isOperator.withLock { $0 = newValue } }
    }

    /// The tenant that alone the caller may see; nil if the caller may see all.
    var tenantOnly: String? { isOperator ? nil : caller }

    /// The name of the token that the request bears; nil if no token was checked.
    var caller: String? {
        get { found.name.withLock { $0 } }
        nonmutating set { found.name.withLock { $0 = newValue } }
    }
}

/// The rest of the middleware chain.
typealias Next = (Request, GatewayContext) async throws -> Response

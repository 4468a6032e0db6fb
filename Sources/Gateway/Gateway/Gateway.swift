internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Settings

extension HTTPField.Name {
    /// The id of the last server-sent event that a client has received.
    static let lastEventID = Self("Last-Event-ID")!
}

/// The handlers of the HTTP routes, which use the gateway as a client of the routers. `Routes.swift` maps paths to
/// them.
struct Gateway: Sendable {
    let settings: GatewaySettings
    let router: RouterConnection
    let limits: EdgeLimits
    let feed: StatusFeed
    let pages = Pages()
    let metrics = GatewayMetrics()
    let origins: AllowedOrigins
    /// The bearer tokens that give access to the API; nil if access is open to everybody.
    let tokens: TokenFile?
    let logger: Logger

    /// Creates the handlers, and reads the token list if the settings name one.
    /// - Throws: `TokenList.ParseError` if the list cannot be used.
    init(settings: GatewaySettings, client: any RouterClient, logger: Logger) throws(TokenList.ParseError) {
        self.settings = settings
        self.logger = logger
        router = RouterConnection(client: client)
        limits = EdgeLimits(maxRequests: settings.clientRequests, maxBytes: settings.bytes)
        feed = StatusFeed(router)
        origins = AllowedOrigins(list: settings.corsOrigins)
        if let path = settings.tokens { tokens = try TokenFile(path: path) } else { tokens = nil }
    }

    /// Returns a file of `Resources`, or 304 if the client already has it.
    /// - Throws: ``Problem`` (404) if there is no such file.
    func page(_ name: String, for request: Request) throws(Problem) -> Response {
        guard let page = pages.response(name, ifNoneMatch: request.headers[.ifNoneMatch]) else {
            throw .nothing(at: request.uri.path)
        }
        return page
    }

    /// Handles `GET /assets/NAME`.
    func asset(_ name: String?, for request: Request) throws(Problem) -> Response {
        // It is served only at `/openapi.json`.
        guard let name, name != "openapi.json" else { throw .nothing(at: request.uri.path) }
        return try page(name, for: request)
    }

    /// Handles `GET` and `DELETE /v1/jobs/ID`.
    func job(_ verb: Verb, _ context: GatewayContext) async throws -> Response {
        var header = RequestHeader(verb: verb, id: context.parameters.get("id").flatMap { PercentEncoding.decode($0) })
        header.owner = context.caller
        return try await router.ask(header).response
    }

    /// Handles `GET /v1/events`.
    /// - Parameter id: the id of the last event that the client has; nil if it has none.
    func events(after id: String?) async -> Response {
        let events = await feed.listen(after: id)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody(asyncSequence: events))
    }

    func readiness() async throws -> Response {
        try await router.checkReadiness()
        return .json(Array(#"{"status":"ready"}"#.utf8))
    }

    /// Handles `GET /metrics`: the metrics of all routers and of the gateway. A router that does not answer has only
    /// `bifrons_up 0`. What is measured by tenant is that of the caller's own, unless the caller is an operator.
    func metricsText(for context: GatewayContext) async -> Response {
        let text = metrics.text(await router.reports(onlyOf: context.tenantOnly), bodyBytes: limits.bytes)
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Settings

/// What the gateway answers, a client of the routers. `Routes.swift` has the way of a request to it.
struct Gateway: Sendable {
    let settings: GatewaySettings
    let router: RouterConnection
    let limits: EdgeLimits
    let feed: StatusFeed
    let pages = Pages()
    let metrics = GatewayMetrics()
    let origins: AllowedOrigins
    /// Nil: everybody may use the API.
    let tokens: TokenFile?
    let logger: Logger

    /// Reads the list of tokens, if the settings name one.
    init(settings: GatewaySettings, client: any RouterClient, logger: Logger) throws(TokenList.ParseError) {
        self.settings = settings
        self.logger = logger
        router = RouterConnection(client: client)
        limits = EdgeLimits(maxRequests: settings.clientRequests, maxBytes: settings.bytes)
        feed = StatusFeed(router)
        origins = AllowedOrigins(list: settings.corsOrigins)
        if let path = settings.tokens { tokens = try TokenFile(path: path) } else { tokens = nil }
    }

    /// A file of `Resources`.
    func page(_ name: String, for request: Request) throws(Problem) -> Response {
        guard let page = pages.response(name, ifNoneMatch: request.headers[.ifNoneMatch]) else {
            throw .nothing(at: request.uri.path)
        }
        return page
    }

    /// `GET /assets/NAME`.
    func asset(_ name: String?, for request: Request) throws(Problem) -> Response {
        // The document has a path of its own.
        guard let name, name != "openapi.json" else { throw .nothing(at: request.uri.path) }
        return try page(name, for: request)
    }

    /// `GET` and `DELETE /v1/jobs/ID`.
    func job(_ verb: Verb, _ context: GatewayContext) async throws -> Response {
        var header = RequestHeader(verb: verb, id: context.parameters.get("id").flatMap { PercentEncoding.decode($0) })
        header.owner = context.caller
        return try await router.ask(header).response
    }

    /// `GET /v1/events`.
    func events() async -> Response {
        let events = await feed.listen()
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody(asyncSequence: events))
    }

    func readiness() async throws -> Response {
        try await router.checkReadiness()
        return .json(Array(#"{"status":"ready"}"#.utf8))
    }

    /// The cluster's metrics; without a router the gateway's own, which say that there is none.
    func metricsText() async -> Response {
        let text = metrics.text(await router.reports(), bodyBytes: limits.bytes)
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

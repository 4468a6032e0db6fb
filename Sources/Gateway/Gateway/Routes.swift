internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird

/// Every path there is, and the way of a request to what stands there.
extension Gateway {
    /// What machines ask again and again: not for the access log.
    static let probes: Set<String> = ["/healthz", "/readyz", "/metrics"]

    /// HEAD is GET without the body.
    func makeRouter() -> Router<GatewayContext> {
        let http = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        http.addMiddleware {
            TraceMiddleware()
            SecurityMiddleware()
            RequestLogMiddleware(metrics: metrics, logger: logger)
            SharingMiddleware(origins: origins)
            ProblemMiddleware(logger: logger)
            AmbiguityMiddleware()
        }
        let places = PlaceMiddleware(limits: limits)

        // Pages hold no secret, and probes have no token.
        let everyone = http.group().add(middleware: places)
        everyone.get("/") { request, _ in try page("index.html", for: request) }
        everyone.get("/status") { request, _ in try page("status.html", for: request) }
        everyone.get("/assets/{name}") { request, context in try asset(context.parameters.get("name"), for: request) }
        everyone.get("/openapi.json") { request, _ in try page("openapi.json", for: request) }
        everyone.get("/healthz") { _, _ in Response.json(Array(#"{"status":"ok"}"#.utf8)) }
        everyone.get("/readyz") { _, _ in try await readiness() }

        let api = http.group()
        if let tokens { api.add(middleware: TokenMiddleware(tokens: tokens)) }
        api.add(middleware: places)
        api.get("/metrics") { _, _ in await metricsText() }
        api.post("/v1/classify") { request, context in
            try await context.client.whileOpen { try await classify(request, for: context.caller) }
        }
        // The job is wanted, whoever stays for the 202.
        api.post("/v1/jobs") { request, context in try await submit(request, for: context.caller) }
        api.get("/v1/jobs/{id}") { _, context in try await job(.fetch, context) }
        api.delete("/v1/jobs/{id}") { _, context in try await job(.cancel, context) }
        api.get("/v1/models") { _, _ in try await router.ask(RequestHeader(verb: .models)).response }
        api.get("/v1/status") { _, _ in try await router.ask(RequestHeader(verb: .status)).response }
        api.get("/v1/events") { _, _ in await events() }
        api.post("/") { request, context in
            try await context.client.whileOpen { try await classifyForLegacyAPI(request, for: context.caller) }
        }

        // From here on for what none of these takes.
        http.add(middleware: ElsewhereMiddleware(routes: http.routes, origins: origins))
        return http
    }
}

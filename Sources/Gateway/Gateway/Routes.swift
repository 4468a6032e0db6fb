internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird

/// The HTTP routes, and the middlewares that their requests pass through.
extension Gateway {
    /// The paths that monitoring systems poll. Their requests are logged only at the level `debug`.
    static let probes: Set<String> = ["/healthz", "/readyz", "/metrics"]

    /// Returns the HTTP router. Every GET route answers HEAD, too.
    func makeRouter() -> Router<GatewayContext> {
        let http = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        http.addMiddleware {
            TraceMiddleware()
            SecurityMiddleware()
            RequestLogMiddleware(metrics: metrics, logger: logger)
            AllowedOriginsMiddleware(origins: origins)
            ProblemMiddleware(logger: logger)
            AmbiguousRequestMiddleware()
        }
        let concurrencyLimit = ConcurrencyLimitMiddleware(limits: limits)

        // These need no token: the pages contain no secrets, and probes have no token.
        let everyone = http.group().add(middleware: concurrencyLimit)
        everyone.get("/") { request, _ in try page("index.html", for: request) }
        everyone.get("/status") { request, _ in try page("status.html", for: request) }
        everyone.get("/review") { request, _ in try page("review.html", for: request) }
        everyone.get("/docs") { request, _ in try page("docs.html", for: request) }
        everyone.get("/assets/{name}") { request, context in try asset(context.parameters.get("name"), for: request) }
        everyone.get("/openapi.json") { request, _ in try page("openapi.json", for: request) }
        everyone.get("/healthz") { _, _ in Response.json(Array(#"{"status":"ok"}"#.utf8)) }
        everyone.get("/readyz") { _, _ in try await readiness() }

        let api = http.group()
        if let tokens { api.add(middleware: TokenMiddleware(tokens: tokens)) }
        api.add(middleware: concurrencyLimit)
        api.get("/metrics") { _, context in await metricsText(for: context) }
        api.post("/v1/classify") { request, context in
            try await context.client.whileConnected { try await classify(request, for: context.caller) }
        }
        // A durable job continues even if the client disconnects before the 202.
        api.post("/v1/jobs") { request, context in try await submit(request, for: context.caller) }
        api.get("/v1/jobs/{id}") { _, context in try await job(.fetch, context) }
        api.delete("/v1/jobs/{id}") { _, context in try await job(.cancel, context) }
        api.get("/v1/models") { _, _ in try await router.ask(RequestHeader(verb: .models)).response }
        api.get("/v1/status") { _, _ in try await router.ask(RequestHeader(verb: .status)).response }
        api.get("/v1/status/history") { _, _ in try await router.ask(RequestHeader(verb: .history)).response }
        api.get("/v1/drift") { _, context in
            var header = RequestHeader(verb: .drift)
            header.owner = context.tenantOnly
            return try await router.ask(header).response
        }
        api.get("/v1/events") { request, _ in await events(after: request.headers[.lastEventID]) }
        api.get("/v1/policies") { _, context in try await policies(context) }
        api.get("/v1/policies/{name}") { _, context in try await policies(context) }
        api.put("/v1/policies/{name}") { request, context in try await putPolicy(request, context) }
        api.post("/v1/policies/{name}/activate") { request, context in try await activatePolicy(request, context) }
        api.post("/v1/policies/try") { request, context in try await tryPolicy(request, context) }
        api.post("/v1/policies/{name}/tune") { request, context in try await tunePolicy(request, context) }
        api.get("/v1/shadows") { request, context in try await shadows(request, context) }
        api.get("/v1/reviews") { request, context in try await reviews(request, context) }
        api.get("/v1/reviews/next") { request, context in try await nextReview(request, context) }
        api.post("/v1/reviews/{id}") { request, context in try await review(request, context) }
        api.delete("/v1/reviews/{id}") { request, context in try await withdrawReview(request, context) }
        api.get("/v1/reviews/{id}/image") { _, context in try await reviewImage(context) }
        api.post("/v1/reviews/label-studio") { request, context in try await labelStudioReview(request, context) }
        api.post("/v1/appeals") { request, context in try await appeal(request, context) }
        api.get("/v1/decisions") { request, context in try await decisions(request, context) }
        api.get("/v1/decisions/{id}") { _, context in try await decision(context) }
        api.post("/v1/decisions/{id}/replay") { request, context in
            try await context.client.whileConnected { try await replay(request, context) }
        }
        api.get("/v1/decisions/{id}/statement") { request, context in try await statement(request, context) }
        api.get("/v1/statements") { request, context in try await statements(request, context) }
        api.post("/v1/decisions/verify") { request, context in try await verifyDecisions(request, context) }
        api.delete("/v1/subjects/{type}/{id}") { _, context in try await eraseSubject(context) }
        api.get("/m/lookup") { request, context in try await lookUpKnown(request, for: context.caller) }
        api.get("/m/raw_lookup") { request, context in try await lookUpKnownRaw(request, for: context.caller) }
        api.post("/m/lookup") { request, context in try await lookUpKnownImage(request, for: context.caller) }
        api.post("/") { request, context in
            try await context.client.whileConnected { try await classifyForLegacyAPI(request, for: context.caller) }
        }

        // Added last, so that it handles only requests that no route above matches.
        http.add(middleware: UnmatchedRouteMiddleware(routes: http.routes, origins: origins))
        return http
    }
}

internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird
internal import Instrumentation
internal import Logging
internal import Reactor

/// Counts every response, and writes its line of the access log. Hummingbird's middlewares for this know neither the
/// caller nor the trace, and count for a swift-metrics backend.
struct RequestLogMiddleware: RouterMiddleware {
    let metrics: GatewayMetrics
    let logger: Logger

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let start = MonotonicClock.now()
        let response = try await next(request, context)
        let duration = MonotonicClock.now() - start
        let route = context.endpointPath
        metrics.count(route, request.method, response.status, duration)
        let isProbe = route.map { Gateway.probes.contains($0) } ?? false
        logger.log(
            level: isProbe ? .debug : .info, "request",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path.prefix(256))",
                "status": "\(response.status.code)", "ms": "\(Int(duration.milliseconds))",
                "bytes": "\(request.headers[.contentLength] ?? "-")", "address": "\(context.client.address)",
                "caller": "\(context.caller ?? "-")",
                "trace": "\(InstrumentationContext.current?.trace?.trace ?? "-")",
            ])
        return response
    }
}

extension Gateway {
    /// Returns the response to a request whose header cannot be parsed, and logs and counts it. Such a request does not
    /// pass through the middlewares.
    /// - Parameter address: the client's IP address.
    func refuse(_ problem: Problem, from address: String) -> Response {
        var response = problem.response()
        let trace = TraceContext(continuing: nil)
        response.headers.append(contentsOf: HTTPFields.security)
        response.headers[.traceparent] = trace.field
        metrics.count(nil, .get, response.status, .zero)
        logger.info(
            "request",
            metadata: ["status": "\(response.status.code)", "address": "\(address)", "trace": "\(trace.trace)"])
        return response
    }
}

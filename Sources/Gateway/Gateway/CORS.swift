internal import HTTPTypes
internal import Hummingbird

/// The origins, besides the gateway's own, whose pages may use the gateway.
struct AllowedOrigins: Sendable {
    /// The origins as the setting lists them; `*` stands for every origin.
    let list: [String]

    /// Returns the value of `Access-Control-Allow-Origin` for a request: its origin, or `*`. Returns nil if the request
    /// has no origin, or if that origin is not allowed.
    func allowed(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        return list.first { $0 == origin || $0 == "*" }
    }

    /// Returns the response to a preflight request: the methods of the path, and the header fields that a request may
    /// carry.
    func preflight(_ methods: [HTTPRequest.Method]) -> Response {
        Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: methods.list,
                .accessControlAllowHeaders: "Authorization, Content-Type, Idempotency-Key, traceparent",
                .accessControlMaxAge: "600",
            ])
    }
}

/// Adds the CORS header fields that tell browsers whether a page of another origin may read the response.
///
/// Hummingbird's `CORSMiddleware` does not fit: it has one list of methods for all paths, answers preflight requests
/// for paths that do not exist, takes no list of origins from a setting, and sends `Vary` only if the request has an
/// origin.
struct AllowedOriginsMiddleware: RouterMiddleware {
    let origins: AllowedOrigins

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        var response = try await next(request, context)
        guard !origins.list.isEmpty else { return response }
        response.headers[.vary] = "Origin"
        if let origin = origins.allowed(request) {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.accessControlExposeHeaders] = "Location, Retry-After, traceparent"
        }
        return response
    }
}

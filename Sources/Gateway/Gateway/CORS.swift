internal import HTTPTypes
internal import Hummingbird

/// The origins whose pages may use the gateway besides its own.
struct AllowedOrigins: Sendable {
    /// As of the setting; `*` stands for all.
    let list: [String]

    /// What the request's browser is to be told: its page's origin, or `*`; nil: that page may not.
    func allowed(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        return list.first { $0 == origin || $0 == "*" }
    }

    /// The answer to a browser that asks whether another origin's page may send something.
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

/// Tells browsers which other origin's page may read the answer. Hummingbird's `CORSMiddleware` has one list of methods for all
/// paths, answers a preflight where there is nothing, takes no list of origins from a setting, and tells caches that an answer
/// varies only if the request had an origin.
struct SharingMiddleware: RouterMiddleware {
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

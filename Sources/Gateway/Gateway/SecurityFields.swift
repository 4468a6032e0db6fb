internal import HTTPTypes
internal import Hummingbird

extension HTTPFields {
    /// What every answer has, for browsers: whatever a page is made to do, it is done with this gateway alone.
    static let security: HTTPFields = [
        .contentSecurityPolicy:
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
            + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        .xContentTypeOptions: "nosniff",
        HTTPField.Name("Referrer-Policy")!: "no-referrer",
        HTTPField.Name("Cross-Origin-Opener-Policy")!: "same-origin",
        .crossOriginResourcePolicy: "same-origin",
        HTTPField.Name("Permissions-Policy")!: "camera=(), geolocation=(), microphone=()",
    ]
}

/// Adds the security fields. (Hummingbird's `ContentSecurityMiddleware` knows two of the six.)
struct SecurityMiddleware: RouterMiddleware {
    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        var response = try await next(request, context)
        response.headers.append(contentsOf: HTTPFields.security)
        return response
    }
}

internal import HTTPTypes
internal import Hummingbird

extension HTTPFields {
    /// The header fields that restrict what browsers do with the gateway's pages: they load from and send to this
    /// gateway alone, and no other page may embed them.
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

/// Adds the security header fields to every response. (Hummingbird's `ContentSecurityMiddleware` offers two of the
/// six.)
struct SecurityMiddleware: RouterMiddleware {
    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        var response = try await next(request, context)
        response.headers.append(contentsOf: HTTPFields.security)
        return response
    }
}

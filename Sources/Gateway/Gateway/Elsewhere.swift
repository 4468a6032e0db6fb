internal import HTTPTypes
internal import Hummingbird

extension RouterPath {
    /// Whether a path is one of this. Hummingbird's router passes over empty segments (`/v1//jobs/`), so that one thing would have
    /// many names, and captures what is not percent-encoded.
    func leads(to path: String) -> Bool {
        let segments = path == "/" ? [] : path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        return path.first == "/" && segments.count == count
            && zip(self, segments).allSatisfy { element, segment in
                !segment.isEmpty && element ~= segment
                    && (element != .capture("id") || PercentEncoding.decode(segment) != nil)
            }
    }
}

/// Refuses requests that leave room for reading them in two ways, by a proxy and here: which host, which path.
struct AmbiguityMiddleware: RouterMiddleware {
    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let isElsewhere = context.endpointPath.map { !RouterPath($0).leads(to: request.uri.path) } ?? false
        if isElsewhere { context.coreContext.endpointPath.value = nil }
        try HostField.check(request.head)
        if isElsewhere { throw Problem.nothing(at: request.uri.path) }
        return try await next(request, context)
    }
}

/// Answers what no route takes: there is nothing, or not by that method, or a browser asks whether another origin's page may send
/// something.
struct ElsewhereMiddleware: RouterMiddleware {
    private let routes: [(path: RouterPath, method: HTTPRequest.Method)]
    private let origins: AllowedOrigins

    init(routes: [Router<GatewayContext>.RouteDescription], origins: AllowedOrigins) {
        self.routes = routes.map { ($0.path, $0.method) }
        self.origins = origins
    }

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let methods = routes.filter { $0.path.leads(to: request.uri.path) }.map { $0.method }
        guard !methods.isEmpty else { throw Problem.nothing(at: request.uri.path) }
        if request.method == .options, origins.allowed(request) != nil { return origins.preflight(methods) }
        let list = (methods + (methods.contains(.get) ? [.head] : [])).list
        var problem = Problem(
            .methodNotAllowed, code: "method_not_allowed", "\(request.method) is not for this path; use \(list)")
        problem.headers[.allow] = list
        throw problem
    }
}

extension Problem {
    static func nothing(at path: String) -> Problem {
        Problem(
            .notFound, code: "unknown_path", "there is nothing at \(path.prefix(256)); /openapi.json says what there is"
        )
    }
}

extension [HTTPRequest.Method] {
    /// As the value of a header field.
    var list: String { map(\.rawValue).sorted().joined(separator: ", ") }
}

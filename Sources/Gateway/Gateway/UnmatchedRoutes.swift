internal import HTTPTypes
internal import Hummingbird

extension RouterPath {
    /// Whether a request's path matches this route exactly. Hummingbird's router also ignores empty segments
    /// (`/v1//jobs/`), so that one resource would have many names, and captures segments that are not valid
    /// percent-encoding.
    func leads(to path: String) -> Bool {
        let segments = path == "/" ? [] : path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        return path.first == "/" && segments.count == count
            && zip(self, segments).allSatisfy { element, segment in
                !segment.isEmpty && element ~= segment
                    && (!element.isCapture || PercentEncoding.decode(segment) != nil)
            }
    }

    /// Whether the route is of one path only.
    var isLiteral: Bool { !contains { $0.isCapture } }
}

/// Refuses requests whose host or path a proxy and the gateway could interpret differently.
struct AmbiguousRequestMiddleware: RouterMiddleware {
    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let isUnmatched = context.endpointPath.map { !RouterPath($0).leads(to: request.uri.path) } ?? false
        if isUnmatched { context.coreContext.endpointPath.value = nil }
        try HostField.check(request.head)
        if isUnmatched { throw Problem.nothing(at: request.uri.path) }
        return try await next(request, context)
    }
}

/// Answers requests that match no route: 404 for an unknown path, 405 for another method, or the response to a
/// preflight request.
struct UnmatchedRouteMiddleware: RouterMiddleware {
    private let routes: [(path: RouterPath, method: HTTPRequest.Method)]
    private let origins: AllowedOrigins

    init(routes: [Router<GatewayContext>.RouteDescription], origins: AllowedOrigins) {
        self.routes = routes.map { ($0.path, $0.method) }
        self.origins = origins
    }

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let leading = routes.filter { $0.path.leads(to: request.uri.path) }
        // As in the router, a path of its own hides one with a capture: `/v1/policies/try` is no policy.
        let literal = leading.filter(\.path.isLiteral)
        let methods = (literal.isEmpty ? leading : literal).map { $0.method }
        guard !methods.isEmpty else { throw Problem.nothing(at: request.uri.path) }
        if request.method == .options, origins.allowed(request) != nil { return origins.preflight(methods) }
        let list = (methods + (methods.contains(.get) ? [.head] : [])).list
        var problem = Problem(
            .methodNotAllowed, code: "method_not_allowed", "\(request.method) is not for this path; use \(list)")
        problem.headers[.allow] = list
        throw problem
    }
}

extension RouterPath.Element {
    /// Whether the element is written `{NAME}`.
    fileprivate var isCapture: Bool { description.hasPrefix("{") }
}

extension Problem {
    static func nothing(at path: String) -> Problem {
        Problem(
            .notFound, code: "unknown_path", "there is nothing at \(path.prefix(256)); /openapi.json says what there is"
        )
    }
}

extension [HTTPRequest.Method] {
    /// The methods as a header field's value: sorted and separated by commas.
    var list: String { map(\.rawValue).sorted().joined(separator: ", ") }
}

internal import HTTPTypes

/// Where a request goes: what is served, and by which methods.
enum Route: Equatable {
    case page(String)
    case openAPI
    case health
    case readiness
    case metrics
    case classify
    case jobs
    case job(id: String)
    case models
    case status
    case events
    /// `POST` to the page's own path.
    case legacy

    /// What stands at a path: the route of each method; nil if nothing does.
    static func at(_ path: String) -> [HTTPRequest.Method: Route]? {
        switch path {
        case "/": return [.get: .page("index.html"), .post: .legacy]
        case "/status": return [.get: .page("status.html")]
        case "/openapi.json": return [.get: .openAPI]
        case "/healthz": return [.get: .health]
        case "/readyz": return [.get: .readiness]
        case "/metrics": return [.get: .metrics]
        case "/v1/classify": return [.post: .classify]
        case "/v1/jobs": return [.post: .jobs]
        case "/v1/models": return [.get: .models]
        case "/v1/status": return [.get: .status]
        case "/v1/events": return [.get: .events]
        default: break
        }
        if let name = child(of: "/assets/", path) { return [.get: .page(name)] }
        if let id = child(of: "/v1/jobs/", path).flatMap({ PercentEncoding.decode($0) }) {
            return [.get: .job(id: id), .delete: .job(id: id)]
        }
        return nil
    }

    private static func child(of folder: String, _ path: String) -> String? {
        guard path.hasPrefix(folder) else { return nil }
        let name = path.dropFirst(folder.count)
        return name.isEmpty || name.contains("/") ? nil : String(name)
    }

    /// The path with its variable parts named, for metrics: few, whatever clients ask.
    var template: String {
        switch self {
        case .page("index.html"), .legacy: "/"
        case .page("status.html"): "/status"
        case .page: "/assets/{name}"
        case .openAPI: "/openapi.json"
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .metrics: "/metrics"
        case .classify: "/v1/classify"
        case .jobs: "/v1/jobs"
        case .job: "/v1/jobs/{id}"
        case .models: "/v1/models"
        case .status: "/v1/status"
        case .events: "/v1/events"
        }
    }

    /// Whether a token is needed, where there are any. Probes have none, and pages hold no secret.
    var needsToken: Bool {
        switch self {
        case .page, .openAPI, .health, .readiness: false
        case .metrics, .classify, .jobs, .job, .models, .status, .events, .legacy: true
        }
    }

    /// Whether it is asked again and again by machines: then it is not for the access log.
    var isProbe: Bool {
        switch self {
        case .health, .readiness, .metrics: true
        default: false
        }
    }
}

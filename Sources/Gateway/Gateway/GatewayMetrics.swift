internal import BifronsWire
internal import HTTPTypes
internal import Synchronization

/// The gateway's own counts, and the text that tells them together with the router's to Prometheus.
final class GatewayMetrics: Sendable {
    private struct Key: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private struct Counts {
        var requests: [Key: Int] = [:]
        var durations: [String: StatusReport.Histogram] = [:]
    }

    private let counts = Mutex(Counts())

    /// - Parameter route: the path as its route has it, with its variable parts named: few, whatever clients ask; nil for a path or
    ///   a method that there is not.
    func count(_ route: String?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status, _ duration: Duration) {
        // Clients invent paths and methods; each would be one more series.
        let (route, method) = route.map { ($0, method.rawValue) } ?? ("other", "other")
        let key = Key(route: route, method: method, status: status.code)
        counts.withLock { counts in
            counts.requests[key, default: 0] += 1
            counts.durations[route, default: .ofMilliseconds].record(duration.milliseconds)
        }
    }

    /// Everything, in Prometheus's text format.
    /// - Parameters:
    ///   - reports: what each router says. If they are several, their samples have a label with the router's endpoint.
    ///   - bodyBytes: bytes of bodies in the gateway.
    func text(_ reports: [RouterConnection.Report], bodyBytes: Int) -> String {
        let counts = counts.withLock { $0 }
        var text = PrometheusText()
        for report in reports {
            text.router = reports.count > 1 ? report.router : nil
            text.gauge("bifrons_up", "Whether a router answers.", report.status == nil ? 0 : 1)
            if let status = report.status { text.write(status) }
        }
        text.router = nil
        text.gauge("bifrons_gateway_build_info", "The gateway's release.", 1, ["version": Release.version])
        text.gauge("bifrons_gateway_body_bytes", "Bytes of request bodies in the gateway.", Double(bodyBytes))
        text.family("bifrons_gateway_requests_total", .counter, "HTTP requests answered.")
        for (key, count) in counts.requests.sorted(by: { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
        ) {
            text.sample(
                "bifrons_gateway_requests_total", Double(count),
                ["route": key.route, "method": key.method, "status": "\(key.status)"])
        }
        text.family("bifrons_gateway_request_duration_seconds", .histogram, "From a request's header to its answer's.")
        for (route, histogram) in counts.durations.sorted(by: { $0.key < $1.key }) {
            text.histogram("bifrons_gateway_request_duration_seconds", histogram, ["route": route], unit: 0.001)
        }
        return text.text
    }
}

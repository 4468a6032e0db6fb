internal import BifronsWire
internal import HTTPTypes
internal import Synchronization

/// Counts the gateway's requests, and writes the Prometheus text of the gateway's and the routers' metrics.
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

    /// Counts a response.
    /// - Parameters:
    ///   - route: the path template of the route, such as `/v1/jobs/{id}`; nil if no route matched.
    ///   - method: the request's method.
    ///   - status: the response's status.
    ///   - duration: the time from the request's header to the response's.
    func count(_ route: String?, _ method: HTTPRequest.Method, _ status: HTTPResponse.Status, _ duration: Duration) {
        // Unmatched paths and methods are arbitrary, and each would add a time series.
        let (route, method) = route.map { ($0, method.rawValue) } ?? ("other", "other")
        let key = Key(route: route, method: method, status: status.code)
        counts.withLock { counts in
            counts.requests[key, default: 0] += 1
            counts.durations[route, default: .ofMilliseconds].record(duration.milliseconds)
        }
    }

    /// Returns all metrics in Prometheus's text format.
    /// - Parameters:
    ///   - reports: the report of each router. With several routers, their samples carry a label with the router's
    ///     endpoint.
    ///   - bodyBytes: the number of bytes that request bodies take up in the gateway.
    func text(_ reports: [RouterConnection.Report], bodyBytes: Int) -> String {
        let counts = counts.withLock { $0 }
        var text = PrometheusText()
        for report in reports {
            text.router = reports.count > 1 ? report.router : nil
            text.gauge("bifrons_up", "Whether a router answers.", report.status == nil ? 0 : 1)
            if let status = report.status { text.write(status) }
            if let drift = report.drift { text.write(drift) }
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

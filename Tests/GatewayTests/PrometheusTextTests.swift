import HTTPTypes
import Testing
import Wire

@testable import Gateway

@Suite struct PrometheusTextTests {
    @Test func samplesAreWrittenAsPrometheusReadsThem() {
        var text = PrometheusText()
        text.gauge("a_seconds", "Help.", 0.25, ["name": "x\"\\\ny"])
        text.counter("b_total", "More.", 3)
        var histogram = StatusReport.Histogram.ofMilliseconds
        histogram.record(2)
        histogram.record(3_000_000)
        text.family("c_seconds", .histogram, "Times.")
        text.histogram("c_seconds", histogram, ["m": "r"], unit: 0.001)
        let lines = text.text.split(separator: "\n")
        #expect(
            lines.prefix(6) == [
                "# HELP a_seconds Help.", "# TYPE a_seconds gauge", #"a_seconds{name="x\"\\\ny"} 0.25"#,
                "# HELP b_total More.", "# TYPE b_total counter", "b_total 3",
            ])
        #expect(
            lines.dropFirst(8).prefix(2) == [
                #"c_seconds_bucket{m="r",le="0.001"} 0"#, #"c_seconds_bucket{m="r",le="0.0025"} 1"#,
            ])
        #expect(
            lines.suffix(3) == [
                #"c_seconds_bucket{m="r",le="+Inf"} 2"#, #"c_seconds_sum{m="r"} 3000.002"#,
                #"c_seconds_count{m="r"} 2"#,
            ])
    }

    @Test func requestsAreCountedByRouteMethodAndStatus() {
        let metrics = GatewayMetrics()
        metrics.count(.classify, .post, .ok, .milliseconds(3))
        metrics.count(.classify, .post, .ok, .milliseconds(3))
        metrics.count(nil, HTTPRequest.Method("INVENTED")!, .notFound, .zero)
        let text = metrics.text(nil, bodyBytes: 7)
        #expect(text.contains("bifrons_up 0\n"))
        #expect(text.contains("bifrons_gateway_body_bytes 7\n"))
        #expect(
            text.contains(#"bifrons_gateway_requests_total{route="/v1/classify",method="POST",status="200"} 2"# + "\n"))
        #expect(text.contains(#"bifrons_gateway_requests_total{route="other",method="other",status="404"} 1"# + "\n"))
        #expect(!text.contains("INVENTED"))
    }

    @Test func workersOfOneNameAreToldApart() {
        let worker = StatusReport.Worker(
            name: "w", model: "m", version: "1", digest: "d", metrics: [:], state: "ready", credit: 1, inFlight: 0,
            scored: 0, failed: 0, lastHeardMs: 0)
        let report = StatusReport(
            id: nil, router: .init(version: "1", uptimeS: 1, draining: false, answersPerSecond: 0),
            queue: .init(jobs: 0, maxJobs: 1, bytes: 0, maxBytes: 1, oldestMs: nil), models: [],
            workers: [worker, worker], latencyMs: .init(count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0),
            counters: .init())
        let samples = GatewayMetrics().text(report, bodyBytes: 0).split(separator: "\n").filter { !$0.hasPrefix("#") }
        let series = samples.map { $0.prefix(upTo: $0.lastIndex(of: " ")!) }
        #expect(Set(series).count == series.count)
    }
}

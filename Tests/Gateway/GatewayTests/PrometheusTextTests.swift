import BifronsWire
import HTTPTypes
import Testing

@testable import Gateway

@Suite struct PrometheusTextTests {
    @Test func samplesAreWrittenInThePrometheusFormat() {
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
        metrics.count("/v1/classify", .post, .ok, .milliseconds(3))
        metrics.count("/v1/classify", .post, .ok, .milliseconds(3))
        metrics.count(nil, HTTPRequest.Method("INVENTED")!, .notFound, .zero)
        let text = metrics.text([.init(router: "ipc://a", status: nil)], bodyBytes: 7)
        #expect(text.contains("bifrons_up 0\n"))
        #expect(text.contains("bifrons_gateway_body_bytes 7\n"))
        #expect(
            text.contains(#"bifrons_gateway_requests_total{route="/v1/classify",method="POST",status="200"} 2"# + "\n"))
        #expect(text.contains(#"bifrons_gateway_requests_total{route="other",method="other",status="404"} 1"# + "\n"))
        #expect(!text.contains("INVENTED"))
    }

    @Test func verdictsAreCountedByEveryLabel() {
        var report = report(workers: [])
        report.verdicts.count(.init(label: .noFace, aiProbability: nil, action: .review, policy: "default"))
        let text = GatewayMetrics().text([.init(router: "ipc://a", status: report)], bodyBytes: 0)
        for (label, count) in [("real", 0), ("ai_generated", 0), ("no_face", 1)] {
            #expect(text.contains("bifrons_verdicts_total{label=\"\(label)\"} \(count)\n"))
        }
        #expect(text.contains("bifrons_actions_total{action=\"review\"} 1\n"))
    }

    @Test func cropBytesAndTheirLimitAreReported() {
        var report = report(workers: [])
        (report.queue.cropBytes, report.queue.maxCropBytes) = (76_800, 1 << 28)
        let text = GatewayMetrics().text([.init(router: "ipc://a", status: report)], bodyBytes: 0)
        #expect(text.contains("bifrons_queue_crop_bytes 76800\n"))
        #expect(text.contains("bifrons_queue_crop_bytes_limit 268435456\n"))
    }

    /// Its queue is reported like a network's.
    @Test func theLocatorIsReportedLikeAModel() {
        var report = report(workers: [])
        report.models = ["resnet", "locator"].map { name in
            var model = StatusReport.Model(name: name, workers: 1, waiting: 0, inFlight: 2)
            model.queueMs.record(3)
            return model
        }
        report.models[1].waiting = 5
        let text = GatewayMetrics().text([.init(router: "ipc://a", status: report)], bodyBytes: 0)
        #expect(text.contains("bifrons_model_waiting_jobs{model=\"resnet\"} 0\n"))
        #expect(text.contains("bifrons_model_waiting_jobs{model=\"locator\"} 5\n"))
        #expect(text.contains("bifrons_model_queue_seconds_sum{model=\"locator\"} 0.003\n"))
    }

    @Test func workersWithTheSameNameHaveDistinctSeries() {
        let worker = StatusReport.Worker(
            name: "w", model: "m", version: "1", digest: "d", metrics: [:], state: "ready", credit: 1, inFlight: 0,
            scored: 0, failed: 0, lastHeardMs: 0)
        let report = report(workers: [worker, worker])
        let series = series(GatewayMetrics().text([.init(router: "ipc://a", status: report)], bodyBytes: 0))
        #expect(Set(series).count == series.count)
        #expect(!series.contains { $0.contains("router=") })
    }

    /// Prometheus accepts each family only once, with all its samples together.
    @Test func severalRoutersHaveDistinctSeriesWithinEachFamily() {
        let metrics = GatewayMetrics()
        metrics.count("/v1/classify", .post, .ok, .milliseconds(3))
        let text = metrics.text(
            [
                .init(router: "ipc://a", status: report(workers: [])), .init(router: "ipc://b", status: nil),
                .init(router: "ipc://c", status: report(workers: [])),
            ], bodyBytes: 0)
        let series = series(text)
        #expect(Set(series).count == series.count)
        let routers = ["ipc://a", "ipc://b", "ipc://c"]
        for (router, up) in zip(routers, [1, 0, 1]) {
            #expect(text.contains("bifrons_up{router=\"\(router)\"} \(up)\n"))
        }
        let families = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(Set(families).count == families.count)
        #expect(
            text.contains(
                "bifrons_queue_jobs_limit{router=\"ipc://a\"} 1\nbifrons_queue_jobs_limit{router=\"ipc://c\"} 1\n"))
        #expect(series.filter { $0.hasPrefix("bifrons_gateway") }.allSatisfy { !$0.contains("router=") })
    }

    private func report(workers: [StatusReport.Worker]) -> StatusReport {
        StatusReport(
            id: nil, router: .init(version: "1", uptimeS: 1, draining: false, answersPerSecond: 0),
            queue: .init(jobs: 0, maxJobs: 1, bytes: 0, maxBytes: 1, oldestMs: nil), models: [],
            workers: workers, latencyMs: .init(count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0),
            counters: .init())
    }

    /// Returns the names and labels of the samples.
    private func series(_ text: String) -> [Substring] {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.prefix(upTo: $0.lastIndex(of: " ")!) }
    }
}

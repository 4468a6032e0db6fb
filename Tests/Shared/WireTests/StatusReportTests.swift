import BifronsWire
import Testing

struct StatusReportTests {
    private var report: StatusReport {
        var counters = StatusReport.Counters()
        counters.accepted = 7
        counters.repliesByStatus = ["200": 5, "408": 2]
        counters.strangers = 1
        counters.workersLost = 3
        var report = StatusReport(
            id: "s1",
            router: StatusReport.Router(version: "1.2.3", uptimeS: 12.5, draining: true, answersPerSecond: 0.25),
            queue: StatusReport.Queue(
                jobs: 2, maxJobs: 4096, bytes: 100, maxBytes: 512 << 20, cropBytes: 76_800, maxCropBytes: 256 << 20,
                oldestMs: 3.5),
            models: [
                StatusReport.Model(name: "resnet", workers: 1, waiting: 2, inFlight: 3),
                StatusReport.Model(name: "locator", workers: 2, waiting: 1, inFlight: 4),
            ],
            workers: [
                StatusReport.Worker(
                    name: "resnet-1", model: "resnet", version: "1.0.0", digest: "sha256:00",
                    metrics: ["roc_auc": 0.97, "rocAUC": 1, "Mixed_case_Key": 2, "p99_ms": 4],
                    sandbox: "landlock 7, seccomp", state: "ready", credit: 8, inFlight: 3, scored: 100, failed: 1,
                    lastHeardMs: 250)
            ],
            latencyMs: StatusReport.Quantiles(count: 7, p50: 1, p90: 2, p99: 3, p999: 4, max: 5), counters: counters)
        report.journal = .init(failure: "the disk is full", unfinished: 3, bytes: 9000, maxBytes: 1 << 30)
        return report
    }

    @Test func statusIsReadBack() throws {
        #expect(try StatusReport.decode(report.encoded()) == report)
    }

    @Test func statusOfAnEarlierReleaseHasNoSandbox() throws {
        let text = report.encoded().text.replacing(#""sandbox":"landlock 7, seccomp","#, with: "")
        #expect(try StatusReport.decode(Array(text.utf8)).workers.map(\.sandbox) == [nil])
    }

    @Test func statusUsesTheFieldNamesOfTheProtocol() {
        let text = report.encoded().text
        for name in [
            "uptime_s", "answers_per_second", "max_jobs", "crop_bytes", "max_crop_bytes", "oldest_ms", "in_flight",
            "last_heard_ms", "latency_ms",
            "p999", "replies_by_status", "malformed_requests", "workers_lost", "late", "rejected",
            "undelivered", "unfinished", "reason",
            "undelivered", "latency_histogram_ms", "by_label", "by_action", "compute_ms", "queue_ms", "batch",
            "bytes_received",
        ] {
            #expect(text.contains("\"\(name)\":"))
        }
        #expect(text.contains(#""status":200"#))
        #expect(text.contains(#""state":"failing""#))
        #expect(text.contains(#""sandbox":"landlock 7, seccomp""#))
        #expect(text.contains(#""rocAUC":1"#), "names of metrics are the users' own")
        #expect(text.contains(#""roc_auc":0.97"#))
    }

    @Test func histogramCountsAreCumulative() {
        var histogram = StatusReport.Histogram.ofBatches
        for value in [1.0, 3, 4, 100] { histogram.record(value) }
        #expect(histogram.bounds == [1, 2, 4, 8, 16, 32, 64])
        #expect(histogram.counts == [1, 1, 3, 3, 3, 3, 3])
        #expect(histogram.count == 4)
        #expect(histogram.sum == 108)
    }

    @Test func modelsAreReadBack() throws {
        let report = ModelsReport(
            id: nil,
            models: [
                ModelsReport.Model(
                    name: "resnet", workers: 2,
                    served: [ModelsReport.Served(version: "1", digest: "d", metrics: ["roc_auc": 0.5], workers: 2)]),
                ModelsReport.Model(name: "inception", workers: 0, served: []),
            ],
            locator: ModelsReport.Model(
                name: "locator", workers: 1,
                served: [ModelsReport.Served(version: "2", digest: "l", metrics: [:], workers: 1)]),
            policies: [
                ModelsReport.Policy(name: "default", review: 0.5, block: 0.9, noFace: .block),
                ModelsReport.Policy(name: "strict", review: 0, block: 1, noFace: .review),
            ])
        #expect(try ModelsReport.decode(report.encoded()) == report)
        #expect(report.encoded().text.contains(#""no_face":"review""#))
    }

    @Test func modelsWithoutWorkersAreListedLocatorFirst() {
        func model(_ name: String, _ workers: Int) -> ModelsReport.Model {
            ModelsReport.Model(name: name, workers: workers, served: [])
        }
        var report = ModelsReport(
            id: nil, models: [model("resnet", 1), model("inception", 0)], locator: model("locator", 0), policies: [])
        #expect(report.namesWithoutWorkers == ["locator", "inception"])
        report.locator = model("locator", 1)
        #expect(report.namesWithoutWorkers == ["inception"])
        report.locator = nil
        #expect(report.namesWithoutWorkers == ["inception"])
    }

    @Test func aModelsReportWithoutALocatorIsReadBack() throws {
        let report = ModelsReport(id: nil, models: [], locator: nil, policies: [])
        #expect(!report.encoded().text.contains("locator"))
        #expect(try ModelsReport.decode(report.encoded()) == report)
    }
}

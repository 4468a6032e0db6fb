import BifronsWire
import Testing

@testable import Commands

@Suite struct ReportTests {
    @Test func statusShowsRouterQueueModelsAndWorkers() {
        var counters = StatusReport.Counters()
        counters.accepted = 7
        counters.repliesByStatus = ["422": 1, "200": 6]
        counters.workersLost = 2
        var report = StatusReport(
            id: nil, router: .init(version: "0.1.0", uptimeS: 65, draining: true, answersPerSecond: 81.24),
            queue: .init(
                jobs: 3, maxJobs: 4096, bytes: 1 << 20, maxBytes: 512 << 20, cropBytes: 3 << 19,
                maxCropBytes: 256 << 20,
                oldestMs: 12.3),
            models: [
                .init(name: "resnet", workers: 1, waiting: 2, inFlight: 8),
                .init(name: "locator", workers: 2, waiting: 0, inFlight: 1),
            ],
            workers: [
                .init(
                    name: "resnet-7f3a", model: "resnet", version: "1.0.0", digest: "sha256:0", metrics: [:],
                    sandbox: "landlock 7, seccomp", state: "ready",
                    credit: 16, inFlight: 8, scored: 100, failed: 1, lastHeardMs: 3)
            ],
            latencyMs: .init(count: 7, p50: 10, p90: 20, p99: 30, p999: 40, max: 50), counters: counters)
        report.journal = .init(failure: "no space", unfinished: 2, bytes: 3 << 20, maxBytes: 4 << 30)
        #expect(
            StatusCommand.lines(report) == [
                "router 0.1.0, up 1 min 5 s, 81.2 answers/s, draining",
                "queue  3 of 4096 jobs, 1.0 of 512.0 MiB, the oldest 12 ms",
                "crops  1.5 of 256.0 MiB",
                "journal failing, 2 unfinished, 3.0 of 4096.0 MiB: no space",
                "ms     p50 10.0, p90 20.0, p99 30.0, p99.9 40.0, max 50.0 over 7 jobs",
                "",
                "MODEL    WORKERS  WAITING  IN FLIGHT",
                "resnet         1        2          8",
                "locator        2        0          1",
                "",
                "WORKER       MODEL   VERSION  STATE  IN FLIGHT  CREDIT  ANSWERED  FAILED  HEARD MS AGO  SANDBOX",
                "resnet-7f3a  resnet  1.0.0    ready          8      16       100       1             3  "
                    + "landlock 7, seccomp",
                "",
                "accepted 7, replies 200 6, replies 422 1, workers lost 2",
            ])
    }

    @Test func modelsAreShownWithTheirMetricsEvenIfNoWorkerServesThem() {
        let report = ModelsReport(
            id: nil,
            models: [
                .init(
                    name: "resnet", workers: 2,
                    served: [
                        .init(
                            version: "1.0.0", digest: "sha256:0123456789abcdef", metrics: ["n": 12, "roc_auc": 0.97],
                            workers: 2)
                    ]),
                .init(name: "inception", workers: 0, served: []),
            ],
            locator: .init(
                name: "locator", workers: 1,
                served: [
                    .init(version: "2.0.0", digest: "sha256:fedcba9876543210", metrics: ["recall": 0.9], workers: 1)
                ]),
            policies: [.init(name: "default", review: 0.5, block: 0.9, noFace: .review)])
        #expect(
            ModelsCommand.lines(report) == [
                "MODEL      VERSION  WORKERS  DIGEST               METRICS",
                "resnet     1.0.0          2  sha256:0123456789ab  n 12, roc_auc 0.9700",
                "inception  -              0  -                    no worker serves it",
                "locator    2.0.0          1  sha256:fedcba987654  recall 0.9000",
                "",
                "POLICY   REVIEW FROM  BLOCK FROM  NO FACE",
                "default       50.0 %      90.0 %  review",
            ])
    }
}

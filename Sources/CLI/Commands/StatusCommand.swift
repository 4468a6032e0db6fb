import ArgumentParser
import BifronsClient
import BifronsWire
import Settings

/// The command `bifrons status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows queues, workers, rates and latencies.")

    @Flag(help: "Refresh every second, until ctrl-C.") var watch = false
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let settings = try ClientSettings(connection.given)
        try await CommandError.report {
            try await Submission.withService(settings, as: Submission.asOperator) { client in
                repeat {
                    let report = try await client.status()
                    let text =
                        json
                        ? String(decoding: report.encoded(), as: UTF8.self)
                        : Self.lines(report).joined(separator: "\n")
                    // Cursor to the upper left, then erase below: no flicker.
                    printLine(watch && !json ? "\u{1B}[H\u{1B}[J" + text : text)
                    if watch { try await Task.sleep(for: .seconds(1)) }
                } while watch
            }
        }
    }

    static func lines(_ report: StatusReport) -> [String] {
        let router = report.router
        let queue = report.queue
        let latency = report.latencyMs
        var lines = [
            "router \(router.version.printable), up \(span(seconds: router.uptimeS)), "
                + "\(fixed(router.answersPerSecond, 1)) answers/s" + (router.draining ? ", draining" : ""),
            "queue  \(queue.jobs) of \(queue.maxJobs) jobs, \(mebibytes(queue.bytes)) of \(mebibytes(queue.maxBytes)) MiB"
                + (queue.oldestMs.map { ", the oldest \(fixed($0, 0)) ms" } ?? ""),
            "crops  \(mebibytes(queue.cropBytes)) of \(mebibytes(queue.maxCropBytes)) MiB",
        ]
        if let journal = report.journal {
            lines.append(
                "journal \(journal.state.printable), \(journal.unfinished) unfinished, "
                    + "\(mebibytes(journal.bytes)) of \(mebibytes(journal.maxBytes)) MiB"
                    + (journal.reason.map { ": \($0.printable)" } ?? ""))
        }
        if latency.count > 0 {
            let quantiles = [
                ("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999),
                ("max", latency.max),
            ]
            lines.append(
                "ms     " + quantiles.map { "\($0.0) \(fixed($0.1, 1))" }.joined(separator: ", ")
                    + " over \(latency.count) jobs")
        }
        lines.append("")
        lines += TextTable.lines(
            [
                .init(title: "MODEL"), .init(title: "WORKERS", isNumber: true), .init(title: "WAITING", isNumber: true),
                .init(title: "IN FLIGHT", isNumber: true),
            ], report.models.map { [$0.name.printable, "\($0.workers)", "\($0.waiting)", "\($0.inFlight)"] })
        if !report.workers.isEmpty {
            lines.append("")
            lines += TextTable.lines(
                [
                    .init(title: "WORKER"), .init(title: "MODEL"), .init(title: "VERSION"), .init(title: "STATE"),
                    .init(title: "IN FLIGHT", isNumber: true), .init(title: "CREDIT", isNumber: true),
                    .init(title: "ANSWERED", isNumber: true), .init(title: "FAILED", isNumber: true),
                    .init(title: "HEARD MS AGO", isNumber: true), .init(title: "SANDBOX"),
                ],
                report.workers.map {
                    [
                        $0.name.printable, $0.model.printable, $0.version.printable, $0.state.printable,
                        "\($0.inFlight)",
                        "\($0.credit)", "\($0.scored)", "\($0.failed)", fixed($0.lastHeardMs, 0),
                        $0.sandbox?.printable ?? "",
                    ]
                })
        }
        lines.append("")
        lines.append(Self.counters(report.counters))
        return lines
    }

    /// Returns the counters as text, without those that are zero.
    private static func counters(_ counters: StatusReport.Counters) -> String {
        let replies = counters.repliesByStatus.sorted { $0.key < $1.key }.map {
            ("replies \($0.key.printable)", $0.value)
        }
        let others = [
            ("rejected", counters.rejected), ("malformed requests", counters.malformedRequests),
            ("malformed messages", counters.malformedMessages), ("late", counters.late), ("unknown", counters.unknown),
            ("strangers", counters.strangers), ("workers lost", counters.workersLost),
            ("re-dispatched", counters.redispatched), ("quarantined", counters.quarantined),
            ("cancelled", counters.cancelled), ("deduplicated", counters.deduplicated),
            ("undelivered", counters.undelivered),
        ]
        return ([("accepted", counters.accepted)] + replies + others.filter { $0.1 > 0 })
            .map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}

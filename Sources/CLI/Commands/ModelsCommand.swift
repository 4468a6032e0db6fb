import ArgumentParser
import BifronsClient
import BifronsWire
import Glibc
import Settings

/// The command `bifrons models`.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Shows the models being served, with digests and metrics, and the policies.")

    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Exit with status 69 unless every model and the locator have a worker.") var ready = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let settings = try ClientSettings(connection.given)
        try await CommandError.report {
            try await Submission.withService(settings, as: Submission.asOperator) { client in
                let report = try await client.models()
                if json {
                    printLine(String(decoding: report.encoded(), as: UTF8.self))
                } else {
                    for line in Self.lines(report) { printLine(line) }
                }
                let idle = report.namesWithoutWorkers.map(\.printable)
                if ready, !idle.isEmpty {
                    throw CommandError(
                        "no worker serves \(idle.joined(separator: ", ")); start one with bifrons-worker",
                        status: EX_UNAVAILABLE)
                }
            }
        }
    }

    static func lines(_ report: ModelsReport) -> [String] {
        let models = (report.modelsAndLocator + (report.evidence ?? [])).flatMap { model in
            model.served.isEmpty
                ? [[model.name.printable, "-", "0", "-", "no worker serves it"]]
                : model.served.map { served in
                    let metrics = served.metrics.sorted { $0.key < $1.key }
                        .map { "\($0.key.printable) \(fixed($0.value, $0.value == $0.value.rounded() ? 0 : 4))" }
                        .joined(separator: ", ")
                    return [
                        model.name.printable, served.version.printable, "\(served.workers)",
                        String(served.digest.printable.prefix("sha256:".count + 12)), metrics,
                    ]
                }
        }
        let policies = report.policies.map { policy in
            [
                policy.name.printable, percent(policy.review), percent(policy.block), policy.noFace.rawValue,
            ]
        }
        return TextTable.lines(
            [
                .init(title: "MODEL"), .init(title: "VERSION"), .init(title: "WORKERS", isNumber: true),
                .init(title: "DIGEST"), .init(title: "METRICS"),
            ], models)
            + [""]
            + TextTable.lines(
                [
                    .init(title: "POLICY"), .init(title: "REVIEW FROM", isNumber: true),
                    .init(title: "BLOCK FROM", isNumber: true), .init(title: "NO FACE"),
                ], policies)
    }
}

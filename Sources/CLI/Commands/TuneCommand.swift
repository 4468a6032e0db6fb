import ArgumentParser
import BifronsClient
import BifronsWire
import ProcessSupport
import Settings

/// The command `bifrons tune`.
struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune", abstract: "Finds a policy's threshold for a wanted rate of false positives.",
        discussion:
            "The threshold follows from what reviewers said, each review weighted by its sampling. With too few "
            + "reviews the command says how many more are needed, and exits with 1. Nothing is activated.")

    /// The action that begins at the threshold.
    enum Action: String, CaseIterable, ExpressibleByArgument {
        case review, block
    }

    @Option(help: "The wanted share of real images that reach the threshold, for instance 0.01.") var fpr: Double
    @Option(help: "The policy.") var policy = Limits.defaultPolicy
    @Option(help: "The action that begins at the threshold.") var action = Action.block
    @Option(help: "Only the reviews of this tenant, and its active version.") var tenant: String?
    @Flag(help: "Also recalibrate the probability.") var refit = false
    @Flag(help: "Store the draft as the policy's next version.") var store = false
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await PolicyCommand.withService(connection) { service in
            var header = RequestHeader(verb: .tunePolicy)
            header.policy = policy
            let body = Body(fpr: fpr, action: action.rawValue, tenant: tenant, refit: refit, store: store)
            // Each router has reviews of its own, so only the first one is asked.
            let bytes = try await service.ask(header, body, router: 0)
            let report = try service.decode(TuningSummary.self, bytes)
            if json {
                printLine(String(decoding: bytes, as: UTF8.self))
            } else {
                for line in Self.lines(report, policy: policy) { printLine(line) }
            }
            if report.threshold == nil { throw ExitCode.failure }
        }
    }

    private struct Body: Encodable {
        var fpr: Double
        var action: String
        var tenant: String?
        var refit: Bool
        var store: Bool
    }

    static func lines(_ report: TuningSummary, policy: String) -> [String] {
        let reviewed = "\(report.reviewed.real) real and \(report.reviewed.aiGenerated) AI-generated images reviewed"
        guard let threshold = report.threshold, let rate = report.rate, let interval = report.interval else {
            return [reviewed, report.message?.printable ?? "no threshold was found"]
        }
        let ends = interval.map { percent($0) }.joined(separator: " to ")
        var lines = [
            reviewed,
            "\(report.action.printable) from \(threshold): \(percent(rate)) of the real ones reach it (\(ends))",
        ]
        if let detected = report.detected { lines.append("\(percent(detected)) of the AI-generated ones reach it") }
        if let version = report.version {
            lines.append("stored as \(policy.printable)@\(version); 'bifrons policy activate' makes it decide")
        }
        return lines
    }

    private static func percent(_ share: Double) -> String {
        let hundredths = (share * 10_000).rounded() / 100
        return "\(hundredths) %"
    }
}

/// The answer to the verb `tune_policy`.
struct TuningSummary: Decodable, Equatable {
    struct Reviewed: Decodable, Equatable {
        var real: Int
        var aiGenerated: Int
    }

    var action: String
    var reviewed: Reviewed
    var threshold: Double?
    var rate: Double?
    var interval: [Double]?
    var detected: Double?
    var version: Int?
    var message: String?
}

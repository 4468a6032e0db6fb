import ArgumentParser
import BifronsClient
import BifronsWire
import FoundationEssentials
import Glibc
import ProcessSupport
import Settings

/// The command `bifrons policy`.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Shows, stores, activates and tries policies.",
        discussion: "A policy's versions never change. Which of them decides is a matter of activation, at once and "
            + "without a restart; going back is another activation. Changes need a router with a journal.",
        subcommands: [List.self, Show.self, Put.self, Activate.self, Try.self])

    /// Lists the policies.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the policies and which versions decide.")

        @Flag(help: "Print JSON.") var json = false
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await PolicyCommand.withService(connection) { service in
                let bytes = try await service.ask(.policies)
                guard !json else { return printLine(String(decoding: bytes, as: UTF8.self)) }
                for line in PolicyCommand.lines(try service.decode(PolicyReport.self, bytes)) { printLine(line) }
            }
        }
    }

    /// Prints one version of a policy.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a policy as JSON, as 'put' takes it.")

        @Argument(
            help: ArgumentHelp(
                "The policy, and after @ the version: by default the one that decides.", valueName: "name[@version]"))
        var policy: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await PolicyCommand.withService(connection) { service in
                let parts = policy.split(separator: "@", maxSplits: 1).map(String.init)
                let bytes = try await service.ask(.policies, body: ["name": parts.first ?? ""])
                let report = try service.decode(PolicyReport.self, bytes)
                guard let entry = report.policies.first else { throw CommandError("there is no policy '\(policy)'") }
                let number = parts.count == 2 ? Int(parts[1]) : entry.active?.version
                guard let version = entry.versions?.first(where: { $0.version == number }) else {
                    throw CommandError(
                        "there is no version '\(parts.last ?? "")' of '\(entry.name.printable)'; the latest is \(entry.latest)"
                    )
                }
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
                printLine(String(decoding: try encoder.encode(version.policy), as: UTF8.self))
            }
        }
    }

    /// Stores a version.
    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stores a policy as the next version of its name. It does not decide before it is activated.")

        @Argument(help: "The policy's name.") var name: String
        @Argument(help: "A file with the policy as JSON, or - for the standard input.") var file: FileName
        @Option(help: "Why: kept beside the version.") var note: String?
        @Option(help: ArgumentHelp("Store it only if this is the latest version's digest.", valueName: "digest"))
        var ifMatch: String?
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await PolicyCommand.withService(connection) { service in
                var header = RequestHeader(verb: .putPolicy)
                (header.policy, header.ifMatch) = (name, ifMatch)
                let body = Draft(policy: try PolicyCommand.read(file), note: note)
                let stored = try service.decode(PolicyVersionReport.self, try await service.askAll(header, body))
                printLine("\(stored.name.printable)@\(stored.version) \(stored.digest.printable)")
            }
        }
    }

    /// Makes a version decide.
    struct Activate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a version of a policy decide, from the next verdict on.")

        @Argument(help: ArgumentHelp("The policy and the version.", valueName: "name@version")) var policy: String
        @Option(help: "Only for this tenant: the name of a token or a key.") var tenant: String?
        @Option(help: "Why: kept beside the activation.") var note: String?
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await PolicyCommand.withService(connection) { service in
                let parts = policy.split(separator: "@", omittingEmptySubsequences: false)
                guard parts.count == 2, let version = Int(parts[1]) else {
                    throw CommandError(
                        "'\(policy.printable)' names no version; write NAME@VERSION, for instance default@2",
                        status: Program.usageStatus)
                }
                var header = RequestHeader(verb: .activatePolicy)
                header.policy = String(parts[0])
                let body = Activation(version: version, tenant: tenant, note: note)
                let active = try service.decode(PolicyVersionReport.self, try await service.askAll(header, body))
                let scope = tenant.map { " for \($0.printable)" } ?? ""
                printLine("\(active.name.printable)@\(active.version) decides\(scope) from now on")
            }
        }
    }

    /// Tries a draft on the recorded decisions.
    struct Try: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what a policy would have decided on the recorded decisions.")

        @Argument(help: "The name whose default clauses count, usually that of the policy to replace.") var name: String
        @Argument(help: "A file with the draft as JSON, or - for the standard input.") var file: FileName
        @Option(help: "Only the decisions behind this sequence number.") var since: Int64?
        @Option(help: "Only the decisions of this tenant.") var tenant: String?
        @Flag(help: "Print JSON.") var json = false
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await PolicyCommand.withService(connection) { service in
                var header = RequestHeader(verb: .tryPolicy)
                header.policy = name
                header.budgetMilliseconds = Limits.budgetMilliseconds.upperBound
                let body = Trial(policy: try PolicyCommand.read(file), since: since, tenant: tenant)
                let bytes = try await service.ask(header, body)
                guard !json else { return printLine(String(decoding: bytes, as: UTF8.self)) }
                for line in PolicyCommand.lines(try service.decode(TrialReport.self, bytes)) { printLine(line) }
            }
        }
    }

    private struct Draft: Encodable {
        var policy: JSONValue
        var note: String?
    }

    private struct Activation: Encodable {
        var version: Int
        var tenant: String?
        var note: String?
    }

    private struct Trial: Encodable {
        var policy: JSONValue
        var since: Int64?
        var tenant: String?
    }

    // MARK: The service

    static func withService(
        _ connection: ConnectionOptions, _ body: (DecisionService) async throws -> Void
    ) async throws {
        let settings = try ClientSettings(connection.given)
        try await CommandError.report {
            try await Submission.withService(settings, as: Submission.asOperator) { client in
                try await body(DecisionService(client: client))
            }
        }
    }

    private static func read(_ file: FileName) throws -> JSONValue {
        let source = ImageSource(
            name: file, place: file == FileName("-") ? .standardInput : .named(file), relativeName: file)
        let bytes: [UInt8]
        do {
            bytes = try source.read(limit: Limits.headerBytes)
        } catch {
            throw CommandError("\(file.text.printable) cannot be read as a policy: \(error.message)")
        }
        do {
            return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw CommandError("\(file.text.printable) is not JSON; 'bifrons policy show default' prints an example")
        }
    }

    // MARK: Tables

    static func lines(_ report: PolicyReport) -> [String] {
        TextTable.lines(
            [
                .init(title: "POLICY"), .init(title: "ACTIVE", isNumber: true), .init(title: "LATEST", isNumber: true),
                .init(title: "DIGEST"), .init(title: "TENANTS WITH THEIR OWN"),
            ],
            report.policies.map { entry in
                let tenants = entry.tenants.sorted { $0.key < $1.key }.map { "\($0.key.printable)@\($0.value)" }
                return [
                    entry.name.printable, entry.active.map { "\($0.version)" } ?? "-", "\(entry.latest)",
                    String((entry.active?.digest ?? "-").printable.prefix("sha256:".count + 12)),
                    tenants.joined(separator: ", "),
                ]
            })
    }

    static func lines(_ report: TrialReport) -> [String] {
        let actions = ResultDocument.PolicyAction.allCases.map(\.rawValue)
        let rows = actions.map { was in
            [was] + actions.map { would in "\(report.matrix[was]?[would] ?? 0)" }
        }
        let table = TextTable.lines(
            [.init(title: "WAS")] + actions.map { .init(title: "WOULD \($0.uppercased())", isNumber: true) }, rows)
        let examples = report.examples.sorted { $0.key < $1.key }.map { change, ids in
            "\(change): \(ids.prefix(5).joined(separator: ", "))\(ids.count > 5 ? ", ..." : "")"
        }
        let skipped = report.skipped > 0 ? ", \(report.skipped) that cannot be computed again left out" : ""
        return ["\(report.count) decisions\(skipped)", ""] + table + (examples.isEmpty ? [] : [""]) + examples
    }
}

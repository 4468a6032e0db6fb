import ArgumentParser
import BifronsClient
import BifronsWire
import Glibc
import ProcessSupport
import Reactor
import Settings

/// The command `bifrons classify`.
struct ClassifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify", abstract: "Tells whether the faces in images are real or AI-generated.",
        discussion: """
            If no router is named and none answers, the command starts a cluster that runs until the command ends.

            In folders, it reports every image, even those in formats that Bifrons does not read. It does not classify \
            other files; it reports their number on the standard error.

            Exit status: 0 all classified; 1 some files failed; 2 usage; 69 no service.
            """)

    @Argument(help: "Image files, folders, or - for one image on the standard input.") var files: [FileName]
    @Flag(help: "Print one JSON result per line: the service's, with the name of the file.") var json = false
    @Flag(help: "Print CSV with a header: a line for each image.") var csv = false
    @Option(
        help: ArgumentHelp(
            "Print only images with one of these actions, and those that failed: review,block.",
            valueName: "actions"))
    var only: ActionList?
    @Option(help: "The most jobs in flight at a time.") var window = 32
    @Option(
        help: ArgumentHelp(
            "Write the images to this file or folder, with their faces and probabilities drawn.",
            valueName: "file|folder"))
    var draw: FileName?
    @OptionGroup var options: ClientOptions

    /// Actions, separated by commas.
    struct ActionList: ExpressibleByArgument {
        let actions: Set<ResultDocument.PolicyAction>

        init?(argument: String) {
            let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            actions = Set(names.compactMap(ResultDocument.PolicyAction.init(rawValue:)))
            guard actions.count == names.count else { return nil }
        }

        /// Whether the result is to be printed.
        func includes(_ result: ResultDocument) -> Bool {
            result.verdict.map { actions.contains($0.action) } ?? true
        }
    }

    func validate() throws {
        guard !(json && csv) else { throw ValidationError("give --json or --csv, not both") }
        guard (1...1024).contains(window) else { throw ValidationError("--window must be from 1 to 1024") }
        guard files.count(where: { $0 == FileName("-") }) <= 1 else { throw ValidationError("- may be given once") }
    }

    func run() async throws {
        let settings = try ClientSettings(options.given)
        let status = try await CommandError.report {
            let search = ImageSearch(files)
            let sources = search.sources
            let passedOver = search.passedOver.summary
            guard !sources.isEmpty else {
                let places = files.map(\.text.printable).joined(separator: ", ")
                throw CommandError("no images in \(places)" + (passedOver.map { "; \($0)" } ?? ""))
            }
            let drawings = try draw.map { out throws(CommandError) in
                try Drawings(out: out, arguments: files, sources: sources)
            }
            let status = try await classify(sources, settings, drawings)
            if let passedOver { printError("bifrons: \(passedOver)") }
            return status
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// Classifies with the running service, or with a temporary cluster if there is no router and none was named.
    private func classify(
        _ sources: [ImageSource], _ settings: ClientSettings, _ drawings: Drawings?
    ) async throws -> Int32 {
        do {
            return try await Submission.withService(settings) { try await classify(sources, settings, drawings, $0) }
        } catch let error as ClientError where error.code == .noRouter && !settings.isSet(\.routers) {
            let cluster = try TemporaryCluster(options.given)
            defer { cluster.stop() }
            try await cluster.waitUntilReady()
            let client = try Submission.client(settings, routers: [cluster.endpoint])
            defer { client.close() }
            return try await classify(sources, settings, drawings, client)
        }
    }

    private func classify(
        _ sources: [ImageSource], _ settings: ClientSettings, _ drawings: Drawings?, _ client: BifronsClient
    ) async throws -> Int32 {
        let start = MonotonicClock.now()
        let options = try Submission.options(settings)
        let limit = Submission.largestImage(settings)
        var tally = Tally()
        var bar = ProgressBar(total: sources.count)
        var table: VerdictTable?
        if csv {
            printLine(CSV.header)
        } else if !json {
            var models = settings.models ?? []
            if models.isEmpty { models = try await client.models().models.map(\.name) }
            let made = VerdictTable(
                names: sources.map(\.name.text.printable), models: models, isColoured: Colour.isWantedHere)
            printLine(made.header)
            table = made
        }
        var undrawn = 0
        var hasEvidence = false
        await inOrder(sources, window: window) { source in
            do {
                let image = try source.read(limit: limit)
                let reply = try await client.classify(image, options, patience: Submission.patience)
                let problem = Self.draw(source, image, reply.document, drawings)
                return (name: source.name, bytes: reply.bytes, document: reply.document, undrawn: problem)
            } catch {
                let (bytes, document) = Submission.failure(error)
                return (name: source.name, bytes: bytes, document: document, undrawn: nil)
            }
        } finished: { done in
            bar?.update(done: done)
        } emit: { result in
            tally.count(result.document.status)
            bar?.clear()
            if only?.includes(result.document) ?? true {
                for line in lines(of: result.name, result.bytes, result.document, table) { printLine(line) }
            }
            hasEvidence = hasEvidence || !result.document.evidence.isEmpty
            if let problem = result.undrawn {
                undrawn += 1
                printError("bifrons: \(problem)")
            }
        }
        bar?.clear()
        if hasEvidence, table != nil { printError("bifrons: \(EvidenceText.absence)") }
        if sources.count > 1, table != nil {
            let seconds = (MonotonicClock.now() - start) / .seconds(1)
            printError(
                "\(sources.count) images: \(tally.classified) classified, \(tally.failed) failed, "
                    + "in \(fixed(seconds, 1)) s (\(fixed(Double(sources.count) / seconds, 1))/s)")
        }
        return undrawn > 0 ? 1 : tally.exitStatus
    }

    private func lines(
        of name: FileName, _ bytes: [UInt8], _ result: ResultDocument, _ table: VerdictTable?
    ) -> [String] {
        if let table { return table.lines(name.text, result) }
        return [csv ? CSV.line(name.text, result) : VerdictTable.json(name, bytes)]
    }

    /// Draws an image if drawings were asked for. Returns the reason if that failed; nil otherwise.
    private static func draw(
        _ source: ImageSource, _ image: [UInt8], _ result: ResultDocument, _ drawings: Drawings?
    ) -> String? {
        do {
            try drawings?.write(source, image, result)
            return nil
        } catch {
            return error.description
        }
    }
}

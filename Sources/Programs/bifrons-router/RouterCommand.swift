import ArgumentParser
import BifronsWire
import Logging
import ProcessSupport
import RouterService
import Settings

@main
struct RouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-router",
        abstract: "Admits jobs, dispatches each to a worker of every model, and merges the scores into one verdict.",
        version: Release.version)

    @OptionGroup var options: RouterOptions
    @OptionGroup var supervision: Supervision

    static func main() {
        Program.run(RouterCommand.self)
    }

    func run() throws {
        supervision.followParent()
        let settings = try RouterSettings(options.given)
        var logger = Logger(label: "bifrons-router") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        let service = try RouterService(settings: settings, logger: logger)
        supervision.announceReady(
            "clients at \(settings.clientEndpoint), workers at \(settings.workerEndpoint)")
        try service.run()
    }
}

import ArgumentParser
import BifronsWire
import Logging
import RouterService
import Settings

@main
struct RouterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-router",
        abstract: "Admits image jobs, hands each to a worker of every model and merges the scores into one verdict.",
        version: Release.version)

    @OptionGroup var options: RouterOptions

    static func main() {
        Program.run(RouterCommand.self)
    }

    func run() throws {
        options.service.followParent()
        let settings = try RouterSettings(options)
        var logger = Logger(label: "bifrons-router") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        let service = try RouterService(settings: settings, logger: logger)
        options.service.supervision.announceReady(
            "clients at \(settings.clientEndpoint), workers at \(settings.workerEndpoint)")
        try service.run()
    }
}

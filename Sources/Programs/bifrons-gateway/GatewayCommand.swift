import ArgumentParser
import BifronsWire
import Gateway
import Logging
import ProcessSupport
import Settings

@main
struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-gateway",
        abstract: "Serves the web pages, the HTTP API and metrics, as a client of the routers.",
        version: Release.version)

    @OptionGroup var options: GatewayOptions
    @OptionGroup var supervision: Supervision

    static func main() {
        Program.run(GatewayCommand.self)
    }

    func run() throws {
        supervision.followParent()
        let settings = try GatewaySettings(options.given)
        var logger = Logger(label: "bifrons-gateway") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        let service = try GatewayService(settings: settings, logger: logger)
        try service.run { [supervision] in supervision.announceReady("pages and HTTP API at \($0)") }
    }
}

import ArgumentParser
import BifronsWire
import Glibc
import Logging
import Settings
import WorkerService

@main
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-worker",
        abstract: "Serves one model: a locator cuts faces out of the images that routers send, a network scores them.",
        version: Release.version)

    @OptionGroup var options: WorkerOptions

    static func main() {
        Program.run(WorkerCommand.self)
    }

    func run() throws {
        options.service.followParent()
        let settings = try WorkerSettings(options)
        var logger = Logger(label: "bifrons-worker") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        do {
            let service = try WorkerService(settings: settings, logger: logger)
            let supervision = options.service.supervision
            service.onWelcome = { supervision.announceReady("serves \($0)") }
            if try service.run() == .abandoned { _exit(EXIT_SUCCESS) }
        } catch let error as UnfitWorker {
            printError("bifrons-worker: \(error)")
            // Its threads may be at work yet, and must not have the engine's memory taken from under them.
            _exit(UnfitWorker.exitStatus)
        }
    }
}

import ArgumentParser
import BifronsWire
import Glibc
import Logging
import ProcessSupport
import Settings
import WorkerService

@main
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-worker",
        abstract: """
            Serves one model: a locator crops the faces of images, or a network scores such crops. Or finds one kind \
            of evidence about images.
            """,
        discussion: "SIGHUP makes a worker of known images read its banks again.",
        version: Release.version)

    @OptionGroup var options: WorkerOptions
    @OptionGroup var supervision: Supervision

    static func main() {
        Program.run(WorkerCommand.self)
    }

    func run() throws {
        supervision.followParent()
        let settings = try WorkerSettings(options.given)
        var logger = Logger(label: "bifrons-worker") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = settings.logLevel
        do {
            let service = try WorkerService(settings: settings, logger: logger)
            service.entersSandbox = true
            service.onWelcome = { [supervision] in supervision.announceReady("serves \($0)") }
            if try service.run() == .abandoned { _exit(EXIT_SUCCESS) }
        } catch let error as UnfitWorker {
            printError("bifrons-worker: \(error)")
            // A normal exit would free the engine's memory, which the worker's threads may still use.
            _exit(EX_CONFIG)
        }
    }
}

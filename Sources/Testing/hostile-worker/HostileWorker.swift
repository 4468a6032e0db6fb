import ArgumentParser
import Glibc
import Logging
import ProcessSupport
import Settings
import WorkerService

/// A locator's worker whose decoder does what an image tells it, as one that an image has taken over. It is the real
/// worker service in the real sandbox; only the model is replaced.
@main
struct HostileWorker: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "hostile-worker")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var supervision: Supervision

    static func main() {
        Program.run(HostileWorker.self)
    }

    func run() throws {
        supervision.followParent()
        let settings = try WorkerSettings(options.given)
        let logger = Logger(label: "hostile-worker") { StreamLogHandler.standardError(label: $0) }
        do {
            // The decoder's own thread starts with the model, as those of the engine do.
            let service = try WorkerService(settings: settings, logger: logger) { .locator(try HostileDecoder()) }
            service.entersSandbox = true
            if try service.run() == .abandoned { _exit(EXIT_SUCCESS) }
        } catch let error as UnfitWorker {
            printError("hostile-worker: \(error)")
            _exit(EX_CONFIG)
        }
    }
}

import ArgumentParser
import Glibc
import Reactor
import Settings

/// The command `bifrons up`.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: """
            Runs a router, a gateway, and workers of the locator, every model and every kind of evidence, and keeps \
            them running.
            """,
        discussion: """
            ctrl-C drains: it stops the programs after they have answered the jobs in flight. A second ctrl-C stops \
            them at once. With keys or banks of known images, and without a terminal, for instance under a service \
            manager, SIGHUP makes the router read the list of keys and the workers read the banks again.
            """)

    @OptionGroup var options: ClusterOptions

    func run() throws {
        try CommandError.report {
            let settings = try ClusterSettings(options.given)
            let ensemble = try ClusterPlan.ensemble(settings)
            let plan = ClusterPlan(settings, ensemble, executables: try ClusterPlan.executables())
            printLine(ClusterPlan.summary(settings, ensemble))
            let signals = try SignalDescriptor([.terminate, .interrupt, .hangUp])
            var timing = Supervisor.Timing()
            timing.patience = settings.router.drainTime + .seconds(2)
            let cluster = Cluster(plan, timing: timing) { notice in
                switch notice {
                case .told(let line): printLine(line)
                case .allReady: printLine(Self.hint(settings))
                case .finished(let status): if status == 0 { printLine("all drained") }
                }
            }
            // A closing terminal sends SIGHUP too, which means that the cluster should stop.
            let canReload = plan.children.contains { $0.child.reloads } && !Self.hasTerminal
            let status = try cluster.run(orders: signals.descriptor) {
                var orders: [Supervisor.Event] = []
                while let signal = signals.receive() {
                    orders.append(signal == .hangUp && canReload ? .reload : .stop)
                }
                return orders
            }
            if status != 0 { throw ExitCode(status) }
        }
    }

    /// Returns a hint how to submit an image, with a command that works in a shell from any folder.
    static func hint(_ settings: ClusterSettings, program: String = CommandLine.arguments[0]) -> String {
        // A name without a slash was found in PATH and will be found there again.
        let program = program.contains("/") ? absolute(program) : program
        var words = [program, "classify", "--router=\(settings.clientPeer)"]
        if let keys = settings.router.keys {
            let hasKey = ["client", "operator"].contains { access("\(keys)/\($0).secret", R_OK) == 0 }
            guard hasKey else { return "submit to \(settings.clientPeer) with the key of a client or an operator" }
            words.append("--keys=\(absolute(keys))")
        }
        let command = words.map(\.shellQuoted).joined(separator: " ")
        return "submit to \(settings.clientPeer), for instance: \(command) IMAGE"
    }

    private static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Whether the process has a controlling terminal, which would send SIGHUP when it closes.
    private static var hasTerminal: Bool {
        let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        close(terminal)
        return true
    }
}

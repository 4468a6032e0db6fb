import ArgumentParser
import Reactor
import Settings

/// `bifrons up`.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Runs a router, workers for every model and a gateway, and keeps them running.",
        discussion: "ctrl-C drains: jobs in flight are answered first. A second ctrl-C does not wait.")

    @OptionGroup var options: ClusterOptions

    func run() throws {
        try CommandError.report {
            let settings = try ClusterSettings(options)
            let models = try ClusterPlan.models(in: settings.router.modelsFolder)
            let plan = ClusterPlan(settings, models: models, executables: try ClusterPlan.executables())
            let signals = try SignalDescriptor([.terminate, .interrupt, .hangUp])
            var timing = Supervisor.Timing()
            timing.patience = settings.router.drainTime + .seconds(2)
            let cluster = Cluster(plan, timing: timing) { notice in
                switch notice {
                case .told(let line): printLine(line)
                case .allReady: printLine("submit to \(settings.clientPeer), for instance: bifrons classify IMAGE")
                case .finished(let status): if status == 0 { printLine("all drained") }
                }
            }
            let status = try cluster.run(stop: signals.descriptor) {
                var count = 0
                while signals.receive() != nil { count += 1 }
                return count
            }
            if status != 0 { throw ExitCode(status) }
        }
    }
}

import ArgumentParser
import Glibc

struct FailoverBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover", abstract: "Two workers of each kind under load; one of each is killed with SIGKILL.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Seconds of load.") var seconds = 8.0
    @Option(help: "Jobs in flight.") var window = 32

    func run() throws {
        let cluster = try Cluster(product, locators: 2, workersPerModel: 2)
        defer { cluster.stop() }
        let load = try Load(endpoint: cluster.clientEndpoint, images: benchmarkImages(bytes: 100_000), window: window)
        try load.waitUntilServed(models: Cluster.models)
        let calm = try load.run(seconds: seconds)
        report("all workers", calm)
        var elapsed = 0
        let outcome = try load.run(seconds: seconds) { _ in
            elapsed += 1
            let kind = elapsed - 2
            if cluster.workers.indices.contains(kind) { cluster.workers[kind][0].signal(SIGKILL) }
        }
        report("one of each killed", outcome)
        guard outcome.failures == 0 else { throw ExitCode.failure }
    }

    private func report(_ name: String, _ outcome: Load.Outcome) {
        print(
            "\(name): \(outcome.answers) answers, \(outcome.failures) failures, \(rounded(outcome.perSecond, 1))/s, "
                + "p50 \(rounded(outcome.milliseconds(50), 1)) ms, p99 \(rounded(outcome.milliseconds(99), 1)) ms, "
                + "max \(rounded(outcome.milliseconds(100), 1)) ms")
    }
}

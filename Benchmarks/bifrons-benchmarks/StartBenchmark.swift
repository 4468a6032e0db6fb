import ArgumentParser
import BifronsWire
import Reactor

struct StartBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Seconds from `bifrons up` to the first verdict of both networks.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Rounds.") var rounds = 5

    func run() throws {
        let images = benchmarkImages(bytes: 100_000, count: 1)
        var seconds: [Double] = []
        for round in 1...rounds {
            let (clientEndpoint, workerEndpoint) = freeTCPEndpoints()
            let start = MonotonicClock.now()
            let cluster = try ChildProcess(
                "\(product.bin)/bifrons",
                [
                    "up", "--models-folder", product.models, "--client-endpoint", clientEndpoint,
                    "--worker-endpoint", workerEndpoint, "--http-port", "0",
                ])
            defer { cluster.stop() }
            let load = try Load(endpoint: clientEndpoint, images: images, window: 1)
            try load.waitUntilServed(models: Cluster.models)
            let outcome = try load.run(jobs: 1)
            let elapsed = (MonotonicClock.now() - start).milliseconds / 1000
            guard outcome.failures == 0 else { throw ExitCode.failure }
            print("round \(round): \(rounded(elapsed, 3)) s")
            seconds.append(elapsed)
        }
        print(
            "start to first verdict: \(rounded(median(seconds), 3)) s (median of \(seconds.count)), "
                + "at most \(rounded(seconds.max() ?? .nan, 3)) s")
        tell((seconds.max() ?? .infinity) <= 3, "at most 3 s with a warm cache of compiled models")
    }
}

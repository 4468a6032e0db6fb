import ArgumentParser
import Decisions
import Foundation
import RouterCore

/// Simulates the effect of more workers and more routers.
struct ScalingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scaling",
        abstract: "Simulates the real router and worker cores with up to 1,000 workers of each kind and 16 routers.")

    @Option(help: "Numbers of workers of each model and of the locator.") var workers = "1,3,10,30,100,300,1000"
    @Option(help: "Numbers of routers.") var routers = "1,2,4,8,16"
    @Option(help: "Milliseconds of one core from an image's file to its crops.") var locator = 10.0
    @Option(help: "Milliseconds of one core for the crops of an image in resnet.") var resnet = 16.0
    @Option(help: "The same in inception.") var inception = 10.0
    @Option(help: "Microseconds of a router's CPU for a message in or out, beside the core's.") var socket = 3.0
    @Option(help: "Microseconds of it for an image in one; crops take their share.") var image = 59.0
    @Option(help: "Bytes of an image.") var imageBytes = 100_000
    @Option(help: "Gigabits a second of a router's network connection.") var gigabits = 10.0
    @Option(help: "Microseconds on the way between two processes.") var network = 100
    @Option(help: "Simulated seconds of each measurement.") var seconds = 1.0
    @Option(help: "What decides on chance.") var seed: UInt64 = 1
    @Option(help: "A file to write the table to, as CSV.") var csv: String?

    func run() throws {
        let ensemble = try Self.ensemble()
        var table =
            "workers,routers,jobs_per_second,p50_ms,p99_ms,batch,router_busy,core_us,"
            + "open_jobs_per_second,open_p50_ms,open_p99_ms,open_failures\n"
        print("each kind's workers, routers | as much as goes: jobs/s, p50, p99 ms, batch, router busy, core µs a job")
        print("                              | 70 % of that: jobs/s, p50, p99 ms, failures")
        for workers in try Self.numbers(workers) {
            for routers in try Self.numbers(routers) {
                var parameters = Simulation.Parameters()
                parameters.routers = routers
                parameters.workers = workers
                parameters.seed = seed
                parameters.imageBytes = imageBytes
                parameters.bandwidth = gigabits * 1e9
                parameters.networkDelay = .microseconds(network)
                parameters.socketTime = .nanoseconds(Int64(socket * 1000))
                parameters.imageTime = .nanoseconds(Int64(image * 1000))
                parameters.cuttingTime = .nanoseconds(Int64(locator * 1e6))
                parameters.scoringTimes = [
                    ("resnet", .nanoseconds(Int64(resnet * 1e6))), ("inception", .nanoseconds(Int64(inception * 1e6))),
                ]
                // One and a half times what the workers' credit covers, limited to what the routers hold.
                let window = min(24 * workers, 3500 * routers)
                var closed = Simulation(parameters, ensemble: ensemble)
                let most = closed.run(
                    .closed(window: window), warmUp: .seconds(1), measured: .nanoseconds(Int64(seconds * 1e9)))
                var open = Simulation(parameters, ensemble: ensemble)
                let usual = open.run(
                    .open(perSecond: 0.7 * most.perSecond), warmUp: .seconds(1),
                    measured: .nanoseconds(Int64(seconds * 1e9)))
                let batch = Double(most.crops) / Double(max(1, most.batches))
                let left = [
                    "\(workers)", "\(routers)", rounded(most.perSecond, 0), rounded(most.percentile(0.5), 1),
                    rounded(most.percentile(0.99), 1), rounded(batch, 1), rounded(most.utilization),
                    rounded(most.coreMicroseconds, 1),
                ]
                let right = [
                    rounded(usual.perSecond, 0), rounded(usual.percentile(0.5), 1),
                    rounded(usual.percentile(0.99), 1), "\(usual.failures)",
                ]
                print("\(left.joined(separator: "  ")) | \(right.joined(separator: "  "))")
                table += (left + right).joined(separator: ",") + "\n"
            }
        }
        if let csv { try table.write(toFile: csv, atomically: true, encoding: .utf8) }
    }

    private static func numbers(_ list: String) throws -> [Int] {
        try list.split(separator: ",").map { part in
            guard let number = Int(part), number > 0 else {
                throw ValidationError("'\(part)' is not a number from 1 up")
            }
            return number
        }
    }

    private static func ensemble() throws -> Ensemble {
        let models = Cluster.models
        let half = Ensemble.Blend(bias: 0, weights: [0.5, 0.5])
        return try Ensemble(
            models: models,
            merge: models.map { ([$0], Ensemble.Blend(bias: 0, weights: [1])) } + [(models, half)],
            policies: ["default": Policy(review: 0.5, block: 0.9)])
    }
}

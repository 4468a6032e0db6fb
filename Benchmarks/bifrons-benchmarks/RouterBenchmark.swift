import ArgumentParser
import Foundation

/// A broker, either the router or the bare forwarder, with the same stub workers and the same client.
struct Rig {
    let broker: ChildProcess
    let workers: [StubWorker]
    let load: Load

    init(broker path: String, _ arguments: [String], imageBytes: Int, window: Int) throws {
        let (clientEndpoint, workerEndpoint) = freeTCPEndpoints()
        broker = try ChildProcess(
            path, arguments + ["--client-endpoint", clientEndpoint, "--worker-endpoint", workerEndpoint])
        workers = try StubWorker.cluster.map { try StubWorker(model: $0.model, role: $0.role, router: workerEndpoint) }
        load = try Load(
            endpoint: clientEndpoint, images: [[UInt8](repeating: 0x55, count: imageBytes)], window: window)
        try load.waitUntilServed(models: Cluster.models)
    }

    func stop() {
        for worker in workers { worker.stop() }
        broker.stop()
    }
}

struct RouterBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router", abstract: "Jobs a second through the router and through a bare forwarder.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Bytes of an image.") var imageBytes = 1000
    @Option(help: "Jobs in flight.") var window = 64
    @Option(help: "Seconds a measurement.") var seconds = 4.0
    @Option(help: "Rounds.") var rounds = 5

    func run() throws {
        var speed: [Double] = []
        var cost: [Double] = []
        for round in 1...rounds {
            let bare = try measure(CommandLine.arguments[0], ["forward"])
            let router = try measure("\(product.bin)/bifrons-router", ["--models-folder", product.models])
            speed.append(router.perSecond / bare.perSecond)
            cost.append(router.microseconds / bare.microseconds)
            print("round \(round): forwarder \(bare), router \(router), ratio \(rounded(speed[round - 1]))")
        }
        print(
            "router / forwarder at \(imageBytes) bytes: \(rounded(median(speed))) of the jobs a second, "
                + "\(rounded(median(cost))) of the CPU time a job (medians of \(rounds))")
        tell(median(speed) >= 0.6, "at least 0.60 of a bare forwarder's jobs a second")
    }

    private struct Measurement: CustomStringConvertible {
        var perSecond: Double
        /// The broker's processor time per job, in microseconds.
        var microseconds: Double

        var description: String { "\(Int(perSecond)) jobs/s at \(rounded(microseconds, 1)) µs of CPU" }
    }

    private func measure(_ path: String, _ arguments: [String]) throws -> Measurement {
        let rig = try Rig(broker: path, arguments, imageBytes: imageBytes, window: window)
        defer { rig.stop() }
        _ = try rig.load.run(seconds: 0.5)
        let before = rig.broker.cpuSeconds
        let outcome = try rig.load.run(seconds: seconds)
        let spent = rig.broker.cpuSeconds - before
        return Measurement(perSecond: outcome.perSecond, microseconds: spent * 1e6 / Double(outcome.answers))
    }
}

struct MemoryBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory", abstract: "Resident memory of the router, idle and over many small jobs.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Jobs.") var jobs = 200_000
    @Option(help: "Bytes of an image.") var imageBytes = 1000

    func run() throws {
        let rig = try Rig(
            broker: "\(product.bin)/bifrons-router", ["--models-folder", product.models], imageBytes: imageBytes,
            window: 64)
        defer { rig.stop() }
        func megabytes() -> Double { Double(rig.broker.residentBytes) / 1e6 }
        let idle = megabytes()
        print("idle: \(rounded(idle)) MB")
        // First the pools and the allocator's arenas fill up to the window's size.
        _ = try rig.load.run(jobs: jobs / 20)
        var samples = [megabytes()]
        let outcome = try rig.load.run(jobs: jobs) { _ in samples.append(megabytes()) }
        samples.append(megabytes())
        let (least, most) = (samples.min() ?? .nan, samples.max() ?? .nan)
        print("over \(jobs) jobs: \(rounded(least)) to \(rounded(most)) MB, \(outcome.failures) failures")
        tell(idle <= 40, "at most 40 MB when idle")
        tell(most - least <= 4 && outcome.failures == 0, "flat within 2 MB to either side, and nothing fails")
    }
}

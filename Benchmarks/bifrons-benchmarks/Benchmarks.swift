import ArgumentParser

/// Measures Bifrons against the bare minimum. Every ratio is the median of several rounds that alternate within one
/// run.
@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bifrons-benchmarks",
        abstract: "Measures the router against a bare forwarder and the whole against the engine alone.",
        subcommands: [
            AllBenchmarks.self, RouterBenchmark.self, MemoryBenchmark.self, SaturationBenchmark.self,
            LatencyBenchmark.self, JournalBenchmark.self, GatewayBenchmark.self,
            ImageBenchmark.self, KnownImagesBenchmark.self, PrecisionBenchmark.self, StartBenchmark.self,
            DecodingBenchmark.self, FailoverBenchmark.self, ProvenanceBenchmark.self, ScalingBenchmark.self,
            ForwarderCommand.self,
        ], defaultSubcommand: AllBenchmarks.self)
}

struct AllBenchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "all", abstract: "Every benchmark in turn.")

    func run() throws {
        let runs: [(any ParsableCommand.Type, [String])] = [
            (RouterBenchmark.self, []), (RouterBenchmark.self, ["--image-bytes", "100000"]), (MemoryBenchmark.self, []),
            (JournalBenchmark.self, []), (SaturationBenchmark.self, []), (LatencyBenchmark.self, []),
            (GatewayBenchmark.self, []), (ImageBenchmark.self, []), (KnownImagesBenchmark.self, []),
            (PrecisionBenchmark.self, []), (StartBenchmark.self, []), (FailoverBenchmark.self, []),
        ]
        for (benchmark, arguments) in runs {
            print("\n\(benchmark.configuration.commandName ?? "") \(arguments.joined(separator: " "))")
            var command = try benchmark.parseAsRoot(arguments)
            try command.run()
        }
    }
}

/// The location of the product's release build and models.
struct ProductOptions: ParsableArguments {
    @Option(help: "The folder of the executables.")
    var bin = ".build/release"

    @Option(help: "The folder of the models.")
    var models = "Models"
}

/// Prints whether a number reaches what the project promises.
func tell(_ isReached: Bool, _ promise: String) {
    print("  \(isReached ? "reached" : "NOT REACHED"): \(promise)")
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Returns `value` rounded to `digits` decimals.
func rounded(_ value: Double, _ digits: Int = 2) -> String {
    var unit = 1.0
    for _ in 0..<digits { unit *= 10 }
    return "\((value * unit).rounded() / unit)"
}

import ArgumentParser

struct SaturationBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "saturation", abstract: "Verdicts a second of the whole against the engine alone, both models.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Jobs in flight.") var window = 32
    @Option(help: "Images a batch, on both sides.") var maxBatch = 8
    @Option(help: "Bytes of an image, about.") var imageBytes = 100_000
    @Option(help: "Seconds a measurement.") var seconds = 8.0
    @Option(help: "Rounds.") var rounds = 5

    func run() throws {
        let images = benchmarkImages(bytes: imageBytes)
        let bare = Bare(product)
        var ratios: [Double] = []
        var peak = 0.0
        for round in 1...rounds {
            let alone = try bare.imagesPerSecond(images, batch: maxBatch, seconds: seconds)
            let cluster = try Cluster(product, maxBatch: maxBatch)
            defer { cluster.stop() }
            let load = try Load(endpoint: cluster.clientEndpoint, images: images, window: window)
            try load.waitUntilServed(models: Cluster.models)
            _ = try load.run(seconds: 1)
            let whole = try load.run(seconds: seconds)
            ratios.append(whole.perSecond / alone)
            let resident = cluster.workers.joined().map { Double($0.peakResidentBytes) / 1e6 }
            peak = max(peak, resident.max() ?? .nan)
            print(
                "round \(round): engine alone \(rounded(alone, 1))/s, whole \(rounded(whole.perSecond, 1))/s, "
                    + "ratio \(rounded(whole.perSecond / alone, 3)), failures \(whole.failures), "
                    + "workers at most \(rounded(resident.max() ?? .nan, 1)) MB")
        }
        print("whole / engine alone: \(rounded(median(ratios), 3)) (median of \(rounds))")
        tell(median(ratios) >= 0.9, "at least 0.90 of what the engine does alone")
        tell(peak <= 220, "a worker has at most 220 MB resident")
    }
}

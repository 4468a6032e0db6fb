import ArgumentParser

struct LatencyBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "What router and worker add to decode, preprocess and inference, one job in flight.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Bytes of an image, about.") var imageBytes = 100_000
    @Option(help: "Jobs a round.") var jobs = 300
    @Option(help: "Rounds.") var rounds = 9

    func run() throws {
        let images = benchmarkImages(bytes: imageBytes, count: 1)
        let bare = Bare(product)
        var added: [Double] = []
        for round in 1...rounds {
            let alone = median(try bare.latencies(images[0], rounds: jobs))
            let cluster = try Cluster(product)
            defer { cluster.stop() }
            let load = try Load(endpoint: cluster.clientEndpoint, images: images, window: 1)
            try load.waitUntilServed(models: Cluster.models)
            _ = try load.run(jobs: 20)
            let whole = try load.run(jobs: jobs).milliseconds(50)
            added.append(whole - alone)
            print(
                "round \(round): bare \(rounded(alone, 3)) ms, whole \(rounded(whole, 3)) ms, added \(rounded(whole - alone, 3)) ms"
            )
        }
        print(
            "added at \(images[0].count) bytes: \(rounded(median(added), 3)) ms (median of medians, \(rounds) rounds)")
        tell(median(added) <= 1, "at most 1 ms added at 100 KB")
    }
}

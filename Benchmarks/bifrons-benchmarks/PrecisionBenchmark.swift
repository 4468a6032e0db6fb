import ArgumentParser
import BifronsWire
import Inference

/// Compares the number formats f32, bf16 and int8 with the same images and model.
struct PrecisionBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "precisions", abstract: "Scoring in f32, bf16 and int8, in images a second of CPU time.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Rounds.") var rounds = 15
    @Option(help: "Images of one batch.") var batch = 8

    func run() throws {
        let engine = try Engine.load()
        for name in Cluster.models {
            var models: [Model] = []
            for precision in Manifest.Precision.allCases {
                do {
                    models.append(
                        try Model(folder: "\(product.models)/\(name)", engine: engine, precision: precision))
                } catch {
                    guard precision == .int8, error.code == .manifestInvalid else { throw error }
                    print("\(error)")
                }
            }
            let bytes = batch * models[0].manifest.cropGeometry.byteCount
            let crops = (0..<bytes).map { UInt8(($0 &* 40503) >> 4 & 0xFF) }
            func score(_ model: Model) throws { _ = try crops.withUnsafeBytes { try model.score(crops: $0) } }
            for model in models { try score(model) }
            // The models alternate, so that disturbances from the rest of the machine affect all of them.
            var speeds = models.map { _ in [Double]() }
            for _ in 0..<rounds {
                for (index, model) in models.enumerated() {
                    let start = CPUClock.process()
                    for _ in 0..<4 { try score(model) }
                    speeds[index].append(Double(4000 * batch) / (CPUClock.process() - start).milliseconds)
                }
            }
            let ratios = speeds.map { speed in median(zip(speed, speeds[0]).map { $0 / $1 }) }
            for (index, model) in models.enumerated() {
                print(
                    "\(name) in \(model.manifest.precision): \(rounded(median(speeds[index]), 0)) images a core-second, "
                        + "\(rounded(ratios[index])) times f32")
            }
            let int8 = models.firstIndex { $0.manifest.precision == .int8 }
            tell(int8.map { ratios[$0] >= 2.5 } ?? false, "int8 is at least 2.5 times as fast as f32")
        }
    }
}

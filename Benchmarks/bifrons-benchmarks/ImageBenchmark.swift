import ArgumentParser
import BifronsWire
import Hashing
import ImageDecoding
import Inference
import TestImages

/// Measures the steps from an image file to its crops.
struct ImageBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        abstract: "From a file to crops, for drawn portraits of 0.7 and 12 megapixels, in milliseconds of CPU time.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Rounds.") var rounds = 30
    @Option(help: "Pixels in a row of the large image.") var width = 4000
    @Option(help: "Its rows.") var height = 3000

    func run() throws {
        let engine = try Engine.load()
        let bench = try Bench(
            locator: Locator(folder: "\(product.models)/locator", engine: engine),
            specification: Model(folder: "\(product.models)/\(Cluster.models[0])", engine: engine).manifest
                .cropGeometry, rounds: rounds)
        // The qualities give files of about 140 kB, and of the size that a camera writes.
        let small = TestImages.jpeg(width: 768, height: 900, quality: 89, subsampled: true, pattern: .portrait)
        tell(try bench.measure(small).whole <= 5, "a portrait takes at most 5 ms from file to crops")
        let huge = TestImages.jpeg(width: width, height: height, quality: 85, subsampled: true, pattern: .portrait)
        let times = try bench.measure(huge)
        tell(times.locating <= 4, "locating takes at most 4 ms")
        if width * height <= 12_000_000 {
            tell(times.decoding <= 35, "decoding 12 megapixels takes at most 35 ms")
            tell(times.whole <= 20, "12 megapixels take at most 20 ms from file to crops")
        }
    }

    private struct Bench {
        var locator: Locator
        var specification: CropGeometry
        var rounds: Int

        /// Measures and prints the time of each step.
        ///
        /// - Returns: The milliseconds of decoding, of locating, and of all steps together.
        func measure(_ file: [UInt8]) throws -> (decoding: Double, locating: Double, whole: Double) {
            let decoder = ImageDecoder()
            let cutter = ImageCutter(locator: locator, decoder: decoder)
            let image = try decoder.decode(file, reduction: ImageCutter.locatingReduction)
            let cut = try file.withUnsafeBytes { try cutter.cut($0, as: [specification]) }
            let times = try medians([
                { _ = try decoder.decode(file, reduction: ImageCutter.locatingReduction) },
                { _ = try locator.faces(in: image) },
                { _ = SHA256.hexDigest(of: file) },
                { _ = try file.withUnsafeBytes { try cutter.cut($0, as: [specification]) } },
            ])
            let (decoding, locating, hashing, whole) = (times[0], times[1], times[2], times[3])
            print(
                "\(image.width) × \(image.height), \(file.count / 1000) kB, decoded to 1/\(image.reduction), "
                    + "\(cut.faces.count) faces, medians of \(rounds) in ms: decoding \(rounded(decoding)), "
                    + "locating \(rounded(locating)), "
                    + "cutting (what is left) \(rounded(whole - decoding - locating)), whole \(rounded(whole)); "
                    + "SHA-256 \(rounded(hashing, 3))")
            return (decoding, locating, whole)
        }

        /// Returns the median time of each step over all rounds, in milliseconds. The steps alternate, so that
        /// disturbances from the rest of the machine affect all of them.
        private func medians(_ parts: [() throws -> Void]) throws -> [Double] {
            var times = parts.map { _ in [Double]() }
            for round in 0..<(rounds + 3) {
                for (index, part) in parts.enumerated() {
                    let start = CPUClock.process()
                    try part()
                    if round >= 3 { times[index].append((CPUClock.process() - start).milliseconds) }
                }
            }
            return times.map { median($0) }
        }
    }
}

import ArgumentParser
import Foundation
import ImageDecoding
import Inference
import TestImages
import Wire

/// What a picture costs before it is scored.
struct PictureBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pictures", abstract: "Decoding of 12 megapixels and locating, in milliseconds of CPU time.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Rounds.") var rounds = 30
    @Option(help: "Pixels in a row of the picture that is made.") var width = 4000
    @Option(help: "Its rows.") var height = 3000
    @Option(help: "A JPEG to decode and locate instead of one that is made.") var image: String?

    func run() throws {
        let file: [UInt8]
        if let image {
            file = [UInt8](try Data(contentsOf: URL(filePath: image)))
        } else {
            file = TestImages.jpeg(width: width, height: height, quality: 85, subsampled: true)
        }
        let decoder = ImageDecoder()
        let engine = try Engine.load()
        let locator = try Locator(folder: "\(product.models)/locator", engine: engine)
        let model = try Model(folder: "\(product.models)/\(Cluster.models[0])", engine: engine)
        let cutter = PictureCutter(locator: locator, decoder: decoder)
        let picture = try file.withUnsafeBytes { try decoder.decode($0, reduction: PictureCutter.locatingReduction) }

        let decoding = try time { _ = try decoder.decode(file, reduction: PictureCutter.locatingReduction) }
        let locating = try time { _ = try locator.faces(in: picture) }
        let reading = try time {
            _ = try file.withUnsafeBytes { try cutter.cut($0, as: [model.manifest.cropSpecification]) }
        }
        print(
            "\(picture.width) × \(picture.height), \(file.count / 1000) kB, 1/\(picture.reduction), "
                + "medians of \(rounds): decoding \(rounded(decoding)) ms, locating \(rounded(locating)) ms, "
                + "file to crops \(rounded(reading)) ms")
        tell(locating <= 4, "locating takes at most 4 ms")
        if picture.width * picture.height <= 12_000_000 {
            tell(decoding <= 35, "decoding 12 megapixels takes at most 35 ms")
        }
    }

    /// The median of the rounds, in milliseconds.
    private func time(_ body: () throws -> Void) throws -> Double {
        for _ in 0..<3 { try body() }
        return median(
            try (0..<rounds).map { _ in
                let start = CPUClock.process()
                try body()
                return (CPUClock.process() - start).milliseconds
            })
    }
}

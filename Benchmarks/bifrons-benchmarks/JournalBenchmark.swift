import ArgumentParser
import BifronsWire
import Foundation

/// Measures how fast durable jobs are acknowledged. Each 202 means that the job is on disk.
struct JournalBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Durable jobs a second that are acknowledged, and the disk's own pace.")

    @OptionGroup var product: ProductOptions
    @Option(help: "Bytes of an image.") var imageBytes = 1000
    @Option(help: "Jobs in flight.") var window = 256
    @Option(help: "Seconds a measurement.") var seconds = 4.0
    @Option(help: "Rounds.") var rounds = 5
    @Option(help: "A folder on the disk that is to be measured.") var folder = NSTemporaryDirectory()

    func run() throws {
        var speed: [Double] = []
        for round in 1...rounds {
            let outcome = try measure()
            speed.append(outcome.perSecond)
            print(
                "round \(round): \(Int(outcome.perSecond)) jobs/s acknowledged, p50 \(rounded(outcome.milliseconds(50))) "
                    + "ms, p99 \(rounded(outcome.milliseconds(99))) ms, \(outcome.failures) failures")
            guard outcome.failures == 0 else { throw ExitCode.failure }
        }
        print("acknowledged at \(imageBytes) bytes: \(Int(median(speed))) durable jobs/s (median of \(rounds))")
        tell(median(speed) >= 2000, "at least 2,000 durable jobs a second acknowledged")
    }

    private func measure() throws -> Load.Outcome {
        let journal = folder + "/bifrons-journal-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: journal) }
        let rig = try Rig(
            broker: "\(product.bin)/bifrons-router",
            [
                "--models-folder", product.models, "--journal", journal, "--max-jobs", "1000000", "--max-client-jobs",
                "1000000",
            ],
            imageBytes: imageBytes, window: window)
        defer { rig.stop() }
        rig.load.isDurable = true
        // Jobs are acknowledged faster than the stub workers score them, and none may be refused for that.
        rig.load.budgetMilliseconds = Limits.budgetMilliseconds.upperBound
        _ = try rig.load.run(seconds: 0.5)
        return try rig.load.run(seconds: seconds)
    }
}

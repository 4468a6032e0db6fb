import ArgumentParser
import BifronsWire
import Foundation
import Provenance

/// Measures reading what files say about their origin.
struct ProvenanceBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provenance",
        abstract: "Reads the evidence of all files in a folder, in milliseconds of CPU time.")

    @Argument(help: "The folder of files.") var files: String
    @Option(help: "A PEM file of trusted certificates.") var anchors: String?
    @Option(help: "Rounds.") var rounds = 20

    func run() throws {
        let anchors = try anchors.map { try TrustAnchors(pem: [UInt8](Data(contentsOf: URL(filePath: $0)))) }
        let reader = ProvenanceReader(anchors: anchors ?? .none)
        let now = Int(Date.now.timeIntervalSince1970)
        var times: [Double] = []
        var worst = (file: "", milliseconds: 0.0)
        var outcomes: [String: Int] = [:]
        let clock: () -> Duration = { .nanoseconds(CPUClock.thread().nanoseconds) }
        for name in try FileManager.default.contentsOfDirectory(atPath: files).sorted() {
            let file = [UInt8](try Data(contentsOf: URL(filePath: "\(files)/\(name)")))
            var own: [Double] = []
            for _ in 0..<rounds {
                let began = clock()
                let report = try? file.withUnsafeBytes { try reader.read($0, at: now, processorTime: clock) }
                let took = clock() - began
                own.append(Double(took.components.attoseconds) / 1e15 + Double(took.components.seconds) * 1000)
                let outcome = report.map { "\($0.claim.rawValue), \($0.trust.rawValue)" } ?? "too complex"
                outcomes[outcome, default: 0] += 1
            }
            times.append(median(own))
            if median(own) > worst.milliseconds { worst = (name, median(own)) }
        }
        print(
            "\(times.count) files, \(rounds) rounds, CPU time in ms: median \(rounded(median(times), 3)), ",
            terminator: "")
        print("worst \(rounded(worst.milliseconds, 3)) (\(worst.file))")
        for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { print("  \(outcome): \(count / rounds)") }
        tell(median(times) <= 2, "at most 2 ms at the median")
        tell(worst.milliseconds <= 52, "at most 50 ms at worst, and no more than 2 ms beyond the limit")
    }
}

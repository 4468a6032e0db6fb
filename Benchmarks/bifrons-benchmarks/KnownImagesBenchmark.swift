import ArgumentParser
import BifronsWire
import Foundation
import ImageDecoding
import KnownImages
import TestImages
import TestKit

/// Measures how long banks take to be loaded, and images to be looked up in them, on one core.
struct KnownImagesBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "known-images",
        abstract: "Looking images up among ten million hashes, in milliseconds of one core; memory of a hash.")

    @Option(help: "Hashes in the bank.") var hashes = 10_000_000
    @Option(help: "Lookups of each kind.") var lookups = 300
    @Option(help: "Rounds of hashing an image.") var rounds = 10

    func run() throws {
        try measureHashing()
        let folder = ScratchFolder()
        let examples = try write(into: folder.path)
        let before = residentBytes()
        let start = CPUClock.process()
        let banks = try Banks.load(folder: folder.path)
        let loading = (CPUClock.process() - start).milliseconds / 1000
        let memory = Double(residentBytes() - before) / Double(hashes)
        print("\(banks.count) hashes loaded in \(rounded(loading)) s, \(rounded(memory, 1)) bytes a hash")
        var random = SeededGenerator(seed: 2)
        try measure("of unknown images", banks, matches: 0...0) { Self.bits(&random) }
        try measure("31 bits away from a known one", banks, matches: 1...4) {
            Self.flipped(examples.known[Int.random(in: examples.known.indices, using: &random)], 31, &random)
        }
        try measure("near 10,000 alike", banks, matches: 4...4) { Self.flipped(examples.alike, 5, &random) }
        try measureIndex(&random)
    }

    /// Measures the index alone, within several distances, and a look at every hash.
    private func measureIndex(_ random: inout SeededGenerator) throws {
        let all = (0..<hashes).map { _ in Self.bits(&random) }
        let start = CPUClock.process()
        let index = HashIndex(all)
        print("the index alone is built in \(rounded((CPUClock.process() - start).milliseconds / 1000)) s")
        for distance in [0, 15, 20, 25, 31] {
            let times = (0..<lookups).map { _ in
                let query = Self.bits(&random)
                return Self.milliseconds { index.search(within: distance, of: query) { _, _ in } }
            }
            print("  within \(distance) bits: \(Self.summary(times))")
        }
        let query = Self.bits(&random)
        var nearest = 256
        let time = Self.milliseconds { for hash in all { nearest = min(nearest, hash.distance(to: query)) } }
        print("  a look at every hash: \(rounded(time)) ms (the nearest one differs in \(nearest) bits)")
    }

    private func measure(
        _ kind: String, _ banks: Banks, matches: ClosedRange<Int>, _ next: () -> Bits256
    ) throws {
        var times: [Double] = []
        for _ in 0..<lookups {
            let pdq = PDQ(hash: next(), quality: 100)
            var report: KnownImageReport?
            times.append(Self.milliseconds { report = banks.report(on: pdq) })
            let found = report?.matches.count ?? 0
            guard matches.contains(found) else { throw ValidationError("\(kind): \(found) matches") }
        }
        print("  \(lookups) lookups \(kind): \(Self.summary(times))")
        tell((times.max() ?? 0) <= 5, "every lookup takes at most 5 ms")
    }

    private func measureHashing() throws {
        for (width, height) in [(768, 900), (1000, 750), (4000, 3000)] {
            let pixels = Pattern.scene.pixels(width: width, height: height)
            let image = RGBImage(width: width, height: height, pixels: pixels)
            var quality = 0
            let times = (0..<rounds).map { _ in Self.milliseconds { quality = PDQ(of: image).quality } }
            print("PDQ of \(width) × \(height): \(Self.summary(times)), quality \(quality)")
        }
    }

    /// Writes a bank of random hashes, of which 10,000 are alike.
    private func write(into folder: String) throws -> (known: [Bits256], alike: Bits256) {
        let json = #"{"schema": 1, "banks": [{"name": "ALL", "kind": "block", "files": ["all.txt"]}]}"#
        try Data(json.utf8).write(to: URL(filePath: "\(folder)/banks.json"))
        let path = "\(folder)/all.txt"
        guard let file = fopen(path, "w") else { throw ValidationError("cannot write \(path)") }
        defer { fclose(file) }
        var random = SeededGenerator(seed: 1)
        let alike = Self.bits(&random)
        var known: [Bits256] = []
        for number in 0..<hashes {
            let bits = number % 1000 == 1 && number < 10_000_000 ? Self.flipped(alike, 10, &random) : Self.bits(&random)
            if number % 1000 == 0, known.count < 1000 { known.append(bits) }
            fputs("pdq \(bits)\n", file)
        }
        return (known, alike)
    }

    private static func bits(_ random: inout SeededGenerator) -> Bits256 {
        Bits256(words: SIMD4(random.next(), random.next(), random.next(), random.next()))
    }

    /// Returns a hash with some of its bits flipped.
    private static func flipped(_ hash: Bits256, _ count: Int, _ random: inout SeededGenerator) -> Bits256 {
        var bytes = hash.bytes
        for bit in (0..<256).shuffled(using: &random).prefix(count) { bytes[bit / 8] ^= 1 << UInt8(bit % 8) }
        return Bits256(bytes: bytes) ?? hash
    }

    private static func milliseconds(_ body: () -> Void) -> Double {
        let start = CPUClock.thread()
        body()
        return (CPUClock.thread() - start).milliseconds
    }

    private static func summary(_ times: [Double]) -> String {
        "\(rounded(median(times), 3)) ms at the median, \(rounded(times.max() ?? .nan, 3)) at most"
    }

    /// Returns the resident memory of this process in bytes.
    private func residentBytes() -> Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages?.dropFirst().first.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

import ArgumentParser
import BifronsWire
import Foundation
import Glibc
import ImageDecoding
import TestImages

/// Measures the decoding of WebP and AVIF against the libraries' own command-line tools.
struct DecodingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decoding",
        abstract: "WebP and AVIF against dwebp and avifdec, in milliseconds of CPU time.",
        discussion: "Needs Debian's packages webp and libavif-bin.")

    @Option(help: "Rounds.") var rounds = 15
    @Option(help: "Pixels in a row of the drawn portrait.") var width = 3000
    @Option(help: "Its rows.") var height = 4000

    /// A format, with the commands that write a file of it from a PNG and that decode it.
    private struct Format {
        let name: String
        let encoder: [String]
        let decoder: [String]
    }

    func run() throws {
        let folder = ScratchFolder()
        let (png, y4m) = ("\(folder.path)/image.png", "\(folder.path)/image.y4m")
        let drawn = TestImages.png(width: width, height: height, pattern: .portrait)
        try Data(drawn).write(to: URL(filePath: png))
        func file(_ name: String) -> String { "\(folder.path)/image.\(name)" }
        // avifdec stops at the planes, and this decoder goes on to RGB.
        let formats = [
            Format(
                name: "webp", encoder: ["cwebp", "-quiet", "-q", "85", png, "-o", file("webp")],
                decoder: ["dwebp", "-quiet", file("webp"), "-ppm", "-o", "/dev/null"]),
            Format(
                name: "avif", encoder: ["avifenc", "--speed", "8", "--yuv", "420", png, file("avif")],
                decoder: ["avifdec", "--jobs", "1", file("avif"), y4m]),
        ]
        for format in formats {
            _ = try cpuTime(of: format.encoder)
            let bytes = Array(try Data(contentsOf: URL(filePath: file(format.name))))
            let decoder = ImageDecoder()
            let image = try decoder.decode(bytes).image
            var (ours, theirs, ratios): ([Double], [Double], [Double]) = ([], [], [])
            for _ in 0..<rounds {
                let start = CPUClock.process()
                _ = try decoder.decode(bytes)
                ours.append((CPUClock.process() - start).milliseconds)
                theirs.append(try cpuTime(of: format.decoder))
                ratios.append(ours.last! / theirs.last!)
            }
            print(
                "\(format.name), \(image.width) × \(image.height), \(bytes.count / 1000) kB, medians of \(rounds) in ms: "
                    + "\(rounded(median(ours))), \(format.decoder[0]) \(rounded(median(theirs))), "
                    + "ratio \(rounded(median(ratios), 3))")
            tell(median(ratios) <= 1.3, "\(format.name) takes at most 1.3 times the time of \(format.decoder[0])")
        }
    }

    /// Runs a command and returns its processor time in milliseconds.
    private func cpuTime(of command: [String]) throws -> Double {
        func children() -> Double {
            var usage = rusage()
            getrusage(RUSAGE_CHILDREN.rawValue, &usage)
            func milliseconds(_ time: timeval) -> Double {
                Double(time.tv_sec) * 1000 + Double(time.tv_usec) / 1000
            }
            return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
        }
        let before = children()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ValidationError("\(command[0]) failed; install Debian's packages webp and libavif-bin")
        }
        return children() - before
    }
}

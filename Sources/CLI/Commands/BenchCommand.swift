import ArgumentParser
import BifronsClient
import BifronsWire
import FoundationEssentials
import Histogram
import ProcessSupport
import Reactor
import Settings
import Synchronization

/// The command `bifrons bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Loads the service, and measures verdicts per second and latencies.",
        discussion: "The number of jobs in flight stays the same: as soon as one is answered, the next is submitted.")

    @Option(help: "A folder of images, or one image.") var images: FileName
    @Option(help: "The number of jobs in flight.") var concurrency = 32
    @Option(help: "How many seconds to measure.") var seconds = 10.0
    @Option(help: "How many seconds to load the service before the measurement.") var warmUp = 2.0
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var options: ClientOptions

    func validate() throws {
        guard (1...4096).contains(concurrency) else { throw ValidationError("--concurrency must be from 1 to 4096") }
        guard seconds > 0, seconds <= 86_400 else {
            throw ValidationError("--seconds must be more than 0, at most 86400")
        }
        guard (0...3600).contains(warmUp) else { throw ValidationError("--warm-up must be from 0 to 3600") }
    }

    func run() async throws {
        let settings = try ClientSettings(options.given)
        try await CommandError.report {
            let limit = Submission.largestImage(settings)
            let load = BenchLoad(ImageSearch([images]).sources, limit: limit)
            let loaded = load.images
            guard !loaded.isEmpty else {
                throw CommandError("no images that can be read in \(images.text.printable)")
            }
            if let omission = load.omission { printError("bifrons: \(omission)") }
            let measurement = try await Submission.withService(settings) { client in
                let options = try Submission.options(settings)
                let start = MonotonicClock.now() + .seconds(warmUp)
                let measurement = Measurement(from: start, to: start + .seconds(seconds))
                await measurement.load(concurrency: concurrency) { index in
                    do {
                        let reply = try await client.classify(loaded[index % loaded.count], options)
                        return reply.document.status.rawValue.description
                    } catch {
                        return Submission.failure(error).document.error?.code ?? "failed"
                    }
                }
                return measurement
            }
            let report = measurement.report(images: loaded.count, concurrency: concurrency)
            for line in json ? [report.json] : report.lines { printLine(line) }
        }
    }
}

/// The images to submit. They are held in memory so that no disk is measured, and are therefore limited in total size.
struct BenchLoad {
    /// The largest total size of the images in bytes.
    static let room = 256_000_000

    private(set) var images: [[UInt8]] = []
    private(set) var unreadable = 0
    private(set) var surplus = 0

    /// Reads the images.
    ///
    /// - Parameters:
    ///   - sources: The images to read.
    ///   - limit: The size in bytes above which an image counts as unreadable.
    ///   - room: The largest total size in bytes.
    init(_ sources: [ImageSource], limit: Int, room: Int = Self.room) {
        var bytes = 0
        for (index, source) in sources.enumerated() {
            guard let image = try? source.read(limit: limit) else {
                unreadable += 1
                continue
            }
            bytes += image.count
            guard bytes <= room else {
                surplus = sources.count - index
                return
            }
            images.append(image)
        }
    }

    /// A sentence that says which images are left out and why; nil if none are.
    var omission: String? {
        var reasons: [String] = []
        if unreadable > 0 { reasons.append("\(unreadable) cannot be read or are too large") }
        if surplus > 0 { reasons.append("\(surplus) are beyond the \(Self.room / 1_000_000) MB that fit") }
        return reasons.isEmpty ? nil : "\(unreadable + surplus) images are left out: " + reasons.joined(separator: ", ")
    }
}

/// Counts the outcomes and latencies of jobs that are answered between two instants.
final class Measurement: Sendable {
    private struct Counts {
        // Up to an hour in microseconds, with three significant digits: about 200 KB.
        var latencies = Histogram<UInt64>(highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)
        var outcomes: [String: Int] = [:]
    }

    private let start: Instant
    private let end: Instant
    private let submitted = Atomic<Int>(0)
    private let counts = Mutex(Counts())

    init(from start: Instant, to end: Instant) {
        self.start = start
        self.end = end
    }

    /// Keeps `concurrency` jobs in flight until the end.
    ///
    /// - Parameters:
    ///   - concurrency: The number of jobs in flight.
    ///   - job: Does the job with a number and returns its outcome: the status of the reply, or an error code.
    func load(concurrency: Int, _ job: @escaping @Sendable (Int) async -> String) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask { [self] in
                    while MonotonicClock.now() < end {
                        let index = submitted.add(1, ordering: .relaxed).oldValue
                        let before = MonotonicClock.now()
                        let outcome = await job(index)
                        record(outcome, from: before, to: MonotonicClock.now())
                    }
                }
            }
        }
    }

    func record(_ outcome: String, from before: Instant, to after: Instant) {
        guard after >= start, after < end else { return }
        let microseconds = UInt64(max(0, (after - before).nanoseconds / 1000))
        counts.withLock { counts in
            counts.outcomes[outcome, default: 0] += 1
            if Self.isVerdict(outcome) { counts.latencies.record(min(microseconds, 3_600_000_000)) }
        }
    }

    private static func isVerdict(_ outcome: String) -> Bool { outcome == "200" || outcome == "206" }

    func report(images: Int, concurrency: Int) -> BenchReport {
        counts.withLock { counts in
            func milliseconds(_ microseconds: UInt64) -> Double { Double(microseconds) / 1000 }
            func quantile(_ percentile: Double) -> Double {
                milliseconds(counts.latencies.valueAtPercentile(percentile))
            }
            let verdicts = Int(counts.latencies.totalCount)
            let seconds = (end - start) / .seconds(1)
            return BenchReport(
                images: images, concurrency: concurrency, seconds: seconds, verdicts: verdicts,
                verdictsPerSecond: Double(verdicts) / seconds,
                latencyMs: verdicts == 0
                    ? nil
                    : .init(
                        p50: quantile(50), p90: quantile(90), p99: quantile(99), p999: quantile(99.9),
                        max: milliseconds(counts.latencies.max)),
                errors: counts.outcomes.filter { !Self.isVerdict($0.key) })
        }
    }
}

/// The result of a benchmark.
struct BenchReport: Codable, Equatable {
    struct Latency: Codable, Equatable {
        var p50, p90, p99, p999, max: Double
    }

    var images: Int
    var concurrency: Int
    var seconds: Double
    var verdicts: Int
    var verdictsPerSecond: Double
    /// The latencies of verdicts; nil if there were none.
    var latencyMs: Latency?
    /// The number of answers without a verdict, by status or by error code.
    var errors: [String: Int]

    var json: String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = .sortedKeys
        // Encoding could fail only for a number that is not finite, and all are finite.
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    var lines: [String] {
        var lines = [
            "\(images) images, \(concurrency) jobs in flight, \(fixed(seconds, 1)) s",
            "\(fixed(verdictsPerSecond, 1)) verdicts/s (\(verdicts))",
        ]
        if let latencyMs {
            let quantiles = [
                ("p50", latencyMs.p50), ("p90", latencyMs.p90), ("p99", latencyMs.p99), ("p99.9", latencyMs.p999),
                ("max", latencyMs.max),
            ]
            lines.append("ms: " + quantiles.map { "\($0.0) \(fixed($0.1, 2))" }.joined(separator: ", "))
        }
        let errors = errors.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        lines.append("errors: " + (errors.isEmpty ? "none" : errors.joined(separator: ", ")))
        return lines
    }
}

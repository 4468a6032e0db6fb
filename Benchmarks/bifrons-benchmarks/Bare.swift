import BifronsWire
import Foundation
import Glibc
import ImageDecoding
import Inference
import Reactor
import Synchronization

/// Measures the engine alone, without sockets: decode, locate and cut once, then score with both networks.
final class Bare: Sendable {
    private let models: String

    init(_ product: ProductOptions) {
        models = product.models
    }

    /// Returns the images per second that all processors process in batches. Each processor has a thread that performs
    /// every step on its own images.
    func imagesPerSecond(_ images: [[UInt8]], batch: Int, seconds: Double) throws -> Double {
        let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let speeds = try inParallel((0..<processors).map { _ in models }) { models in
            let cutter = try Cutter(models)
            let scorers = try Cluster.models.map { try Scorer("\(models)/\($0)") }
            func run(_ images: some Collection<[UInt8]>) throws {
                let cuts = try images.map { try cutter.cut($0, for: scorers) }
                for (index, scorer) in scorers.enumerated() { try scorer.score(cuts.flatMap { $0[index] }) }
            }
            try run(images.prefix(batch))
            var done = 0
            let start = MonotonicClock.now()
            while (MonotonicClock.now() - start).milliseconds / 1000 < seconds {
                try run((0..<batch).map { images[(done + $0) % images.count] })
                done += batch
            }
            return Double(done) / ((MonotonicClock.now() - start).milliseconds / 1000)
        }
        return speeds.reduce(0, +)
    }

    /// Returns the latencies of one image in milliseconds: the time to cut it plus the time of the slower network, with
    /// both running side by side.
    func latencies(_ image: [UInt8], rounds: Int) throws -> [Double] {
        let cutter = try Cutter(models)
        let scorers = try Cluster.models.map { try Scorer("\(models)/\($0)") }
        let crops = try cutter.cut(image, for: scorers)
        let cutting = try Self.milliseconds(rounds) { _ = try cutter.cut(image, for: scorers) }
        let scoring = try inParallel(Array(zip(Cluster.models, crops))) { [models] model, crops in
            let scorer = try Scorer("\(models)/\(model)")
            return try Self.milliseconds(rounds) { try scorer.score(crops) }
        }
        return (0..<rounds).map { round in cutting[round] + (scoring.map { $0[round] }.max() ?? 0) }
    }

    private static func milliseconds(_ rounds: Int, _ body: () throws -> Void) rethrows -> [Double] {
        for _ in 0..<20 { try body() }
        return try (0..<rounds).map { _ in
            let start = MonotonicClock.now()
            try body()
            return (MonotonicClock.now() - start).milliseconds
        }
    }

    private func inParallel<Input: Sendable, Value: Sendable>(
        _ inputs: [Input], _ body: @escaping @Sendable (Input) throws -> Value
    ) throws -> [Value] {
        let results = Results<Value>(count: inputs.count)
        let threads = try inputs.enumerated().map { index, input in
            try PlatformThread(name: "bare-\(index)") {
                let result = Result { try body(input) }
                results.values.withLock { $0[index] = result }
            }
        }
        for thread in threads { thread.join() }
        return try results.values.withLock { try $0.compactMap { try $0?.get() } }
    }
}

private final class Results<Value: Sendable>: Sendable {
    let values: Mutex<[Result<Value, any Error>?]>

    init(count: Int) {
        values = Mutex(Array(repeating: nil, count: count))
    }
}

/// A locator's work on an image, for one thread.
private final class Cutter {
    private let cutter: ImageCutter

    init(_ models: String) throws {
        let locator = try Locator(folder: "\(models)/locator", engine: try Engine.load())
        cutter = ImageCutter(locator: locator, decoder: ImageDecoder())
    }

    /// Returns the crops for each network.
    func cut(_ image: [UInt8], for scorers: [Scorer]) throws -> [[UInt8]] {
        // Networks with equal specifications share their crops, as in the service.
        var specifications: [CropGeometry] = []
        for scorer in scorers where !specifications.contains(scorer.specification) {
            specifications.append(scorer.specification)
        }
        let cut = try image.withUnsafeBytes { try cutter.cut($0, as: specifications) }
        return scorers.map { scorer in
            zip(specifications, cut.crops).first { $0.0 == scorer.specification }?.1.pixels ?? []
        }
    }
}

/// One network, for one thread.
private final class Scorer {
    private let model: Model

    init(_ folder: String) throws {
        model = try Model(folder: folder, engine: try Engine.load())
    }

    var specification: CropGeometry { model.manifest.cropGeometry }

    func score(_ crops: [UInt8]) throws {
        for result in try crops.withUnsafeBytes({ try model.score(crops: $0) }) { _ = try result.get() }
    }
}

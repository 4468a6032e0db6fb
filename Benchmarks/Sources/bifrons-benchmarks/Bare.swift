import Foundation
import ImageDecoding
import Inference
import Reactor
import Synchronization
import Wire

/// What the engine does alone: decode, preprocess, infer, in one thread a model, with no socket in sight.
final class Bare: Sendable {
    private let folders: [String]

    init(_ product: ProductOptions) {
        folders = Cluster.models.map { "\(product.models)/\($0)" }
    }

    /// Images a second that both models have scored, each in its own thread, in batches.
    func imagesPerSecond(_ images: [[UInt8]], batch: Int, seconds: Double) throws -> Double {
        let counts = try inParallel { model in
            let scorer = try Scorer(model)
            var done = 0
            try scorer.score(images.prefix(batch))
            let start = MonotonicClock.now()
            while (MonotonicClock.now() - start).milliseconds / 1000 < seconds {
                try scorer.score((0..<batch).map { images[(done + $0) % images.count] })
                done += batch
            }
            return Double(done) / ((MonotonicClock.now() - start).milliseconds / 1000)
        }
        return counts.min() ?? 0
    }

    /// Milliseconds for one image through both models side by side: each time that of the slower one.
    func latencies(_ image: [UInt8], rounds: Int) throws -> [Double] {
        let times = try inParallel { model in
            let scorer = try Scorer(model)
            for _ in 0..<20 { try scorer.score([image]) }
            return try (0..<rounds).map { _ in
                let start = MonotonicClock.now()
                try scorer.score([image])
                return (MonotonicClock.now() - start).milliseconds
            }
        }
        return (0..<rounds).map { round in times.map { $0[round] }.max() ?? 0 }
    }

    private func inParallel<Value: Sendable>(_ body: @escaping @Sendable (String) throws -> Value) throws -> [Value] {
        let results = Results<Value>(count: folders.count)
        let threads = try folders.enumerated().map { index, folder in
            try PlatformThread(name: "bare-\(index)") {
                let result = Result { try body(folder) }
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

/// One model with what it needs to read pictures, for one thread.
private final class Scorer {
    private let model: Model
    private let cutter: PictureCutter

    init(_ folder: String) throws {
        let engine = try Engine.load()
        model = try Model(folder: folder, engine: engine)
        let locator =
            model.manifest.crop.needsLocator ? try Locator(folder: folder + "/../locator", engine: engine) : nil
        cutter = PictureCutter(locator: locator, decoder: ImageDecoder())
    }

    func score(_ images: some Collection<[UInt8]>) throws {
        var crops: [UInt8] = []
        for image in images {
            let cut = try image.withUnsafeBytes { try cutter.cut($0, as: [model.manifest.cropSpecification]) }
            crops += cut.crops[0].pixels
        }
        for result in try crops.withUnsafeBytes({ try model.score(crops: $0) }) { _ = try result.get() }
    }
}

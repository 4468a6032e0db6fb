import Foundation
import TestImages

/// A router, a locator's workers and workers of the models, each a separate process, on free TCP ports of this machine.
struct Cluster {
    static let models = ["resnet", "inception"]

    let router: ChildProcess
    /// The workers of the locator and of each model, in this order.
    private(set) var workers: [[ChildProcess]] = []
    let clientEndpoint: String
    private let workerEndpoint: String
    private let product: ProductOptions
    private let folder = ScratchFolder()

    /// Starts the cluster.
    ///
    /// - Parameters:
    ///   - product: The location of the executables and models.
    ///   - locators: The number of workers of the locator, each with a thread for every processor.
    ///   - workersPerModel: The number of workers of each model; nil: the number of processors, as `bifrons up` starts.
    ///   - maxBatch: The most crops of a batch.
    init(_ product: ProductOptions, locators: Int = 1, workersPerModel: Int? = nil, maxBatch: Int = 8) throws {
        self.product = product
        (clientEndpoint, workerEndpoint) = freeTCPEndpoints()
        router = try ChildProcess(
            "\(product.bin)/bifrons-router",
            [
                "--models-folder", product.models, "--client-endpoint", clientEndpoint, "--worker-endpoint",
                workerEndpoint,
            ])
        let each = workersPerModel ?? ProcessInfo.processInfo.activeProcessorCount
        for (model, count) in [("locator", locators)] + Self.models.map({ ($0, each) }) {
            workers.append(try (0..<count).map { _ in try worker(model, maxBatch: maxBatch) })
        }
    }

    private func worker(_ model: String, maxBatch: Int) throws -> ChildProcess {
        try ChildProcess(
            "\(product.bin)/bifrons-worker",
            [
                "--model", "\(product.models)/\(model)", "--router", workerEndpoint, "--max-batch", "\(maxBatch)",
            ])
    }

    func stop() {
        router.stop()
        for worker in workers.joined() { worker.stop() }
    }
}

/// Returns drawn portraits as JPEG files of about `bytes` bytes each, which compress about as well as photographs.
func benchmarkImages(bytes: Int, count: Int = 8) -> [[UInt8]] {
    // At quality 90 a portrait takes about 0.23 bytes per pixel.
    let side = Int((Double(bytes) / 0.23).squareRoot())
    return (0..<count).map { TestImages.jpeg(width: side + $0, height: side, subsampled: true, pattern: .portrait) }
}

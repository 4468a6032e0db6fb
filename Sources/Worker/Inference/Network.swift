internal import COpenVINO
import Files
import Glibc

/// A network compiled for this processor, which any number of ``Request``s run. Only these two types touch the engine's
/// handles of a model.
// `@unchecked`: nothing changes after `init`, and ov::CompiledModel and its ports are documented to be thread-safe.
final class Network: @unchecked Sendable {
    /// How the cache of compiled networks was used.
    let cache: Model.CacheUse
    /// The most images of one forward pass regardless of memory; 1 if the network's batch is fixed.
    private let batch: Int
    private let valuesPerImage: Int
    /// The shape of one image's input.
    private let shape: [Int64]
    private let functions: ov_functions_t
    private let compiled: Handle
    private let input: GraphCheck.Port
    private let output: GraphCheck.Port
    private let map: GraphCheck.Map?
    /// Keeps the engine alive as long as its handles.
    private let engine: Engine

    /// Compiles the manifest's file and checks it against the manifest.
    ///
    /// - Parameters:
    ///   - manifest: The model's manifest.
    ///   - engine: The inference engine.
    ///   - threads: The number of threads that compute one request; at least 1.
    ///   - requests: The number of requests, each run by its own thread, that compute at once. Further ones wait.
    ///   - cacheFolder: The folder for compiled networks; nil: none are cached.
    /// - Throws: ``InferenceError`` that names the file and the field.
    init(
        manifest: Manifest, engine: Engine, threads: Int, requests: Int = 1, cacheFolder: String?
    ) throws(InferenceError) {
        let functions = engine.functions
        var cache = Model.CacheUse.off
        let compiled = try Network.compile(
            manifest, engine, threads: threads, requests: requests, cacheFolder: cacheFolder, &cache)
        let graph = GraphCheck(manifest: manifest, functions: functions, compiled: compiled.pointer)
        let input = try graph.input()
        let output = try graph.output()
        self.map = try graph.map()
        self.engine = engine
        self.functions = functions
        self.cache = cache
        self.batch = min(input.batch, output.batch)
        self.valuesPerImage = manifest.valuesPerImage
        self.input = input
        self.output = output
        self.compiled = compiled
        let (width, height) = (Int64(manifest.input.width), Int64(manifest.input.height))
        self.shape = manifest.input.layout == .nchw ? [3, height, width] : [height, width, 3]
    }

    /// Whether the engine makes code while the network runs: it compiles a network of any batch for each size when it
    /// first meets it, and one of a fixed batch when it is loaded.
    var makesCode: Bool { batch > 1 }

    /// The network's output for some images, one after another.
    struct Answer {
        /// The raw output: `Manifest.valuesPerImage` numbers per image.
        var values: [Float] = []
        /// The cells of the images' maps, row by row; empty if the network has no maps.
        var cells: [Float] = []
        /// The number of cells of one map, across and down; nil if the network has no maps.
        var mapSize: (width: Int, height: Int)?
    }

    /// An inference request with its input memory.
    // `@unchecked`: any thread may use the handles, but only one at a time. The language enforces that: a request
    // cannot be copied, and running it needs exclusive access (its owners keep it in a mutex).
    struct Request: ~Copyable, @unchecked Sendable {
        /// The most images of one forward pass: 1 if the network's batch is fixed, otherwise as many as there is memory
        /// for.
        let imagesPerPass: Int
        private let network: Network
        private let functions: ov_functions_t
        private let handle: Handle
        private var memory: InputMemory

        /// Creates a request.
        ///
        /// - Parameters:
        ///   - network: The network to run.
        ///   - maximumBatch: The most images of one call of ``run(count:_:)``. Memory grows with it.
        init(_ network: Network, maximumBatch: Int) throws(InferenceError) {
            let functions = network.functions
            var request: OpaquePointer?
            guard functions.compiled_model_create_infer_request(network.compiled.pointer, &request) == 0, let request
            else {
                throw failure("cannot prepare to run (\(functions.lastError))")
            }
            self.network = network
            self.functions = functions
            self.handle = Handle(request, functions.infer_request_free)
            self.imagesPerPass = min(network.batch, maximumBatch)
            self.memory = InputMemory(images: maximumBatch, shape: network.shape, functions: functions)
        }

        /// Runs the network on `count` images.
        ///
        /// - Parameters:
        ///   - count: The number of images; at most the maximum batch.
        ///   - fill: Writes the images' input tensors, one after another.
        /// - Throws: ``InferenceError`` if the engine fails.
        mutating func run(
            count: Int, _ fill: (UnsafeMutableBufferPointer<Float>) -> Void
        ) throws(InferenceError) -> Answer {
            fill(UnsafeMutableBufferPointer(rebasing: memory.floats[..<(count * memory.floatsPerImage)]))
            var answer = Answer()
            answer.values.reserveCapacity(count * network.valuesPerImage)
            // The passes are powers of two, 13 as 8 + 4 + 1: the engine keeps code and memory for every batch size that
            // it has seen (85 MB more for an Inception that saw all from 1 to 16), and pauses at the first one of each
            // size to make them.
            var first = 0
            while first < count {
                let size = largestPowerOfTwo(upTo: min(imagesPerPass, count - first))
                try pass(first, size, &answer)
                first += size
            }
            return answer
        }

        /// Runs one forward pass on `count` images from index `first` on and appends its output.
        private mutating func pass(_ first: Int, _ count: Int, _ answer: inout Answer) throws(InferenceError) {
            let input = network.input.handle.pointer
            guard let tensor = memory.tensor(first: first, count: count),
                functions.infer_request_set_tensor_by_const_port(handle.pointer, input, tensor) == 0,
                functions.infer_request_infer(handle.pointer) == 0
            else {
                throw failure("cannot run the network on \(count) images (\(functions.lastError))")
            }
            let values = count * network.valuesPerImage
            try read(network.output.handle.pointer, values, of: count, appendingTo: &answer.values)
            if let map = network.map {
                answer.mapSize = (map.width, map.height)
                try read(map.handle.pointer, count * map.width * map.height, of: count, appendingTo: &answer.cells)
            }
        }

        /// Appends the values of an output after a pass.
        private func read(
            _ port: OpaquePointer, _ expected: Int, of count: Int, appendingTo numbers: inout [Float]
        ) throws(InferenceError) {
            var pointer: OpaquePointer?
            guard functions.infer_request_get_tensor_by_const_port(handle.pointer, port, &pointer) == 0, let pointer
            else {
                throw failure("gives no output (\(functions.lastError))")
            }
            let result = Handle(pointer, functions.tensor_free)
            var size = 0
            var data: UnsafeMutableRawPointer?
            guard functions.tensor_get_size(result.pointer, &size) == 0,
                functions.tensor_data(result.pointer, &data) == 0, let data, size == expected
            else {
                throw failure("gives \(size) numbers for \(count) images instead of \(expected)")
            }
            numbers.append(
                contentsOf: UnsafeBufferPointer(start: data.assumingMemoryBound(to: Float.self), count: size))
        }
    }

    /// Compiles the network with the one call that takes a file's path, because only that uses the cache without
    /// reading the network first.
    private static func compile(
        _ manifest: Manifest, _ engine: Engine, threads: Int, requests: Int, cacheFolder: String?,
        _ cache: inout Model.CacheUse
    ) throws(InferenceError) -> Handle {
        let functions = engine.functions
        var properties = [
            // By default every process with one thread pins it to the same core.
            ("ENABLE_CPU_PINNING", "NO"),
            // The default is bf16 where the processor supports it, so scores would differ between machines.
            ("INFERENCE_PRECISION_HINT", manifest.precision == .bf16 ? "bf16" : "f32"),
            // Requests that share a stream wait for one another.
            ("NUM_STREAMS", "\(requests)"),
            ("INFERENCE_NUM_THREADS", "\(threads * requests)"),
        ]
        let kept = CacheFolder(path: cacheFolder.map { "\($0)/\(manifest.sha256.prefix(16))" })
        if let folder = kept.path { properties.append(("CACHE_DIR", folder)) }

        func attempt() -> OpaquePointer? {
            var compiled: OpaquePointer?
            let keys = properties.map { (strdup($0.0), strdup($0.1)) }
            defer {
                for (key, value) in keys {
                    free(key)
                    free(value)
                }
            }
            let pairs = keys.map { ov_property_t(key: $0.0, value: $0.1) }
            let status = functions.core_compile_model_from_file_props(
                engine.core, manifest.path(manifest.file), "CPU", pairs.count, pairs, &compiled)
            return status == 0 ? compiled : nil
        }

        var compiled = attempt()
        if kept.path != nil {
            cache = .written
            if compiled == nil {
                // The cache is optional: an error in it must not keep the worker from starting.
                cache = .failed(functions.lastError)
                properties.removeLast()
                compiled = attempt()
            }
        } else if let problem = kept.problem {
            cache = .failed(problem)
        }
        guard let compiled else {
            throw InferenceError(
                .engineFailed,
                """
                OpenVINO \(engine.version) cannot compile \(manifest.path(manifest.file)) (\(functions.lastError)): export \
                the network as ONNX with operators that it supports
                """)
        }
        if cache == .written, property("LOADED_FROM_CACHE", of: compiled, functions) == "YES" { cache = .used }
        return Handle(compiled, functions.compiled_model_free)
    }

    private static func property(_ key: String, of compiled: OpaquePointer, _ functions: ov_functions_t) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard functions.compiled_model_get_property(compiled, key, &value) == 0, let value else { return nil }
        defer { functions.free(value) }
        return String(cString: value)
    }
}

private func failure(_ text: String) -> InferenceError {
    InferenceError(.engineFailed, "the engine \(text): restart the worker, and check the model if it happens again")
}

private func largestPowerOfTwo(upTo limit: Int) -> Int {
    1 << (Int.bitWidth - 1 - limit.leadingZeroBitCount)
}

/// Owns one handle of the engine and frees it.
struct Handle: ~Copyable {
    let pointer: OpaquePointer
    private let free: @convention(c) (OpaquePointer?) -> Void

    init(_ pointer: OpaquePointer, _ free: @escaping @convention(c) (OpaquePointer?) -> Void) {
        self.pointer = pointer
        self.free = free
    }

    deinit { free(pointer) }
}

/// The input memory for the largest batch, and the engine's tensors on it, each made at its first use.
private struct InputMemory: ~Copyable {
    let floats: UnsafeMutableBufferPointer<Float>
    let floatsPerImage: Int
    private let images: Int
    /// The shape of one image.
    private let shape: [Int64]
    private let functions: ov_functions_t
    /// The tensors, by first image and count; most are never made.
    private var tensors: [OpaquePointer?]

    init(images: Int, shape: [Int64], functions: ov_functions_t) {
        floatsPerImage = shape.reduce(1) { $0 * Int($1) }
        // Aligned to a cache line, so that the engine uses the memory directly.
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: images * floatsPerImage * MemoryLayout<Float>.stride, alignment: 64)
        self.floats = memory.bindMemory(to: Float.self)
        self.images = images
        self.shape = shape
        self.functions = functions
        self.tensors = Array(repeating: nil, count: images * images)
    }

    deinit {
        for tensor in tensors { functions.tensor_free(tensor) }
        UnsafeMutableRawBufferPointer(floats).deallocate()
    }

    /// Returns the images `first ..< first + count` as a tensor; nil if the engine refuses.
    mutating func tensor(first: Int, count: Int) -> OpaquePointer? {
        let place = first * images + count - 1
        if let tensor = tensors[place] { return tensor }
        var dimensions = [Int64(count)] + shape
        tensors[place] = dimensions.withUnsafeMutableBufferPointer { dimensions in
            var tensor: OpaquePointer?
            let shape = ov_shape_t(rank: Int64(dimensions.count), dims: dimensions.baseAddress)
            let start = floats.baseAddress.map { $0 + first * floatsPerImage }
            return functions.tensor_create_from_host_ptr(Int32(ov_f32), shape, start, &tensor) == 0 ? tensor : nil
        }
        return tensors[place]
    }
}

/// A folder for compiled networks, locked by one process at a time, so that two workers that start together do not read
/// each other's half-written files. Each digest has its own folder, because the engine only compares path, size and
/// time.
private struct CacheFolder: ~Copyable {
    /// The folder; nil if none can be used.
    let path: String?
    /// The reason why the given folder cannot be used; nil if it can.
    let problem: String?
    private let descriptor: Int32

    init(path: String?) {
        var descriptor: Int32 = -1
        var problem: String?
        if let path {
            if Files.makeFolder(path) { descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
            if descriptor < 0 || flock(descriptor, LOCK_EX) != 0 { problem = "\(path): \(Files.reason)" }
        }
        self.path = problem == nil ? path : nil
        self.problem = problem
        self.descriptor = descriptor
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}

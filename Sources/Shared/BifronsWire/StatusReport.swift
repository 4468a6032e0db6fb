internal import FoundationEssentials

/// The answer to the `status` verb: what the router is doing, for people and dashboards.
public struct StatusReport: Codable, Equatable, Sendable {
    public var id: String?
    public var status = Status.ok
    public var router: Router
    public var queue: Queue
    /// Those that the ensemble names, in its order, and behind them the locator.
    public var models: [Model]
    public var workers: [Worker]
    /// Milliseconds from receipt to result, over the router's whole life.
    public var latencyMs: Quantiles
    /// The same jobs, counted in buckets.
    public var latencyHistogramMs: Histogram
    public var verdicts: Verdicts
    public var counters: Counters
    /// Absent if the router keeps none.
    public var journal: Journal?

    public init(
        id: String?, router: Router, queue: Queue, models: [Model], workers: [Worker], latencyMs: Quantiles,
        latencyHistogramMs: Histogram = .ofMilliseconds, verdicts: Verdicts = Verdicts(), counters: Counters
    ) {
        self.id = id
        self.router = router
        self.queue = queue
        self.models = models
        self.workers = workers
        self.latencyMs = latencyMs
        self.latencyHistogramMs = latencyHistogramMs
        self.verdicts = verdicts
        self.counters = counters
    }

    public struct Router: Codable, Equatable, Sendable {
        public var version: String
        public var uptimeS: Double
        public var draining: Bool
        /// Answers a second: a moving average with a time constant of 5 s.
        public var answersPerSecond: Double

        public init(version: String, uptimeS: Double, draining: Bool, answersPerSecond: Double) {
            self.version = version
            self.uptimeS = uptimeS
            self.draining = draining
            self.answersPerSecond = answersPerSecond
        }
    }

    /// Jobs without an answer yet, the bytes of their messages, and what both may grow to.
    public struct Queue: Codable, Equatable, Sendable {
        public var jobs: Int
        public var maxJobs: Int
        public var bytes: Int
        public var maxBytes: Int
        /// Bytes of the crops that are kept for the networks, those that locators may yet send included.
        public var cropBytes: Int
        public var maxCropBytes: Int
        public var oldestMs: Double?

        public init(
            jobs: Int, maxJobs: Int, bytes: Int, maxBytes: Int, cropBytes: Int = 0, maxCropBytes: Int = 0,
            oldestMs: Double?
        ) {
            self.jobs = jobs
            self.maxJobs = maxJobs
            self.bytes = bytes
            self.maxBytes = maxBytes
            self.cropBytes = cropBytes
            self.maxCropBytes = maxCropBytes
            self.oldestMs = oldestMs
        }
    }

    public struct Model: Codable, Equatable, Sendable {
        public var name: String
        public var workers: Int
        /// Jobs that wait for a worker of it; for a network those whose crops are there, or all while it has no worker.
        public var waiting: Int
        public var inFlight: Int
        /// Of each answer, over the router's whole life: milliseconds from the start of its work to the answer, and those
        /// from when the job could have been begun (its receipt, for a network its crops) until then.
        public var computeMs: Histogram
        public var queueMs: Histogram
        /// Of each answer: how many jobs were computed together.
        public var batch: Histogram

        public init(
            name: String, workers: Int, waiting: Int, inFlight: Int, computeMs: Histogram = .ofMilliseconds,
            queueMs: Histogram = .ofMilliseconds, batch: Histogram = .ofBatches
        ) {
            self.name = name
            self.workers = workers
            self.waiting = waiting
            self.inFlight = inFlight
            self.computeMs = computeMs
            self.queueMs = queueMs
            self.batch = batch
        }
    }

    public struct Worker: Codable, Equatable, Sendable {
        public var name: String
        public var model: String
        public var version: String
        public var digest: String
        public var metrics: [String: Double]
        /// "ready" or "draining".
        public var state: String
        public var credit: Int
        public var inFlight: Int
        public var scored: Int
        public var failed: Int
        /// As a model's, since the worker's registration.
        public var computeMs: Histogram
        public var lastHeardMs: Double

        public init(
            name: String, model: String, version: String, digest: String, metrics: [String: Double], state: String,
            credit: Int, inFlight: Int, scored: Int, failed: Int, computeMs: Histogram = .ofMilliseconds,
            lastHeardMs: Double
        ) {
            self.name = name
            self.model = model
            self.version = version
            self.digest = digest
            self.metrics = metrics
            self.state = state
            self.credit = credit
            self.inFlight = inFlight
            self.scored = scored
            self.failed = failed
            self.computeMs = computeMs
            self.lastHeardMs = lastHeardMs
        }
    }

    public struct Quantiles: Codable, Equatable, Sendable {
        public var count: Int
        public var p50: Double
        public var p90: Double
        public var p99: Double
        public var p999: Double
        public var max: Double

        public init(count: Int, p50: Double, p90: Double, p99: Double, p999: Double, max: Double) {
            self.count = count
            self.p50 = p50
            self.p90 = p90
            self.p99 = p99
            self.p999 = p999
            self.max = max
        }
    }

    /// The durable jobs on disk.
    public struct Journal: Codable, Equatable, Sendable {
        /// "ok", or "failing": durable jobs are refused.
        public var state: String
        /// Why it fails.
        public var reason: String?
        /// Jobs whose result is not on disk.
        public var unfinished: Int
        /// What jobs and results take on disk, and what they may grow to.
        public var bytes: Int
        public var maxBytes: Int

        public init(failure: String?, unfinished: Int, bytes: Int, maxBytes: Int) {
            state = failure == nil ? "ok" : "failing"
            reason = failure
            self.unfinished = unfinished
            self.bytes = bytes
            self.maxBytes = maxBytes
        }
    }

    /// How often each verdict was given.
    public struct Verdicts: Codable, Equatable, Sendable {
        public var byLabel: [String: Int]
        public var byAction: [String: Int]

        /// None yet, of each kind.
        public init() {
            byLabel = Dictionary(uniqueKeysWithValues: ResultDocument.Label.allCases.map { ($0.rawValue, 0) })
            byAction = Dictionary(uniqueKeysWithValues: ResultDocument.PolicyAction.allCases.map { ($0.rawValue, 0) })
        }

        public mutating func count(_ verdict: ResultDocument.Verdict) {
            byLabel[verdict.label.rawValue, default: 0] += 1
            byAction[verdict.action.rawValue, default: 0] += 1
        }
    }

    public struct Counters: Codable, Equatable, Sendable {
        /// Jobs that were admitted.
        public var accepted = 0
        /// Replies to admitted jobs and refusals alike, by status.
        public var repliesByStatus: [String: Int] = [:]
        /// Jobs refused with 429.
        public var rejected = 0
        /// Bytes of the messages of jobs that were admitted.
        public var bytesReceived = 0
        /// Replies that a client did not take: it is gone, or too many wait for it to read them.
        public var undelivered = 0
        /// Requests that could not be read.
        public var malformedRequests = 0
        /// Messages from workers that could not be read.
        public var malformedMessages = 0
        /// Scores and failures for a job that is over.
        public var late = 0
        /// Scores and failures for a job that the worker was never handed, or from an earlier registration.
        public var unknown = 0
        /// Messages from a peer that is not on the roster.
        public var strangers = 0
        public var workersLost = 0
        public var redispatched = 0
        public var quarantined = 0
        public var cancelled = 0
        /// Requests that joined or repeated another with the same idempotency key.
        public var deduplicated = 0

        public init() {}
    }

    /// The result frame.
    public func encoded() -> [UInt8] {
        Self.encode(self)
    }

    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = .sortedKeys
        // Every number in a report is finite, the only thing that could make this fail.
        return Array((try? encoder.encode(value)) ?? FoundationEssentials.Data())
    }

    /// Reads a result frame back.
    public static func decode(_ bytes: [UInt8]) throws -> StatusReport {
        try Self.decode(bytes, as: StatusReport.self)
    }

    static func decode<Value: Decodable>(_ bytes: [UInt8], as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: FoundationEssentials.Data(bytes))
    }
}

/// The answer to the `models` verb: what the ensemble names and what serves it.
public struct ModelsReport: Codable, Equatable, Sendable {
    public var id: String?
    public var status = Status.ok
    public var models: [Model]
    /// What finds the faces; nil from routers of earlier releases.
    public var locator: Model?
    public var policies: [Policy]

    public init(id: String?, models: [Model], locator: Model?, policies: [Policy]) {
        self.id = id
        self.models = models
        self.locator = locator
        self.policies = policies
    }

    /// The models, and behind them the locator.
    public var modelsAndLocator: [Model] { models + [locator].compactMap(\.self) }

    /// The names of those that no worker serves, the locator first, without which no other is of use.
    public var namesWithoutWorkers: [String] {
        ((locator.map { [$0] } ?? []) + models).filter { $0.workers == 0 }.map(\.name)
    }

    public struct Model: Codable, Equatable, Sendable {
        public var name: String
        public var workers: Int
        /// One for each set of weights that is being served under the name.
        public var served: [Served]

        public init(name: String, workers: Int, served: [Served]) {
            self.name = name
            self.workers = workers
            self.served = served
        }
    }

    public struct Served: Codable, Equatable, Sendable {
        public var version: String
        public var digest: String
        public var metrics: [String: Double]
        public var workers: Int

        public init(version: String, digest: String, metrics: [String: Double], workers: Int) {
            self.version = version
            self.digest = digest
            self.metrics = metrics
            self.workers = workers
        }
    }

    public struct Policy: Codable, Equatable, Sendable {
        public var name: String
        public var review: Double
        public var block: Double
        public var noFace: ResultDocument.PolicyAction

        public init(name: String, review: Double, block: Double, noFace: ResultDocument.PolicyAction) {
            self.name = name
            self.review = review
            self.block = block
            self.noFace = noFace
        }
    }

    /// The result frame.
    public func encoded() -> [UInt8] {
        StatusReport.encode(self)
    }

    /// Reads a result frame back.
    public static func decode(_ bytes: [UInt8]) throws -> ModelsReport {
        try StatusReport.decode(bytes, as: ModelsReport.self)
    }
}

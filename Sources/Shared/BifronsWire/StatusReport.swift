internal import FoundationEssentials

/// The answer to the `status` verb: the router's current state, for people and dashboards.
public struct StatusReport: Codable, Equatable, Sendable {
    /// The request's id.
    public var id: String?
    /// The status of the answer, which is always 200 in a report.
    public var status = Status.ok
    /// The router's own state.
    public var router: Router
    /// The unanswered jobs.
    public var queue: Queue
    /// The models of the ensemble, in its order, followed by the locator and the kinds of evidence.
    public var models: [Model]
    /// The workers on the router's roster.
    public var workers: [Worker]
    /// Quantiles of the milliseconds from receipt to result, since the router's start.
    public var latencyMs: Quantiles
    /// A histogram of the same latencies.
    public var latencyHistogramMs: Histogram
    /// The number of verdicts since the router's start, by label and by action.
    public var verdicts: Verdicts
    /// The counters of events since the router's start.
    public var counters: Counters
    /// The journal's state; nil if the router has none.
    public var journal: Journal?

    /// Creates a report without a journal.
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

    /// The router's own state.
    public struct Router: Codable, Equatable, Sendable {
        /// The release of Bifrons.
        public var version: String
        /// The seconds since the router's start.
        public var uptimeS: Double
        /// Whether the router is draining: it accepts no jobs and stops once those in flight have ended.
        public var draining: Bool
        /// The answers per second: a moving average with a time constant of 5 s.
        public var answersPerSecond: Double
        /// The id of the last of the ``EventsReport``; nil before the first, and from routers of earlier releases.
        public var lastEvent: String?

        /// Creates a router's state.
        public init(
            version: String, uptimeS: Double, draining: Bool, answersPerSecond: Double, lastEvent: String? = nil
        ) {
            self.version = version
            self.uptimeS = uptimeS
            self.draining = draining
            self.answersPerSecond = answersPerSecond
            self.lastEvent = lastEvent
        }
    }

    /// The unanswered jobs and the bytes of their messages, with the limits of both.
    public struct Queue: Codable, Equatable, Sendable {
        /// The number of unanswered jobs. A durable job counts until its result is on disk.
        public var jobs: Int
        /// The most unanswered jobs; further jobs are refused.
        public var maxJobs: Int
        /// The bytes of the jobs' messages: envelopes, headers and images.
        public var bytes: Int
        /// The most bytes of the jobs' messages; further jobs are refused.
        public var maxBytes: Int
        /// The bytes of kept crops, plus those reserved for crops that locators may still send.
        public var cropBytes: Int
        /// The most bytes of crops; beyond that, images wait before they go to a locator.
        public var maxCropBytes: Int
        /// The milliseconds since the receipt of the oldest unanswered job; nil without one.
        public var oldestMs: Double?

        /// Creates the state of the queue with its limits.
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

    /// The state of one model, of the locator, or of one kind of evidence.
    public struct Model: Codable, Equatable, Sendable {
        /// The model's name; `locator` for the locator.
        public var name: String
        /// The number of workers that serve the model.
        public var workers: Int
        /// The jobs that wait for one of its workers. For a network, these are the jobs whose crops have arrived, or
        /// all of its jobs while it has no worker.
        public var waiting: Int
        /// The jobs in flight at workers of this model.
        public var inFlight: Int
        /// A histogram of the milliseconds from the start of an answer's work to the answer, since the router's start.
        public var computeMs: Histogram
        /// A histogram of the milliseconds that answers waited from when their work could have begun (the job's
        /// receipt, or its crops for a network), since the router's start.
        public var queueMs: Histogram
        /// A histogram of the number of jobs computed together, for each answer.
        public var batch: Histogram

        /// Creates a model's state.
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

    /// The state of one worker.
    public struct Worker: Codable, Equatable, Sendable {
        /// The worker's name.
        public var name: String
        /// The name of the model that the worker serves.
        public var model: String
        /// The version of the model.
        public var version: String
        /// `sha256:` and the hexadecimal digest of the model's weights.
        public var digest: String
        /// The model's metrics from its manifest, by name.
        public var metrics: [String: Double]
        /// What holds of the worker's sandbox, such as "landlock 7, seccomp"; "off" if it has entered none, and nil from
        /// a router of an earlier release.
        public var sandbox: String?
        /// The worker's state: "ready" or "draining".
        public var state: String
        /// The most jobs that the worker takes at a time.
        public var credit: Int
        /// The jobs in flight at the worker.
        public var inFlight: Int
        /// The jobs that the worker answered with scores or, as a locator, with crops.
        public var scored: Int
        /// The jobs that the worker answered with a failure.
        public var failed: Int
        /// A histogram of the milliseconds that its answers took to compute, since its registration.
        public var computeMs: Histogram
        /// The milliseconds since the worker was last heard of.
        public var lastHeardMs: Double

        /// Creates a worker's state.
        public init(
            name: String, model: String, version: String, digest: String, metrics: [String: Double],
            sandbox: String? = nil, state: String, credit: Int, inFlight: Int, scored: Int, failed: Int,
            computeMs: Histogram = .ofMilliseconds, lastHeardMs: Double
        ) {
            self.name = name
            self.model = model
            self.version = version
            self.digest = digest
            self.metrics = metrics
            self.sandbox = sandbox
            self.state = state
            self.credit = credit
            self.inFlight = inFlight
            self.scored = scored
            self.failed = failed
            self.computeMs = computeMs
            self.lastHeardMs = lastHeardMs
        }
    }

    /// Quantiles of the latency in milliseconds.
    public struct Quantiles: Codable, Equatable, Sendable {
        /// The number of values.
        public var count: Int
        /// The median, in milliseconds.
        public var p50: Double
        /// The 90th percentile, in milliseconds.
        public var p90: Double
        /// The 99th percentile, in milliseconds.
        public var p99: Double
        /// The 99.9th percentile, in milliseconds.
        public var p999: Double
        /// The largest value, in milliseconds.
        public var max: Double

        /// Creates the quantiles of `count` values.
        public init(count: Int, p50: Double, p90: Double, p99: Double, p999: Double, max: Double) {
            self.count = count
            self.p50 = p50
            self.p90 = p90
            self.p99 = p99
            self.p999 = p999
            self.max = max
        }
    }

    /// The state of the journal and its durable jobs.
    public struct Journal: Codable, Equatable, Sendable {
        /// The journal's state: "ok", or "failing" while durable jobs are refused.
        public var state: String
        /// The reason why the journal fails; nil while it works.
        public var reason: String?
        /// The number of jobs on disk without a result on disk.
        public var unfinished: Int
        /// The bytes that jobs and results take on disk.
        public var bytes: Int
        /// The most bytes that jobs and results may take on disk.
        public var maxBytes: Int
        /// The number of decisions that the ledger has recorded since it began; nil from routers of earlier releases.
        public var decisions: Int?
        /// The hash of the last decision, in hexadecimal digits: the head of the hash chain.
        public var head: String?

        /// Creates a journal's state, which is "failing" if a failure is given and "ok" if not.
        public init(failure: String?, unfinished: Int, bytes: Int, maxBytes: Int) {
            state = failure == nil ? "ok" : "failing"
            reason = failure
            self.unfinished = unfinished
            self.bytes = bytes
            self.maxBytes = maxBytes
        }
    }

    /// The number of verdicts, by label and by action.
    public struct Verdicts: Codable, Equatable, Sendable {
        /// The number of verdicts with each ``ResultDocument/Label``, by its raw value.
        public var byLabel: [String: Int]
        /// The number of verdicts with each ``ResultDocument/PolicyAction``, by its raw value.
        public var byAction: [String: Int]

        /// Creates counts of zero for every label and action.
        public init() {
            byLabel = Dictionary(uniqueKeysWithValues: ResultDocument.Label.allCases.map { ($0.rawValue, 0) })
            byAction = Dictionary(uniqueKeysWithValues: ResultDocument.PolicyAction.allCases.map { ($0.rawValue, 0) })
        }

        /// Counts a verdict.
        public mutating func count(_ verdict: ResultDocument.Verdict) {
            byLabel[verdict.label.rawValue, default: 0] += 1
            byAction[verdict.action.rawValue, default: 0] += 1
        }
    }

    /// Counts since the router's start.
    public struct Counters: Codable, Equatable, Sendable {
        /// The jobs that were admitted.
        public var accepted = 0
        /// The replies by status, to admitted jobs and refused requests alike. Reports and answers to `ping` are not
        /// among them: see ``reports``.
        public var repliesByStatus: [String: Int] = [:]
        /// The answers to `ping`, `status`, `models` and the other verbs that ask for reports; nil from routers of
        /// earlier releases.
        public var reports: Int? = 0
        /// The jobs that were answered only when their budgets were spent; nil from routers of earlier releases.
        public var overBudget: Int? = 0
        /// The jobs refused with 429.
        public var rejected = 0
        /// The bytes of the messages of admitted jobs.
        public var bytesReceived = 0
        /// The replies that a client did not take, because it is gone or too many replies wait for it.
        public var undelivered = 0
        /// The decisions that could not be written to the ledger; nil from routers of earlier releases.
        public var unrecorded: Int? = 0
        /// The requests that could not be decoded.
        public var malformedRequests = 0
        /// The messages from workers that could not be decoded.
        public var malformedMessages = 0
        /// The answers of workers for jobs that had already ended.
        public var late = 0
        /// The answers of workers for jobs that they did not have, or from an earlier registration.
        public var unknown = 0
        /// The messages from unknown peers, which are not on the roster.
        public var strangers = 0
        /// The workers that were lost: the connection ended, the worker could not be reached, hung or fell silent, or
        /// its key was revoked.
        public var workersLost = 0
        /// The steps of jobs that were dispatched to a second worker.
        public var redispatched = 0
        /// The jobs that were failed because two workers died of the image or of its crops, and the steps of evidence
        /// that were given up because two evidence workers died of the image.
        public var quarantined = 0
        /// The jobs that were cancelled.
        public var cancelled = 0
        /// The requests that joined or repeated another one with the same idempotency key.
        public var deduplicated = 0

        /// Creates counters of zero.
        public init() {}
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] {
        Self.encode(self)
    }

    /// Returns the JSON text of a report or of a part of one.
    package static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = .sortedKeys
        // Encoding can fail only for numbers that are not finite, and a report has none.
        return Array((try? encoder.encode(value)) ?? FoundationEssentials.Data())
    }

    /// Decodes a result frame.
    ///
    /// - Throws: `DecodingError` if the bytes are not a report.
    public static func decode(_ bytes: [UInt8]) throws -> StatusReport {
        try Self.decode(bytes, as: StatusReport.self)
    }

    static func decode<Value: Decodable>(_ bytes: [UInt8], as type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: FoundationEssentials.Data(bytes))
    }
}

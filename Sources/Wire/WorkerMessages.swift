/// A message from a worker to a router: one frame.
public enum WorkerMessage: Equatable, Sendable {
    case hello(Hello)
    case score(Score)
    case fail(Failure)
    /// A heartbeat.
    case ping(epoch: UInt64, inFlight: UInt32, progress: UInt64)
    /// The most jobs that the worker takes at a time from now on.
    case credit(epoch: UInt64, jobs: UInt32)
    /// No more jobs, please; those in hand will be answered.
    case drain(epoch: UInt64)
    case bye(epoch: UInt64)

    /// A worker introduces itself, with its canary scored.
    public struct Hello: Equatable, Sendable {
        public var model: String
        public var version: String
        /// "sha256:" and the hexadecimal digest of the weights.
        public var digest: String
        public var worker: String
        /// The most jobs that the worker takes at a time.
        public var credit: UInt32
        /// Random, one for each life of a worker process.
        public var bootID: UInt64
        /// What the manifest says that the model reaches, by the metric's name.
        public var metrics: [String: Double]

        public init(
            model: String, version: String, digest: String, worker: String, credit: UInt32, bootID: UInt64,
            metrics: [String: Double] = [:]
        ) {
            self.model = model
            self.version = version
            self.digest = digest
            self.worker = worker
            self.credit = credit
            self.bootID = bootID
            self.metrics = metrics
        }
    }

    /// What one model sees in one picture.
    public struct Score: Equatable, Sendable {
        public var epoch: UInt64
        public var job: UInt64
        /// The faces, the largest first, or one region without a box: the central square.
        public var regions: [Region]
        /// How many faces were found in the picture, scored or not; nil from a model that looks for none.
        public var facesFound: Int?
        public var image: ImageInformation
        public var timings: Timings

        public init(
            epoch: UInt64, job: UInt64, regions: [Region], facesFound: Int? = nil, image: ImageInformation,
            timings: Timings
        ) {
            self.epoch = epoch
            self.job = job
            self.regions = regions
            self.facesFound = facesFound
            self.image = image
            self.timings = timings
        }
    }

    public struct Region: Equatable, Sendable {
        public var box: Box?
        /// By how many degrees clockwise, to a tenth, the face stood turned in the picture before it was looked at
        /// upright; nil when nothing was turned.
        public var turned: Double?
        /// Calibrated; the probability is its sigmoid.
        public var logit: Float
        /// From models that have one. It goes along with every score, asked for or not: a hundred bytes beside an image are
        /// cheaper than a flag through router and worker.
        public var map: HeatMap?

        public init(box: Box?, turned: Double? = nil, logit: Float, map: HeatMap? = nil) {
            self.box = box
            self.turned = turned
            self.logit = logit
            self.map = map
        }
    }

    /// Results tell the time of computing only; the rest is for whoever captures the traffic.
    public struct Timings: Equatable, Sendable {
        /// From receipt of the job to the start of its batch.
        public var queueMicroseconds: UInt32
        /// From the start of the batch to its scores.
        public var computeMicroseconds: UInt32
        /// Jobs that were scored together.
        public var batch: UInt16

        public init(queueMicroseconds: UInt32, computeMicroseconds: UInt32, batch: UInt16) {
            self.queueMicroseconds = queueMicroseconds
            self.computeMicroseconds = computeMicroseconds
            self.batch = batch
        }
    }

    public struct Failure: Equatable, Sendable {
        public var epoch: UInt64
        public var job: UInt64
        public var error: WireError

        public init(epoch: UInt64, job: UInt64, error: WireError) {
            self.epoch = epoch
            self.job = job
            self.error = error
        }
    }
}

/// A message from a router to a worker: one frame, and behind a job its image.
public enum RouterMessage: Equatable, Sendable {
    /// The worker is on the roster. `epoch` names this registration; every later message carries it.
    case welcome(epoch: UInt64, heartbeatMilliseconds: UInt32)
    case job(Job)
    case pong(epoch: UInt64)
    /// The router does not know this worker (it was restarted, or gave it up): say HELLO again.
    case resync
    /// The router will send nothing more, and why.
    case bye(reason: String)

    public struct Job: Equatable, Sendable {
        public var job: UInt64
        /// Counts from 1.
        public var attempt: UInt8
        /// What is left of the budget when the router sends the job.
        public var remainingMilliseconds: UInt32

        public init(job: UInt64, attempt: UInt8, remainingMilliseconds: UInt32) {
            self.job = job
            self.attempt = attempt
            self.remainingMilliseconds = remainingMilliseconds
        }
    }
}

/// Bytes that are no message of this version of the worker protocol.
public struct MalformedMessage: Error, Equatable, Sendable {
    public var reason: String
}

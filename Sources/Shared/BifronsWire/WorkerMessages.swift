/// A message from a worker to a router: one frame.
///
/// Behind a CROPS come the crops: a frame for each ``Crops/sets``.
public enum WorkerMessage: Equatable, Sendable {
    case hello(Hello)
    case crops(Crops)
    case score(Score)
    case fail(Failure)
    /// A heartbeat.
    case ping(epoch: UInt64, inFlight: UInt32, progress: UInt64)
    /// The most jobs that the worker takes at a time from now on.
    case credit(epoch: UInt64, jobs: UInt32)
    /// No more jobs, please; those in hand will be answered.
    case drain(epoch: UInt64)
    case bye(epoch: UInt64)

    /// What a worker does with a job.
    public enum Role: Hashable, Sendable {
        /// It decodes pictures, finds the faces in them and cuts out crops, as the given version of preprocessing says.
        case locator(preprocessing: UInt16)
        /// It scores crops of one specification.
        case network(CropSpecification)
    }

    /// A worker introduces itself, with its canary scored.
    public struct Hello: Equatable, Sendable {
        public var role: Role
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
            role: Role, model: String, version: String, digest: String, worker: String, credit: UInt32, bootID: UInt64,
            metrics: [String: Double] = [:]
        ) {
            self.role = role
            self.model = model
            self.version = version
            self.digest = digest
            self.worker = worker
            self.credit = credit
            self.bootID = bootID
            self.metrics = metrics
        }
    }

    /// What a locator cut out of one picture.
    public struct Crops: Equatable, Sendable {
        public var epoch: UInt64
        public var job: UInt64
        /// The faces that were cut out, the largest first, at most ``Limits/faces``.
        public var faces: [Face]
        /// How many faces were found, cut out or not; nil when no specification asked for faces.
        public var facesFound: Int?
        public var image: ImageInformation
        /// One for each specification of the job, in its order, and so are the frames behind the message.
        public var sets: [CropSet]
        public var timings: Timings

        public init(
            epoch: UInt64, job: UInt64, faces: [Face], facesFound: Int?, image: ImageInformation, sets: [CropSet],
            timings: Timings
        ) {
            self.epoch = epoch
            self.job = job
            self.faces = faces
            self.facesFound = facesFound
            self.image = image
            self.sets = sets
            self.timings = timings
        }
    }

    /// A face that was found.
    public struct Face: Equatable, Sendable {
        public var box: Box
        /// By how many degrees clockwise, to a tenth, the face stood turned in the picture before its crops were turned
        /// upright; nil when nothing was turned.
        public var turned: Double?

        public init(box: Box, turned: Double? = nil) {
            self.box = box
            self.turned = turned
        }
    }

    /// What was cut for one specification.
    public struct CropSet: Equatable, Sendable {
        /// For each crop the part of the picture that it shows: one a face, in the order of the faces, or the central
        /// square alone.
        public var squares: [Box]

        public init(squares: [Box]) {
            self.squares = squares
        }
    }

    /// What one network sees in the crops of one picture.
    public struct Score: Equatable, Sendable {
        public var epoch: UInt64
        public var job: UInt64
        /// One for each crop, in their order, 1 to ``Limits/faces``.
        public var crops: [CropScore]
        public var timings: Timings

        public init(epoch: UInt64, job: UInt64, crops: [CropScore], timings: Timings) {
            self.epoch = epoch
            self.job = job
            self.crops = crops
            self.timings = timings
        }
    }

    public struct CropScore: Equatable, Sendable {
        /// Calibrated; the probability is its sigmoid.
        public var logit: Float
        /// From networks that have one. It goes along with every score, asked for or not: a hundred bytes are cheaper than
        /// a flag through router and worker.
        public var map: EvidenceMap?

        public init(logit: Float, map: EvidenceMap? = nil) {
            self.logit = logit
            self.map = map
        }
    }

    /// Results tell the time of computing only; the rest is for whoever captures the traffic.
    public struct Timings: Equatable, Sendable {
        /// From receipt of the job to the start of its work: of decoding, or of its first batch.
        public var queueMicroseconds: UInt32
        /// From then to the answer.
        public var computeMicroseconds: UInt32
        /// The most jobs whose crops were scored in one batch with this one's; 1 from a locator.
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

/// A message from a router to a worker: one frame, behind a LOCATE the image and behind a SCORE the crops.
public enum RouterMessage: Equatable, Sendable {
    /// The worker is on the roster. `epoch` names this registration; every later message carries it.
    case welcome(epoch: UInt64, heartbeatMilliseconds: UInt32)
    /// For a locator: cut crops of these specifications, at least one, out of the image behind the message.
    case locate(Job, [CropSpecification])
    /// For a network: score the crops in the frame behind the message, so many as fill it.
    case score(Job)
    case pong(epoch: UInt64)
    /// The router does not know this worker (it was restarted, or gave it up): say HELLO again.
    case resync
    /// The router will send nothing more, and why. After a final one another HELLO has no sense: the worker ends.
    case bye(reason: String, isFinal: Bool)

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
    /// The version that the bytes name, when it is another one.
    public var otherVersion: UInt8?

    init(reason: String, otherVersion: UInt8? = nil) {
        self.reason = reason
        self.otherVersion = otherVersion
    }
}

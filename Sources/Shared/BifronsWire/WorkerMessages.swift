/// A message from a worker to a router: one frame. A CROPS is followed by one frame of crops for each of
/// ``Crops/sets``.
public enum WorkerMessage: Equatable, Sendable {
    /// Registers the worker. It is the first message.
    case hello(Hello)
    /// Answers a LOCATE with the crops of the image.
    case crops(Crops)
    /// Answers a SCORE with the scores of an image's crops.
    case score(Score)
    /// Answers an EXAMINE with the evidence found about an image.
    case evidence(Evidence)
    /// Answers a job that the worker could not do.
    case fail(Failure)
    /// A heartbeat, with the number of jobs in flight and a counter that changes when the worker makes progress.
    case ping(epoch: UInt64, inFlight: UInt32, progress: UInt64)
    /// Sets the most jobs that the worker takes at a time from now on.
    case credit(epoch: UInt64, jobs: UInt32)
    /// Asks for no more jobs. The worker still answers those in flight.
    case drain(epoch: UInt64)
    /// Ends the registration.
    case bye(epoch: UInt64)

    /// The role of a worker.
    public enum Role: Hashable, Sendable {
        /// Decodes images, finds faces in them and cuts out crops, by the given version of preprocessing.
        case locator(preprocessing: UInt16)
        /// Scores crops of one specification.
        case network(CropSpecification)
        /// Finds evidence about images, of the ``EvidenceKind`` that ``Hello/model`` names.
        case evidence
    }

    /// Registers a worker. It is sent after the canary has passed, if the model has one.
    public struct Hello: Equatable, Sendable {
        /// The worker's role.
        public var role: Role
        /// The name of the worker's model, at most ``Limits/nameBytes`` bytes. For the role `evidence`, the kind of
        /// evidence.
        public var model: String
        /// The version of the worker's model, at most ``Limits/nameBytes`` bytes.
        public var version: String
        /// `sha256:` and the hexadecimal digest of the weights, or of what the evidence depends on.
        public var digest: String
        /// The worker's name, at most ``Limits/nameBytes`` bytes.
        public var worker: String
        /// The most jobs that the worker takes at a time.
        public var credit: UInt32
        /// A random number that identifies this run of the worker's process.
        public var bootID: UInt64
        /// The model's metrics from its manifest, by name.
        public var metrics: [String: Double]
        /// What holds of the worker's sandbox; nil if it has entered none.
        public var sandbox: Sandbox?

        /// Creates a registration.
        public init(
            role: Role, model: String, version: String, digest: String, worker: String, credit: UInt32, bootID: UInt64,
            metrics: [String: Double] = [:], sandbox: Sandbox? = nil
        ) {
            self.role = role
            self.model = model
            self.version = version
            self.digest = digest
            self.worker = worker
            self.credit = credit
            self.bootID = bootID
            self.metrics = metrics
            self.sandbox = sandbox
        }
    }

    /// What holds of the sandbox that a worker has entered. The kernel may lack a part of it.
    public struct Sandbox: Equatable, Sendable {
        /// The version of Landlock that restricts the worker; 0 if none does.
        public var landlock: UInt8
        /// Whether a filter of system calls (seccomp) restricts the worker.
        public var seccomp: Bool

        /// Creates a sandbox's state.
        public init(landlock: UInt8, seccomp: Bool) {
            self.landlock = landlock
            self.seccomp = seccomp
        }

        /// The state in words, such as "landlock 7, seccomp". A part that is missing is named.
        public var text: String {
            // Versions before 4 do not restrict TCP ports.
            let files =
                switch landlock {
                case 0: "no Landlock"
                case 1...3: "landlock \(landlock) (files only)"
                default: "landlock \(landlock)"
                }
            if landlock == 0, !seccomp { return "none" }
            return "\(files), \(seccomp ? "seccomp" : "no seccomp")"
        }
    }

    /// The crops that a locator cut out of one image.
    public struct Crops: Equatable, Sendable {
        /// The registration's number from WELCOME.
        public var epoch: UInt64
        /// The job's number from the router's message.
        public var job: UInt64
        /// The faces that were cut out, the largest first, at most ``Limits/faces``.
        public var faces: [Face]
        /// The number of faces found, cut out or not; nil when no specification asks for faces.
        public var facesFound: Int?
        /// The properties of the image file.
        public var image: ImageInformation
        /// One set for each specification of the job, in order. The frames after the message have the same order.
        public var sets: [CropSet]
        /// How long the job took in the worker.
        public var timings: Timings

        /// Creates the answer to a LOCATE.
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

    /// A face that was found and cut out.
    public struct Face: Equatable, Sendable {
        /// The bounding box in pixels of the upright image.
        public var box: Box
        /// The degrees clockwise, to a tenth, by which the face is turned in the image. Its crops were turned upright.
        /// Nil if nothing was turned.
        public var turned: Double?

        /// Creates a face from its bounding box and, if it was turned, the degrees clockwise.
        public init(box: Box, turned: Double? = nil) {
            self.box = box
            self.turned = turned
        }
    }

    /// The crops that were cut for one specification.
    public struct CropSet: Equatable, Sendable {
        /// For each crop, the part of the image that it shows: one for each face, in the order of the faces, or the
        /// central square alone.
        public var squares: [Box]

        /// Creates a set from the part of the image that each crop shows.
        public init(squares: [Box]) {
            self.squares = squares
        }
    }

    /// One network's scores of the crops of one image.
    public struct Score: Equatable, Sendable {
        /// The registration's number from WELCOME.
        public var epoch: UInt64
        /// The job's number from the router's message.
        public var job: UInt64
        /// One score for each crop, in order, 1 to ``Limits/faces``.
        public var crops: [CropScore]
        /// How long the job took in the worker.
        public var timings: Timings

        /// Creates the answer to a SCORE.
        public init(epoch: UInt64, job: UInt64, crops: [CropScore], timings: Timings) {
            self.epoch = epoch
            self.job = job
            self.crops = crops
            self.timings = timings
        }
    }

    /// One network's score of one crop.
    public struct CropScore: Equatable, Sendable {
        /// The calibrated logit; the probability is its sigmoid.
        public var logit: Float
        /// The evidence map, from networks that have one. It is sent with every score, because a hundred bytes cost
        /// less than a flag passed through router and worker.
        public var map: EvidenceMap?

        /// Creates a score, with the evidence map if the network has one.
        public init(logit: Float, map: EvidenceMap? = nil) {
            self.logit = logit
            self.map = map
        }
    }

    /// The evidence that a worker found about one image.
    public struct Evidence: Equatable, Sendable {
        /// The registration's number from WELCOME.
        public var epoch: UInt64
        /// The job's number from the router's message.
        public var job: UInt64
        /// The evidence.
        public var report: EvidenceReport
        /// How long the job took in the worker.
        public var timings: Timings

        /// Creates the answer to an EXAMINE.
        public init(epoch: UInt64, job: UInt64, report: EvidenceReport, timings: Timings) {
            self.epoch = epoch
            self.job = job
            self.report = report
            self.timings = timings
        }
    }

    /// How long a job took in the worker. Results report only the computing time; the rest is for those who capture the
    /// traffic.
    public struct Timings: Equatable, Sendable {
        /// The microseconds from receipt of the job to the start of its work: of decoding, or of its first batch.
        public var queueMicroseconds: UInt32
        /// The microseconds from the start of the work to the answer.
        public var computeMicroseconds: UInt32
        /// The most jobs whose crops were scored in one batch with this job's; 1 from locators and evidence workers.
        public var batch: UInt16

        /// Creates timings from the times in microseconds and the size of the batch.
        public init(queueMicroseconds: UInt32, computeMicroseconds: UInt32, batch: UInt16) {
            self.queueMicroseconds = queueMicroseconds
            self.computeMicroseconds = computeMicroseconds
            self.batch = batch
        }
    }

    /// A job that the worker could not do.
    public struct Failure: Equatable, Sendable {
        /// The registration's number from WELCOME.
        public var epoch: UInt64
        /// The job's number from the router's message.
        public var job: UInt64
        /// The error for the job's result.
        public var error: WireError

        /// Creates the failure of a job.
        public init(epoch: UInt64, job: UInt64, error: WireError) {
            self.epoch = epoch
            self.job = job
            self.error = error
        }
    }
}

/// A message from a router to a worker: one frame. A LOCATE or an EXAMINE is followed by the image's frame, and a SCORE
/// by a frame of crops.
public enum RouterMessage: Equatable, Sendable {
    /// Confirms a registration. `epoch` identifies it, and every later message of the worker carries it.
    case welcome(epoch: UInt64, heartbeatMilliseconds: UInt32)
    /// Asks a locator to cut crops of these specifications, at least one, out of the image that follows.
    case locate(Job, [CropSpecification])
    /// Asks a network's worker to score the crops in the frame after the message. The frame's size determines their
    /// number.
    case score(Job)
    /// Asks an evidence worker what it finds out about the image that follows.
    case examine(Job)
    /// Answers a heartbeat.
    case pong(epoch: UInt64)
    /// The router does not know this worker, because the router restarted or has given the worker up. Asks for another
    /// HELLO.
    case resync
    /// The router will send nothing more, for this reason. After a final BYE the worker must not register again, and
    /// ends.
    case bye(reason: String, isFinal: Bool)

    /// One job, as a LOCATE, a SCORE or an EXAMINE carries it.
    public struct Job: Equatable, Sendable {
        /// The job's number, which the worker's answer repeats.
        public var job: UInt64
        /// The number of this attempt, from 1.
        public var attempt: UInt8
        /// The milliseconds left of the budget when the router sends the job.
        public var remainingMilliseconds: UInt32

        /// Creates a job from its number, the attempt, and the milliseconds left of its budget.
        public init(job: UInt64, attempt: UInt8, remainingMilliseconds: UInt32) {
            self.job = job
            self.attempt = attempt
            self.remainingMilliseconds = remainingMilliseconds
        }
    }
}

/// An error for bytes that are not a message of this version of the worker protocol.
public struct MalformedMessage: Error, Equatable, Sendable {
    /// What is wrong with the bytes, as a clause for an error message.
    public var reason: String
    /// The protocol version of the bytes if it is not this release's; otherwise nil.
    public var otherVersion: UInt8?

    init(reason: String, otherVersion: UInt8? = nil) {
        self.reason = reason
        self.otherVersion = otherVersion
    }
}

public import Wire

/// What a worker would say, as values: for scripts that need neither a socket nor a network.
public struct ScriptedWorker: Sendable {
    public var model: String
    public var name: String
    public var credit: UInt32
    public var version = "1.0.0"
    public var digest = "sha256:00ff"
    public var metrics: [String: Double] = [:]
    public var bootID = UInt64.random(in: .min ... .max)
    /// The epoch of the last WELCOME.
    public var epoch: UInt64 = 0

    public init(_ name: String, serving model: String, credit: UInt32 = 4) {
        self.model = model
        self.name = name
        self.credit = credit
    }

    public var hello: WorkerMessage {
        .hello(
            WorkerMessage.Hello(
                model: model, version: version, digest: digest, worker: name, credit: credit, bootID: bootID,
                metrics: metrics))
    }

    /// The score of a picture as a whole, by a model that looks for no faces.
    public func score(_ job: UInt64, logit: Float = 0) -> WorkerMessage {
        score(job, regions: [WorkerMessage.Region(box: nil, logit: logit)])
    }

    /// - Parameter facesFound: as many as have boxes, unless another number is said; 0 of a model that found none.
    public func score(_ job: UInt64, regions: [WorkerMessage.Region], facesFound: Int? = nil) -> WorkerMessage {
        let boxes = regions.count { $0.box != nil }
        return .score(
            WorkerMessage.Score(
                epoch: epoch, job: job, regions: regions, facesFound: facesFound ?? (boxes > 0 ? boxes : nil),
                image: .sample,
                timings: WorkerMessage.Timings(queueMicroseconds: 300, computeMicroseconds: 2000, batch: 1)))
    }

    public func fail(_ job: UInt64, _ status: Status, code: String = "scripted") -> WorkerMessage {
        .fail(WorkerMessage.Failure(epoch: epoch, job: job, error: WireError(status, code: code, "as the script says")))
    }

    public func ping(inFlight: UInt32 = 0, progress: UInt64 = 0) -> WorkerMessage {
        .ping(epoch: epoch, inFlight: inFlight, progress: progress)
    }

    public func credit(_ jobs: UInt32) -> WorkerMessage { .credit(epoch: epoch, jobs: jobs) }
    public var drain: WorkerMessage { .drain(epoch: epoch) }
    public var bye: WorkerMessage { .bye(epoch: epoch) }
}

extension ImageInformation {
    /// A picture that nobody needs to have.
    public static let sample = ImageInformation(
        format: .jpeg, width: 640, height: 480, sha256: (0..<32).map { UInt8($0 * 8) })
}

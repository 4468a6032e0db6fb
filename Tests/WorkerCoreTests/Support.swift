import Wire
import WorkerCore

/// A core and a clock that the test sets: a script of events, each giving its exact list of actions.
struct Script {
    static let heartbeat: Int64 = 100

    private(set) var core: WorkerCore
    private(set) var now: Int64 = 0

    init(routers: Int = 1, maxBatch: Int = 4, credit: Int? = nil) {
        core = WorkerCore(
            WorkerCore.Configuration(hello: hello(0), routers: routers, maxBatch: maxBatch, credit: credit))
    }

    /// What is due next, in milliseconds.
    var due: Int64? { core.nextDeadline.map { $0.nanoseconds / 1_000_000 } }

    /// Hands an event to the core at `milliseconds` of the script's clock, or as late as the last one.
    @discardableResult
    mutating func at(_ milliseconds: Int64? = nil, _ event: WorkerCore.Event) -> [WorkerCore.Action] {
        now = milliseconds ?? now
        return core.handle(event, at: Instant(nanoseconds: now * 1_000_000))
    }

    /// Connects a router and has it welcome the worker.
    mutating func register(_ router: Int = 0, epoch: UInt64 = 7) {
        at(nil, .connected(router))
        at(nil, .received(router, .welcome(epoch: epoch, heartbeatMilliseconds: UInt32(Self.heartbeat)), picture: nil))
    }

    /// A job whose picture has the same number as the job.
    @discardableResult
    mutating func job(_ job: Int, from router: Int = 0, at milliseconds: Int64? = nil, budget: UInt32 = 5000)
        -> [WorkerCore.Action]
    {
        at(
            milliseconds,
            .received(
                router, .job(.init(job: UInt64(job), attempt: 1, remainingMilliseconds: budget)), picture: job))
    }

    /// The inference thread has scored a picture.
    @discardableResult
    mutating func score(_ picture: Int, at milliseconds: Int64? = nil) -> [WorkerCore.Action] {
        at(milliseconds, .scored(picture, regions, image))
    }
}

let regions = [WorkerMessage.Region(box: nil, logit: 1.5)]
let image = ImageInformation(format: .png, width: 64, height: 48, sha256: Array(repeating: 7, count: 32))

func hello(_ credit: UInt32, bootID: UInt64 = 42) -> WorkerMessage.Hello {
    WorkerMessage.Hello(
        model: "resnet", version: "1.0.0", digest: "sha256:00", worker: "resnet-7f3a", credit: credit, bootID: bootID)
}

func scored(_ job: UInt64, epoch: UInt64 = 7, queued: UInt32 = 0, computed: UInt32 = 0, batch: UInt16 = 1)
    -> WorkerMessage
{
    .score(
        .init(
            epoch: epoch, job: job, regions: regions, image: image,
            timings: .init(queueMicroseconds: queued, computeMicroseconds: computed, batch: batch)))
}

let spent = WireError(.timeout, code: "budget_spent", "the time budget was spent before the model was free")

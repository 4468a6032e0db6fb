import BifronsWire
import TestKit
import WorkerCore

/// A core with a clock that the test sets. A test gives it events and checks the exact list of actions.
struct Script {
    static let heartbeat: Int64 = 100

    private(set) var core: WorkerCore
    private(set) var now: Int64 = 0

    init(_ configuration: WorkerCore.Configuration) {
        core = WorkerCore(configuration)
    }

    /// Returns a locator for which no image is slow unless `slowLanes` is given.
    static func locator(routers: Int = 1, lanes: Int = 1, credit: Int? = nil, slowLanes: Int = 0) -> Script {
        var configuration = WorkerCore.Configuration(
            hello: hello(0), routers: routers, lanes: lanes, credit: credit)
        configuration.slowLanes = slowLanes
        configuration.slowAfter = .milliseconds(100)
        return Script(configuration)
    }

    /// Returns an evidence worker.
    static func examiner(lanes: Int = 1, credit: Int? = nil) -> Script {
        Script(WorkerCore.Configuration(hello: examinerHello, lanes: lanes, credit: credit))
    }

    /// Returns a network.
    static func network(routers: Int = 1, maxBatch: Int = 4, credit: Int? = nil) -> Script {
        Script(
            WorkerCore.Configuration(hello: networkHello, routers: routers, maxBatch: maxBatch, credit: credit))
    }

    /// When the core's next deadline is, in milliseconds; nil if there is none.
    var due: Int64? { core.nextDeadline.map { $0.nanoseconds / 1_000_000 } }

    /// Passes an event to the core at `milliseconds` of the script's clock, or at the time of the last event.
    @discardableResult
    mutating func at(_ milliseconds: Int64? = nil, _ event: WorkerCore.Event) -> [WorkerCore.Action] {
        now = milliseconds ?? now
        return core.handle(event, at: Instant(nanoseconds: now * 1_000_000))
    }

    /// Connects a router and makes it welcome the worker.
    mutating func register(_ router: Int = 0, epoch: UInt64 = 7) {
        at(nil, .connected(router))
        at(nil, .received(router, .welcome(epoch: epoch, heartbeatMilliseconds: UInt32(Self.heartbeat)), nil))
    }

    /// Sends a LOCATE. The image's token equals the job's number.
    @discardableResult
    mutating func locate(
        _ job: Int, from router: Int = 0, at milliseconds: Int64? = nil, budget: UInt32 = 5000
    ) -> [WorkerCore.Action] {
        let message = RouterMessage.locate(
            .init(job: UInt64(job), attempt: 1, remainingMilliseconds: budget), specifications)
        return at(milliseconds, .received(router, message, .init(token: job, byteCount: 9)))
    }

    /// Reports that a thread has processed an image.
    @discardableResult
    mutating func cut(_ image: Int, at milliseconds: Int64? = nil) -> [WorkerCore.Action] {
        at(milliseconds, .computed(.located(image, located)))
    }

    /// Sends a SCORE. The token of the crops equals the job's number.
    @discardableResult
    mutating func score(
        _ job: Int, crops: Int = 1, from router: Int = 0, at milliseconds: Int64? = nil, budget: UInt32 = 5000
    ) -> [WorkerCore.Action] {
        let message = RouterMessage.score(.init(job: UInt64(job), attempt: 1, remainingMilliseconds: budget))
        let bytes = crops * CropSpecification.sample.cropBytes
        return at(milliseconds, .received(router, message, .init(token: job, byteCount: bytes)))
    }

    /// Sends an EXAMINE. The image's token equals the job's number.
    @discardableResult
    mutating func examine(_ job: Int, at milliseconds: Int64? = nil, budget: UInt32 = 5000) -> [WorkerCore.Action] {
        let message = RouterMessage.examine(.init(job: UInt64(job), attempt: 1, remainingMilliseconds: budget))
        return at(milliseconds, .received(0, message, .init(token: job, byteCount: 9)))
    }

    /// Reports that the thread has scored a batch, with the given logits.
    @discardableResult
    mutating func scored(_ batch: Int, _ logits: [Float], at milliseconds: Int64? = nil) -> [WorkerCore.Action] {
        at(milliseconds, .computed(.scored(batch: batch, logits.map { .success(.init(logit: $0)) })))
    }
}

let specifications = [CropSpecification.sample]

let located = WorkerCore.Located(
    faces: [], facesFound: 0, image: .sample, sets: [WorkerMessage.CropSet(squares: [.wholeSample])])

/// Returns the HELLO of a locator.
func hello(_ credit: UInt32, bootID: UInt64 = 42) -> WorkerMessage.Hello {
    WorkerMessage.Hello(
        role: .locator(preprocessing: CropSpecification.sample.preprocessing), model: "locator", version: "1.0.0",
        digest: "sha256:00", worker: "locator-7f3a", credit: credit, bootID: bootID)
}

let examinerHello = WorkerMessage.Hello(
    role: .evidence, model: "provenance", version: "1.0.0", digest: "sha256:00", worker: "provenance-7f3a", credit: 0,
    bootID: 42)

let networkHello = WorkerMessage.Hello(
    role: .network(.sample), model: "resnet", version: "1.0.0", digest: "sha256:00", worker: "resnet-7f3a", credit: 0,
    bootID: 42)

/// Returns the answer to a LOCATE.
func crops(
    _ job: Int, to router: Int = 0, epoch: UInt64 = 7, queued: UInt32 = 0, computed: UInt32 = 0
) -> WorkerCore.Action {
    .send(
        router,
        .crops(
            .init(
                epoch: epoch, job: UInt64(job), faces: located.faces, facesFound: located.facesFound,
                image: located.image, sets: located.sets,
                timings: .init(queueMicroseconds: queued, computeMicroseconds: computed, batch: 1))), crops: job)
}

/// Returns the answer to a SCORE.
func score(
    _ job: Int, _ logits: [Float], to router: Int = 0, queued: UInt32 = 0, computed: UInt32 = 0, batch: UInt16 = 1
) -> WorkerCore.Action {
    .send(
        router,
        .score(
            .init(
                epoch: 7, job: UInt64(job), crops: logits.map { .init(logit: $0) },
                timings: .init(queueMicroseconds: queued, computeMicroseconds: computed, batch: batch))))
}

/// Returns the action that orders a batch.
func order(_ number: Int, _ parts: KeyValuePairs<Int, Range<Int>>) -> WorkerCore.Action {
    .score(.init(number: number, parts: parts.map { .init(token: $0.key, crops: $0.value) }))
}

func failure(_ job: Int, _ error: WireError, to router: Int = 0) -> WorkerCore.Action {
    .send(router, .fail(.init(epoch: 7, job: UInt64(job), error: error)))
}

let spent = WireError(.timeout, code: "budget_spent", "the time budget was spent before the worker was free")

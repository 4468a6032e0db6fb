import BifronsWire
import Decisions
import Glibc
import HeapModule
import RouterCore
import TestKit
import WorkerCore

/// Simulates routers and workers: their cores are real, while network, sockets, inference and clients are modelled.
///
/// This is a discrete-event simulation: time jumps to the next event, so thousands of machines fit into one process. A
/// router handles one event after another, as its thread does. Each event takes the processor time that the real core
/// took for it here, plus `socketTime` for every message received or sent, and `imageTime` for one that holds an image
/// or crops. With the same seed everything but the core's time is reproducible.
struct Simulation {
    struct Parameters {
        var routers = 1
        /// The number of workers of each model, and of the locator.
        var workers = 1
        var seed: UInt64 = 1
        /// A router's processor time for receiving or sending a message.
        var socketTime = Duration.microseconds(3)
        /// The additional processor time for a payload of `imageBytes`; for crops, the proportional part.
        var imageTime = Duration.microseconds(59)
        /// The delay of a message between any two processes.
        var networkDelay = Duration.microseconds(100)
        /// The bandwidth of each router's network connection for the images that it sends, in bits per second.
        var bandwidth = 10e9
        var imageBytes = 100_000
        /// The size of an image's crops in bytes. Both networks score the same crops.
        var cropBytes = 76_800
        /// The median time in which one core decodes an image and cuts out its crops.
        var cuttingTime = Duration.milliseconds(10)
        /// The median time in which one core scores one image's crops, for each model.
        var scoringTimes: [(model: String, time: Duration)] = []
        /// The standard deviation of the logarithm of an image's time.
        var spread = 0.25
    }

    enum Load {
        /// A constant number of unanswered jobs.
        case closed(window: Int)
        /// Jobs at random times at a mean rate (a Poisson process).
        case open(perSecond: Double)
    }

    /// What clients saw of the jobs that were answered in the measured time.
    struct Outcome {
        var seconds: Double
        /// The time from submission to answer, for each job with a verdict of both models.
        var milliseconds: [Double] = []
        /// The number of all other answers.
        var failures = 0
        var crops = 0
        var batches = 0
        /// The utilisation of the busiest router, from 0 to 1.
        var utilization = 0.0
        /// The processor time of a router's core per job, in microseconds.
        var coreMicroseconds = 0.0

        var perSecond: Double { Double(milliseconds.count) / seconds }

        /// Returns a percentile of the times in milliseconds.
        ///
        /// - Parameter fraction: The percentile as a fraction; 0.5 for the median.
        func percentile(_ fraction: Double) -> Double {
            guard !milliseconds.isEmpty else { return .nan }
            let sorted = milliseconds.sorted()
            return sorted[min(sorted.count - 1, Int(fraction * Double(sorted.count)))]
        }
    }

    private enum Arrival {
        case submission
        case atRouter(Int, RouterCore.Event)
        case routerDeadline(Int)
        case routerFree(Int)
        case atWorker(Int, WorkerCore.Event)
        case workerDeadline(Int)
        case answer(submitted: Instant, isVerdict: Bool)
    }

    private struct Entry: Comparable {
        var at: Instant
        var number: Int
        var arrival: Arrival

        static func < (left: Entry, right: Entry) -> Bool { (left.at, left.number) < (right.at, right.number) }
        static func == (left: Entry, right: Entry) -> Bool { left.number == right.number }
    }

    private struct Router {
        var core: RouterCore
        /// The events that have arrived; those from index `next` on are not handled yet.
        var inbox: [RouterCore.Event] = []
        var next = 0
        var isBusy = false
        /// When the last image in line will have been sent.
        var wireFree: Instant
        var deadline: Instant?
        var busy = Duration.zero
        var coreTime = Duration.zero
    }

    private struct Worker {
        var core: WorkerCore
        /// The time for one image, or for its crops.
        let time: Duration
        /// When the current batch is done and the next one can start.
        var isFree: Instant
        var deadline: Instant?
        var progress: UInt64 = 0
    }

    private let parameters: Parameters
    private var random: SeededGenerator
    private var routers: [Router]
    private var workers: [Worker] = []
    private var agenda = Heap<Entry>()
    private var entries = 0
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var load = Load.closed(window: 0)
    private var submissions: [Instant] = []
    /// The number of payloads that were sent to workers so far.
    private var tokens = 0
    private var outcome = Outcome(seconds: 0)
    private var isMeasuring = false

    init(_ parameters: Parameters, ensemble: Ensemble) {
        self.parameters = parameters
        random = SeededGenerator(seed: parameters.seed)
        let start = now
        routers = (0..<parameters.routers).map { index in
            Router(
                core: RouterCore(
                    configuration: RouterCore.Configuration(), ensemble: ensemble, epochSeed: UInt64(index + 1) << 32,
                    at: start),
                wireFree: start)
        }
        let kinds =
            [("locator", WorkerMessage.Role.locator(preprocessing: 3), parameters.cuttingTime)]
            + parameters.scoringTimes.map { ($0.model, .network(StubWorker.specification), $0.time) }
        for (model, role, time) in kinds {
            for number in 0..<parameters.workers {
                let hello = WorkerMessage.Hello(
                    role: role, model: model, version: "1", digest: "sha256:00", worker: "\(model)-\(number)",
                    credit: 0,
                    bootID: UInt64(workers.count + 1))
                workers.append(
                    Worker(
                        core: WorkerCore(.init(hello: hello, routers: parameters.routers)), time: time, isFree: start))
                // Spread in time, so that the heartbeats are not synchronous.
                let delay = Duration.microseconds(Int.random(in: 0..<500_000, using: &random))
                for router in 0..<parameters.routers {
                    schedule(.atWorker(workers.count - 1, .connected(router)), after: delay)
                }
            }
        }
    }

    /// Runs the load until the queues are stable, and then for the measured time.
    ///
    /// - Parameters:
    ///   - load: The load.
    ///   - warmUp: The time to reach a stable state, after the 0.6 s in which the workers register.
    ///   - measured: The measured time.
    mutating func run(_ load: Load, warmUp: Duration, measured: Duration) -> Outcome {
        advance(to: now + .milliseconds(600))
        self.load = load
        switch load {
        case .closed(let window):
            // Spread over the first half of the warm-up.
            for index in 0..<window { schedule(.submission, after: warmUp * Double(index) / Double(2 * window)) }
        case .open: schedule(.submission, after: .zero)
        }
        advance(to: now + warmUp)
        isMeasuring = true
        outcome = Outcome(seconds: measured.milliseconds / 1000)
        for index in routers.indices { (routers[index].busy, routers[index].coreTime) = (.zero, .zero) }
        advance(to: now + measured)
        outcome.utilization = routers.map { $0.busy / measured }.max() ?? 0
        let coreTime = routers.reduce(Duration.zero) { $0 + $1.coreTime }
        outcome.coreMicroseconds = coreTime / .microseconds(1) / Double(max(1, outcome.milliseconds.count))
        return outcome
    }

    // MARK: Time

    private mutating func schedule(_ arrival: Arrival, after delay: Duration) {
        entries += 1
        agenda.insert(Entry(at: now + delay, number: entries, arrival: arrival))
    }

    private mutating func advance(to end: Instant) {
        while let next = agenda.min, next.at <= end {
            agenda.removeMin()
            now = next.at
            happen(next.arrival)
        }
        now = end
    }

    private mutating func happen(_ arrival: Arrival) {
        switch arrival {
        case .submission: submit()
        case .atRouter(let router, let event):
            routers[router].inbox.append(event)
            work(router)
        case .routerFree(let router):
            routers[router].isBusy = false
            work(router)
        case .routerDeadline(let router):
            guard let deadline = routers[router].deadline, deadline <= now else { return }
            routers[router].deadline = nil
            routers[router].inbox.append(.deadline)
            work(router)
        case .atWorker(let worker, let event): handle(event, at: worker)
        case .workerDeadline(let worker):
            guard let deadline = workers[worker].deadline, deadline <= now else { return }
            workers[worker].deadline = nil
            workers[worker].progress += 1
            handle(.deadline(progress: workers[worker].progress), at: worker)
        case .answer(let submitted, let isVerdict):
            if isMeasuring {
                if isVerdict {
                    outcome.milliseconds.append((now - submitted).milliseconds)
                } else {
                    outcome.failures += 1
                }
            }
            // A refused client retries a little later, so that time advances.
            if case .closed = load { schedule(.submission, after: isVerdict ? .zero : .milliseconds(100)) }
        }
    }

    // MARK: Clients

    private mutating func submit() {
        let token = submissions.count
        submissions.append(now)
        var header = RequestHeader(verb: .classify)
        header.requirement = .all
        // Eight clients per router. Jobs go to the routers in turn, as from a client that knows all of them.
        let client = Principal(.connection(token / parameters.routers % 8), .client)
        let event = RouterCore.Event.request(
            token, header, imageBytes: parameters.imageBytes, totalBytes: parameters.imageBytes, from: client)
        schedule(.atRouter(token % parameters.routers, event), after: parameters.networkDelay)
        if case .open(let perSecond) = load {
            let gap = -log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)) / perSecond
            schedule(.submission, after: .nanoseconds(Int64(gap * 1e9)))
        }
    }

    // MARK: Routers

    /// Handles the router's next event, if its thread is free.
    private mutating func work(_ index: Int) {
        guard !routers[index].isBusy, routers[index].next < routers[index].inbox.count else { return }
        let event = routers[index].inbox[routers[index].next]
        routers[index].next += 1
        if routers[index].next == routers[index].inbox.count {
            routers[index].inbox.removeAll(keepingCapacity: true)
            routers[index].next = 0
        }
        let start = CPUClock.thread()
        let actions = routers[index].core.handle(event, at: now)
        let spent = CPUClock.thread() - start
        let cost = spent + socketTime(event, actions)
        routers[index].coreTime += spent
        routers[index].busy += cost
        routers[index].isBusy = true
        schedule(.routerFree(index), after: cost)
        for action in actions { perform(action, of: index, after: cost) }
        if let due = routers[index].core.nextDeadline, due < routers[index].deadline ?? due + .nanoseconds(1) {
            routers[index].deadline = due
            schedule(.routerDeadline(index), after: max(.zero, due - now))
        }
    }

    private func socketTime(_ event: RouterCore.Event, _ actions: [RouterCore.Action]) -> Duration {
        var (messages, bytes) = (1, 0)
        switch event {
        case .deadline: messages = 0
        case .request: bytes = parameters.imageBytes
        case .crops: bytes = parameters.cropBytes
        default: break
        }
        for action in actions {
            switch action {
            case .locate: bytes += parameters.imageBytes
            case .score: bytes += parameters.cropBytes
            case .releaseCrops: continue
            default: break
            }
            messages += 1
        }
        return parameters.socketTime * messages + parameters.imageTime * (Double(bytes) / Double(parameters.imageBytes))
    }

    private mutating func perform(_ action: RouterCore.Action, of router: Int, after cost: Duration) {
        let delay = cost + parameters.networkDelay
        switch action {
        case .reply(let token, let reply):
            var isVerdict = false
            if case .result(let document) = reply { isVerdict = document.status == .ok }
            schedule(.answer(submitted: submissions[token], isVerdict: isVerdict), after: delay)
        case .send(let peer, let message):
            schedule(.atWorker(Int(peer.routingID), .received(router, message, nil)), after: delay)
        case .locate(let peer, let job, let specifications, _):
            send(.locate(job, specifications), parameters.imageBytes, from: router, to: peer, after: cost)
        case .score(let peer, let job, _, _):
            send(.score(job), parameters.cropBytes, from: router, to: peer, after: cost)
        // Actions for durable jobs, for decisions, for draining and for evidence, which are not simulated.
        case .releaseCrops, .examine, .acknowledge, .release, .persist, .record, .find, .decide, .ask,
            .recordShadow, .drained:
            break
        }
    }

    private mutating func send(
        _ message: RouterMessage, _ bytes: Int, from router: Int, to peer: RouterCore.Peer, after cost: Duration
    ) {
        let transfer = Duration.nanoseconds(Int64(Double(8 * bytes) / parameters.bandwidth * 1e9))
        routers[router].wireFree = max(routers[router].wireFree, now + cost) + transfer
        tokens += 1
        let arrival = WorkerCore.Event.received(router, message, WorkerCore.Payload(token: tokens, byteCount: bytes))
        schedule(
            .atWorker(Int(peer.routingID), arrival), after: routers[router].wireFree - now + parameters.networkDelay)
    }

    // MARK: Workers

    private mutating func handle(_ event: WorkerCore.Event, at index: Int) {
        for action in workers[index].core.handle(event, at: now) {
            switch action {
            case .send(let router, let message, let crops):
                let peer = RouterCore.Peer(routingID: UInt64(index))
                var event = RouterCore.Event.worker(peer, message)
                if case .crops(let content) = message, let crops {
                    event = .crops(peer, content, frames: [parameters.cropBytes], crops)
                }
                schedule(.atRouter(router, event), after: parameters.networkDelay)
            case .locate(let token, _): locate(token, at: index)
            case .score(let batch): score(batch, at: index)
            case .reconnect(let router):
                schedule(.atWorker(index, .connected(router)), after: parameters.networkDelay * 2)
            // The list of routers never changes, and no worker finds evidence.
            case .leave, .examine, .release, .demote, .refused, .finished: break
            }
        }
        if let due = workers[index].core.nextDeadline, due < workers[index].deadline ?? due + .nanoseconds(1) {
            workers[index].deadline = due
            schedule(.workerDeadline(index), after: max(.zero, due - now))
        }
    }

    private mutating func locate(_ token: WorkerCore.Token, at index: Int) {
        let located = WorkerCore.Located(
            faces: [WorkerMessage.Face(box: .wholeSample)], facesFound: 1, image: .sample,
            sets: [WorkerMessage.CropSet(squares: [.wholeSample])])
        schedule(.atWorker(index, .computed(.located(token, located))), after: time(at: index))
    }

    /// All crops of a batch get their scores when the last one is done.
    private mutating func score(_ batch: WorkerCore.Batch, at index: Int) {
        var time = Duration.zero
        for _ in 0..<batch.crops { time += self.time(at: index) }
        if isMeasuring {
            outcome.batches += 1
            outcome.crops += batch.crops
        }
        workers[index].isFree = max(workers[index].isFree, now) + time
        let scores = Array(
            repeating: Result<WorkerMessage.CropScore, WireError>.success(WorkerMessage.CropScore(logit: 0)),
            count: batch.crops)
        schedule(
            .atWorker(index, .computed(.scored(batch: batch.number, scores))), after: workers[index].isFree - now)
    }

    private mutating func time(at index: Int) -> Duration {
        workers[index].time * exp(parameters.spread * gaussian())
    }

    /// Returns a normally distributed number (Box and Muller).
    private mutating func gaussian() -> Double {
        let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
    }
}

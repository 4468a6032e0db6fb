import BifronsWire
import Glibc
import HeapModule
import RouterCore
import TestKit
import WorkerCore

/// Routers and workers by their own cores, with everything between them made up: network, sockets, inference, clients.
///
/// A discrete-event simulation: what happens next happens at once, so thousands of machines fit into one process.
/// A router takes one event after the other, as its thread does. Each takes the CPU time that the core really took for it,
/// here, and for every message that came or goes `socketTime`, and `imageTime` if it holds an image or crops. With the same
/// seed everything but the former is the same.
struct Simulation {
    struct Parameters {
        var routers = 1
        /// Of each model, and of the locator.
        var workers = 1
        var seed: UInt64 = 1
        /// Of a router's CPU for a message that it receives or sends.
        var socketTime = Duration.microseconds(3)
        /// Of it for a payload of `imageBytes` in such a message; crops take their share of it.
        var imageTime = Duration.microseconds(59)
        /// One way, between any two processes.
        var networkDelay = Duration.microseconds(100)
        /// Of each router's network connection, in bits a second, for the images that it sends.
        var bandwidth = 10e9
        var imageBytes = 100_000
        /// Bytes of the crops of a picture; both networks score the same ones.
        var cropBytes = 76_800
        /// The median time that one core takes to decode a picture and to cut the crops out of it.
        var cuttingTime = Duration.milliseconds(10)
        /// For each model the median time for the crops of one picture on one core.
        var scoringTimes: [(model: String, time: Duration)] = []
        /// Of the logarithm of a picture's time, as a standard deviation.
        var spread = 0.25
    }

    enum Load {
        /// So many jobs without an answer, always.
        case closed(window: Int)
        /// So many jobs a second, each at a time of its own (a Poisson process).
        case open(perSecond: Double)
    }

    /// What clients saw of the jobs that were answered within the measured time.
    struct Outcome {
        var seconds: Double
        /// Of the jobs with a verdict of both models, from submission to answer.
        var milliseconds: [Double] = []
        /// Answers of any other kind.
        var failures = 0
        var crops = 0
        var batches = 0
        /// Of the busiest router, from 0 to 1.
        var utilization = 0.0
        /// CPU time of a core for a job, in microseconds.
        var coreMicroseconds = 0.0

        var perSecond: Double { Double(milliseconds.count) / seconds }

        /// - Parameter fraction: 0.5 for the median.
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
        /// What has arrived and was not yet read; from `next` on.
        var inbox: [RouterCore.Event] = []
        var next = 0
        var isBusy = false
        /// When the last image will have left.
        var wireFree: Instant
        var deadline: Instant?
        var busy = Duration.zero
        var coreTime = Duration.zero
    }

    private struct Worker {
        var core: WorkerCore
        /// For one picture, or its crops.
        let time: Duration
        /// When the batch in hand is done: the next one starts behind it.
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
    /// The payloads that were sent to workers so far.
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
                // Not all in one moment, or their hearts would beat in step.
                let delay = Duration.microseconds(Int.random(in: 0..<500_000, using: &random))
                for router in 0..<parameters.routers {
                    schedule(.atWorker(workers.count - 1, .connected(router)), after: delay)
                }
            }
        }
    }

    /// Runs the load: until the queues are as they stay, and then for as long as is measured.
    ///
    /// - Parameter warmUp: behind the half second in which the workers register.
    mutating func run(_ load: Load, warmUp: Duration, measured: Duration) -> Outcome {
        advance(to: now + .milliseconds(600))
        self.load = load
        switch load {
        case .closed(let window):
            // Not all in one moment: spread over the warm-up's first half.
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
            // Who is refused comes back a little later, so that the clock goes on.
            if case .closed = load { schedule(.submission, after: isVerdict ? .zero : .milliseconds(100)) }
        }
    }

    // MARK: Clients

    private mutating func submit() {
        let token = submissions.count
        submissions.append(now)
        var header = RequestHeader(verb: .classify)
        header.requirement = .all
        // Eight clients a router; each job goes to the next router, as those of a client that knows them all.
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

    /// The router's thread takes its next event, if it has nothing else to do.
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
        // Of durable jobs and of the end, which are not simulated.
        case .releaseCrops, .acknowledge, .release, .persist, .record, .find, .drained: break
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
            // The routers are the same all the time.
            case .leave, .release, .demote, .refused, .finished: break
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

    /// All of a batch have their scores when the last one has.
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

    /// By Box and Muller.
    private mutating func gaussian() -> Double {
        let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
    }
}

import RouterCore
import TestKit
import Wire

/// A router core with its clock, its workers and what it did, told in words: a test reads like the story of a job.
///
/// Workers go by names such as "r1": an "r" serves resnet, an "i" inception.
struct Script {
    typealias Token = RouterCore.Token

    var core: RouterCore
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// The number under which each durable job went to the journal.
    private(set) var journalled: [Token: UInt64] = [:]
    /// The results that went there, by the same number.
    private(set) var recorded: [UInt64: ResultDocument] = [:]
    private(set) var replies: [Token: RouterCore.Reply] = [:]
    /// What the core did at the last event.
    private(set) var lastActions: [RouterCore.Action] = []
    /// Workers whose heart does not beat while the script waits.
    var silent: Set<String> = []
    /// Workers whose heart beats without progress.
    var hung: Set<String> = []

    private var workers: [String: ScriptedWorker] = [:]
    private var peers: [String: RouterCore.Peer] = [:]
    private var names: [RouterCore.Peer: String] = [:]
    private var jobs: [String: [Token: UInt64]] = [:]
    private var progress: UInt64 = 0
    private var nextBeat: Instant
    private var nextPeer: UInt64 = 1

    init(_ configure: (inout RouterCore.Configuration) -> Void = { _ in }) {
        var configuration = RouterCore.Configuration()
        configure(&configuration)
        nextBeat = now + .milliseconds(500)
        core = RouterCore(configuration: configuration, ensemble: .sample, epochSeed: 100, at: now)
    }

    // MARK: Clients

    /// - Parameter others: bytes of the message besides the image's.
    @discardableResult
    mutating func classify(
        _ token: Token, bytes: Int? = 1000, and others: Int = 0, from asker: Asker = .anybody,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        var header = RequestHeader(verb: .classify, id: "job \(token)")
        change(&header)
        return handle(.request(token, header, imageBytes: bytes, totalBytes: (bytes ?? 0) + others, from: asker))
    }

    /// Jobs for resnet alone, each with a minute.
    @discardableResult
    mutating func classifyResnet(_ tokens: ClosedRange<Int>) -> [String] {
        tokens.flatMap { token in
            classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 60_000) }
        }
    }

    @discardableResult
    mutating func ask(_ token: Token, _ verb: Verb, id: String? = nil, from asker: Asker = .anybody) -> [String] {
        handle(.request(token, RequestHeader(verb: verb, id: id), imageBytes: nil, totalBytes: 0, from: asker))
    }

    // MARK: The journal

    /// A durable job; its client does not wait unless `wait` says so.
    @discardableResult
    mutating func submit(
        _ token: Token, wait: Bool = false, _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        classify(token) { header in
            (header.durable, header.wait) = (true, wait)
            change(&header)
        }
    }

    /// The journal says what became of a job that was to be written down.
    @discardableResult
    mutating func persisted(_ token: Token, _ outcome: RouterCore.Persistence = .stored) -> [String] {
        handle(.persisted(job: journalled[token] ?? 0, outcome))
    }

    /// The journal says that a job's result was written down.
    @discardableResult
    mutating func recorded(_ token: Token, failure: String? = nil) -> [String] {
        handle(.recorded(job: journalled[token] ?? 0, failure: failure))
    }

    /// The journal has a job of an earlier life, with this number.
    @discardableResult
    mutating func recover(
        _ token: Token, job: UInt64, _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        var header = RequestHeader(verb: .classify, id: "job \(token)")
        header.durable = true
        change(&header)
        journalled[token] = job
        return handle(.recovered(token, job: job, header, owner: nil, bytes: 1000))
    }

    func document(_ token: Token) -> ResultDocument? {
        if case .result(let document)? = replies[token] { document } else { nil }
    }

    var status: StatusReport {
        mutating get {
            ask(-1, .status)
            guard case .status(let report)? = replies[-1] else { preconditionFailure("status was not answered") }
            return report
        }
    }

    // MARK: Workers

    /// A worker says HELLO, on the connection it has or on a new one.
    @discardableResult
    mutating func join(_ name: String, credit: UInt32 = 4, metrics: [String: Double] = [:]) -> [String] {
        var worker = ScriptedWorker(name, serving: name.hasPrefix("r") ? "resnet" : "inception", credit: credit)
        worker.metrics = metrics
        return join(worker)
    }

    @discardableResult
    mutating func join(_ worker: ScriptedWorker) -> [String] {
        workers[worker.name] = worker
        jobs[worker.name] = [:]
        return handle(.worker(peer(worker.name), worker.hello))
    }

    /// The same worker says HELLO on a new connection; the end of the old one is not noticed.
    @discardableResult
    mutating func reconnect(_ name: String) -> [String] {
        peers[name] = nil
        return join(self[name])
    }

    @discardableResult
    mutating func score(_ name: String, _ token: Token, logit: Float = 0) -> [String] {
        say(name, self[name].score(job(name, token), logit: logit))
    }

    @discardableResult
    mutating func score(_ name: String, _ token: Token, regions: [WorkerMessage.Region]) -> [String] {
        say(name, self[name].score(job(name, token), regions: regions))
    }

    @discardableResult
    mutating func fail(_ name: String, _ token: Token, _ status: Status, code: String = "scripted") -> [String] {
        say(name, self[name].fail(job(name, token), status, code: code))
    }

    @discardableResult
    mutating func say(_ name: String, _ message: WorkerMessage) -> [String] {
        handle(.worker(peer(name), message))
    }

    /// The worker is lost, its connection ended if nothing else is said; a later `join` is on a new one.
    @discardableResult
    mutating func lose(_ name: String, _ loss: RouterCore.Loss = .connectionEnded) -> [String] {
        let told = handle(.lost(peer(name), loss))
        peers[name] = nil
        return told
    }

    /// The worker of that name, with the epoch of its last WELCOME.
    subscript(name: String) -> ScriptedWorker {
        workers[name] ?? ScriptedWorker(name, serving: "?")
    }

    /// The number under which the worker was handed the request's job last.
    func job(_ name: String, _ token: Token) -> UInt64 {
        guard let job = jobs[name]?[token] else { preconditionFailure("\(name) was not handed \(token)") }
        return job
    }

    // MARK: Time

    /// Lets time pass, with heartbeats and every timer on its instant.
    @discardableResult
    mutating func wait(_ duration: Duration) -> [String] {
        let end = now + duration
        var told: [String] = []
        while true {
            let deadline = core.nextDeadline.map { max(now, $0) } ?? end + .seconds(1)
            guard min(deadline, nextBeat) <= end else { break }
            if nextBeat <= deadline {
                now = max(now, nextBeat)
                told += beat()
            } else {
                now = deadline
                told += handle(.deadline)
                precondition(core.nextDeadline.map { $0 > now } ?? true, "a timer that has rung is set again")
            }
        }
        now = end
        return told
    }

    /// Time passes and nobody looks at the clock.
    mutating func oversleep(_ duration: Duration) {
        now = now + duration
    }

    private mutating func beat() -> [String] {
        nextBeat = now + .milliseconds(500)
        progress += 1
        var told: [String] = []
        for name in peers.keys.sorted() where !silent.contains(name) && workers[name] != nil {
            told += handle(.worker(peer(name), self[name].ping(progress: hung.contains(name) ? 0 : progress)))
        }
        return told
    }

    // MARK: Telling

    /// Everything but PONG, in words.
    @discardableResult
    mutating func handle(_ event: RouterCore.Event) -> [String] {
        lastActions = core.handle(event, at: now)
        return lastActions.compactMap { tell($0) }
    }

    private mutating func tell(_ action: RouterCore.Action) -> String? {
        switch action {
        case .reply(let token, let reply):
            replies[token] = reply
            guard case .result(let document) = reply else { return "reply \(token)" }
            return "reply \(token): \(document.status.rawValue)" + (document.error.map { " \($0.code)" } ?? "")
        case .dispatch(let peer, let job, let token):
            jobs[name(peer), default: [:]][token] = job.job
            return "job \(token) to \(name(peer))" + (job.attempt > 1 ? ", attempt \(job.attempt)" : "")
        case .send(let peer, .welcome(let epoch, _)):
            workers[name(peer)]?.epoch = epoch
            return "welcome \(name(peer))"
        case .send(_, .pong): return nil
        case .send(let peer, .resync): return "resync \(name(peer))"
        case .send(let peer, .bye): return "bye \(name(peer))"
        case .send(_, .job): preconditionFailure("a job is dispatched, not sent: it has an image")
        case .acknowledge(let token, .result(let document)):
            replies[token] = .result(document)
            return "acknowledge \(token): \(document.status.rawValue)"
        case .acknowledge: preconditionFailure("only a job is acknowledged")
        case .release(let token): return "release \(token)"
        case .persist(let token, let job, _, _):
            journalled[token] = job
            return "persist \(token)"
        case .record(let job, let document):
            recorded[job] = document
            let token = journalled.first { $0.value == job }?.key
            return "record \(token.map(String.init) ?? "?"): \(document.status.rawValue)"
        case .find(let token, let id, let owner):
            return "find \(id)\(owner.map { " of \($0)" } ?? "") for \(token)"
        case .drained: return "drained"
        }
    }

    private func name(_ peer: RouterCore.Peer) -> String {
        names[peer] ?? "peer \(peer.routingID)"
    }

    mutating func peer(_ name: String) -> RouterCore.Peer {
        if let peer = peers[name] { return peer }
        let peer = RouterCore.Peer(routingID: nextPeer)
        nextPeer += 1
        peers[name] = peer
        names[peer] = name
        return peer
    }
}

extension Ensemble {
    /// resnet and inception, with numbers that tell every subset and every policy apart.
    static var sample: Ensemble {
        do {
            return try Ensemble(
                models: ["resnet", "inception"],
                merge: [
                    (["resnet"], Blend(bias: 0.1, weights: [1.5])),
                    (["inception"], Blend(bias: -0.2, weights: [0.5])),
                    (["resnet", "inception"], Blend(bias: 0.3, weights: [0.7, 0.6])),
                ],
                policies: [
                    "default": Policy(review: 0.5, block: 0.9),
                    "strict": Policy(review: 0.1, block: 0.2),
                    "careful": Policy(review: 0.5, block: 0.9, noFace: .review),
                ])
        } catch {
            preconditionFailure(error.message)
        }
    }
}

import BifronsWire
import Decisions
import RouterCore
import TestKit
import Testing

/// Drives a router core with a clock and scripted workers, and describes its actions in words, so that a test reads as
/// the course of a job.
///
/// A worker's name tells what it serves: "r1" serves resnet, "i1" serves inception, "l1" is a locator, "p1" finds
/// provenance, and "k1" known images. By default a script begins with the locator "l0". It cuts each image at once and
/// its messages are not described, so that tests of one stage need not handle the other.
struct Script {
    typealias Token = RouterCore.Token
    typealias CropsToken = RouterCore.CropsToken

    /// Which locator the script begins with.
    enum Locators {
        /// The locator "l0", which is registered and cuts on its own.
        case itself
        /// None. The test registers locators and has them cut.
        case byHand
    }

    var core: RouterCore
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// The number under which each durable job was written to the journal.
    private(set) var journalled: [Token: UInt64] = [:]
    /// The results written to the journal, by the same number.
    private(set) var recorded: [UInt64: ResultDocument] = [:]
    /// The decisions that went to the ledger, in order.
    private(set) var decided: [Decision] = []
    /// What shadow models said.
    private(set) var shadowScores: [ShadowScore] = []
    /// The requests whose images went to the journal for a reviewer.
    private(set) var keptForReview: [Token] = []
    /// What the ledger was asked, by the token of the request.
    private(set) var questions: [Token: LedgerQuestion] = [:]
    private(set) var replies: [Token: RouterCore.Reply] = [:]
    /// The core's actions at the last event.
    private(set) var lastActions: [RouterCore.Action] = []
    /// The faces that "l0" cuts out of each image.
    var faces: [WorkerMessage.Face] = []
    /// The number of faces that "l0" finds; nil for the number of `faces`.
    var facesFound: Int?
    /// The images whose crops are kept for the networks.
    private(set) var kept: [CropsToken: Token] = [:]
    /// Workers that send no heartbeats while the script waits.
    var silent: Set<String> = []
    /// Workers that send heartbeats without progress.
    var hung: Set<String> = []

    private var workers: [String: ScriptedWorker] = [:]
    private var peers: [String: RouterCore.Peer] = [:]
    private var names: [RouterCore.Peer: String] = [:]
    private var jobs: [String: [Token: UInt64]] = [:]
    private var progress: UInt64 = 0
    private var nextBeat: Instant
    private var nextPeer: UInt64 = 1
    /// The crops that each locator was last asked to cut out of each image.
    private var asked: [String: [Token: [CropSpecification]]] = [:]
    private var nextCrops: CropsToken = 1
    /// Images that the current event dispatched to "l0".
    private var uncut: [Token] = []
    private let cutsByItself: Bool

    private static let automaton = "l0"

    init(
        ensemble: Ensemble = .sample, locators: Locators = .itself,
        _ configure: (inout RouterCore.Configuration) -> Void = { _ in }
    ) {
        var configuration = RouterCore.Configuration()
        configure(&configuration)
        nextBeat = now + .milliseconds(500)
        cutsByItself = locators == .itself
        core = RouterCore(configuration: configuration, ensemble: ensemble, epochSeed: 100, at: now)
        if cutsByItself { join(.locator(Self.automaton, credit: .max)) }
    }

    /// Returns a script with workers of these names, where no locator cuts on its own.
    static func byHand(
        _ names: [String] = ["l1", "l2", "r1", "i1"], credit: UInt32 = 4,
        _ configure: (inout RouterCore.Configuration) -> Void = { _ in }
    ) -> Script {
        var script = Script(locators: .byHand, configure)
        for name in names { script.join(name, credit: credit) }
        return script
    }

    // MARK: Clients

    /// Sends a request about policies or decisions.
    @discardableResult
    mutating func ask(
        _ token: Token, _ verb: Verb, body: String, from principal: Principal = .anybody,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        var header = RequestHeader(verb: verb)
        change(&header)
        return handle(
            .request(token, header, imageBytes: nil, body: Array(body.utf8), totalBytes: 0, from: principal))
    }

    /// The members of the answer to a request about policies or decisions.
    func members(_ token: Token) -> String? {
        guard case .decisions(let reply)? = replies[token] else { return nil }
        return String(decoding: reply.members, as: UTF8.self)
    }

    /// Sends a job.
    ///
    /// - Parameters:
    ///   - image: a letter that stands for the image's digest.
    ///   - others: the message's bytes besides the image's.
    @discardableResult
    mutating func classify(
        _ token: Token, image: Character = "a", bytes: Int? = 1000, and others: Int = 0,
        from principal: Principal = .anybody,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        var header = RequestHeader(verb: .classify, id: "job \(token)")
        change(&header)
        return handle(
            .request(
                token, header, imageBytes: bytes, sha256: Array(image.utf8), totalBytes: (bytes ?? 0) + others,
                from: principal))
    }

    /// Sends jobs for resnet alone, each with a budget of a minute.
    @discardableResult
    mutating func classifyResnet(_ tokens: ClosedRange<Int>) -> [String] {
        tokens.flatMap { token in
            classify(token) { ($0.models, $0.budgetMilliseconds) = (["resnet"], 60_000) }
        }
    }

    @discardableResult
    mutating func ask(
        _ token: Token, _ verb: Verb, id: String? = nil, from principal: Principal = .anybody, owner: String? = nil
    ) -> [String] {
        var header = RequestHeader(verb: verb, id: id)
        header.owner = owner
        return handle(.request(token, header, imageBytes: nil, totalBytes: 0, from: principal))
    }

    // MARK: The journal

    /// Sends a durable job, whose client waits for the result only if `wait` is true.
    @discardableResult
    mutating func submit(
        _ token: Token, image: Character = "a", wait: Bool = false, from principal: Principal = .anybody,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        classify(token, image: image, from: principal) { header in
            (header.durable, header.wait) = (true, wait)
            change(&header)
        }
    }

    /// Reports what the journal did with a job.
    @discardableResult
    mutating func persisted(_ token: Token, _ outcome: JournalOutcome = .stored) -> [String] {
        handle(.persisted(job: journalled[token] ?? 0, outcome))
    }

    /// Reports that the journal has written a job's result, or failed to.
    @discardableResult
    mutating func recorded(_ token: Token, failure: String? = nil) -> [String] {
        handle(.recorded(job: journalled[token] ?? 0, failure: failure))
    }

    /// Reports a job of an earlier run of the router, with this number.
    @discardableResult
    mutating func recover(
        _ token: Token, job: UInt64, image: Character = "a", key: String? = nil,
        _ change: (inout RequestHeader) -> Void = { _ in }
    ) -> [String] {
        var header = RequestHeader(verb: .classify, id: "job \(token)")
        header.durable = true
        change(&header)
        journalled[token] = job
        return handle(.recovered(token, job: job, header, key: key, sha256: Array(image.utf8), bytes: 1000))
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

    /// The answer to the verb `history`; nil if it was refused.
    var history: HistoryReport? {
        mutating get {
            ask(-1, .history)
            if case .history(let report)? = replies[-1] { return report } else { return nil }
        }
    }

    /// The answer to the verb `events`; nil if it was refused.
    var events: EventsReport? {
        mutating get {
            ask(-1, .events)
            if case .events(let report)? = replies[-1] { return report } else { return nil }
        }
    }

    /// The status of all workers except "l0".
    var workersStatus: [StatusReport.Worker] {
        mutating get { status.workers.filter { !(cutsByItself && $0.name == Self.automaton) } }
    }

    // MARK: Workers

    /// Sends a worker's HELLO, on its present connection or on a new one.
    ///
    /// - Parameters:
    ///   - specification: the crops that a network scores.
    ///   - preprocessing: the version by which a locator cuts.
    @discardableResult
    mutating func join(
        _ name: String, credit: UInt32 = 4, scoring specification: CropSpecification = .centralSample,
        preprocessing: UInt16 = CropSpecification.sample.preprocessing, metrics: [String: Double] = [:]
    ) -> [String] {
        var worker: ScriptedWorker
        if name.hasPrefix("l") {
            worker = .locator(name, credit: credit)
            worker.role = .locator(preprocessing: preprocessing)
        } else if name.hasPrefix("p") || name.hasPrefix("k") {
            worker = .examiner(name.hasPrefix("p") ? .provenance : .known, name, credit: credit)
        } else {
            let model = name.hasPrefix("r") ? "resnet" : name.hasPrefix("s") ? "shadow" : "inception"
            worker = ScriptedWorker(name, serving: model, as: .network(specification), credit: credit)
        }
        worker.metrics = metrics
        return join(worker)
    }

    @discardableResult
    mutating func join(_ worker: ScriptedWorker) -> [String] {
        workers[worker.name] = worker
        jobs[worker.name] = [:]
        return handle(.worker(peer(worker.name), worker.hello))
    }

    /// Sends the same worker's HELLO on a new connection. The end of the old one is not reported.
    @discardableResult
    mutating func reconnect(_ name: String) -> [String] {
        peers[name] = nil
        return join(self[name])
    }

    /// Sends the score of the central square, or of an image's only face.
    @discardableResult
    mutating func score(_ name: String, _ token: Token, logit: Float = 0) -> [String] {
        score(name, token, logits: [logit])
    }

    /// Sends the scores of all crops.
    @discardableResult
    mutating func score(
        _ name: String, _ token: Token, logits: [Float], maps: [EvidenceMap?]? = nil
    ) -> [String] {
        say(name, self[name].score(job(name, token), logits: logits, maps: maps))
    }

    /// Sends the evidence that a worker found.
    @discardableResult
    mutating func examine(_ name: String, _ token: Token, _ report: EvidenceReport) -> [String] {
        say(name, self[name].evidence(job(name, token), report))
    }

    /// Sends the crops that a locator was asked for.
    ///
    /// - Parameters:
    ///   - specifications: the crops that it cuts instead.
    ///   - change: changes the answer, to make it wrong.
    @discardableResult
    mutating func cut(
        _ name: String, _ token: Token, faces: [WorkerMessage.Face] = [], facesFound: Int? = nil,
        of specifications: [CropSpecification]? = nil,
        _ change: (inout WorkerMessage.Crops, inout [Int]) -> Void = { _, _ in }
    ) -> [String] {
        let specifications = specifications ?? asked[name]?[token] ?? []
        let looked = specifications.contains(where: \.needsFaces)
        let answer = self[name].crops(
            job(name, token), of: specifications, faces: looked ? faces : [],
            facesFound: .some(looked ? facesFound ?? faces.count : nil))
        guard case .crops(var crops) = answer.message else { preconditionFailure() }
        var frames = answer.frames.map(\.count)
        change(&crops, &frames)
        return deliver(name, crops, frames, of: token)
    }

    /// Sends a locator's crops.
    @discardableResult
    mutating func deliver(_ name: String, _ crops: WorkerMessage.Crops, _ frames: [Int], of token: Token) -> [String] {
        kept[nextCrops] = token
        nextCrops += 1
        return handle(.crops(peer(name), crops, frames: frames, nextCrops - 1))
    }

    /// Returns the crops that a locator was last asked to cut out of an image.
    func asked(_ name: String, _ token: Token) -> [CropSpecification] { asked[name]?[token] ?? [] }

    @discardableResult
    mutating func fail(_ name: String, _ token: Token, _ status: Status, code: String = "scripted") -> [String] {
        say(name, self[name].fail(job(name, token), status, code: code))
    }

    @discardableResult
    mutating func say(_ name: String, _ message: WorkerMessage) -> [String] {
        handle(.worker(peer(name), message))
    }

    /// Reports that a worker is lost, by default because its connection ended. A later `join` uses a new connection.
    @discardableResult
    mutating func lose(_ name: String, _ loss: RouterCore.Loss = .connectionEnded) -> [String] {
        let lines = handle(.lost(peer(name), loss))
        peers[name] = nil
        return lines
    }

    /// The worker of that name, with the epoch of its latest WELCOME.
    subscript(name: String) -> ScriptedWorker {
        workers[name] ?? ScriptedWorker(name, serving: "?")
    }

    /// Returns the number of the request's job that was last dispatched to the worker.
    func job(_ name: String, _ token: Token) -> UInt64 {
        guard let job = jobs[name]?[token] else { preconditionFailure("\(name) was not handed \(token)") }
        return job
    }

    /// Whether the worker, since its last HELLO, has been given a job of the request.
    func hasJob(_ name: String, _ token: Token) -> Bool { jobs[name]?[token] != nil }

    // MARK: Time

    /// Advances the clock, with heartbeats and every timer exactly when due.
    @discardableResult
    mutating func wait(_ duration: Duration) -> [String] {
        let end = now + duration
        var lines: [String] = []
        while true {
            let deadline = core.nextDeadline.map { max(now, $0) } ?? end + .seconds(1)
            guard min(deadline, nextBeat) <= end else { break }
            if nextBeat <= deadline {
                now = max(now, nextBeat)
                lines += beat()
            } else {
                now = deadline
                lines += handle(.deadline)
                precondition(core.nextDeadline.map { $0 > now } ?? true, "a timer that has rung is set again")
            }
        }
        now = end
        return lines
    }

    /// Advances the clock without reporting any deadline.
    mutating func advanceClock(_ duration: Duration) {
        now = now + duration
    }

    private mutating func beat() -> [String] {
        nextBeat = now + .milliseconds(500)
        progress += 1
        var lines: [String] = []
        for name in peers.keys.sorted() where !silent.contains(name) && workers[name] != nil {
            lines += handle(.worker(peer(name), self[name].ping(progress: hung.contains(name) ? 0 : progress)))
        }
        return lines
    }

    // MARK: Describing actions

    /// Passes an event to the core and describes its actions in words, except PONG, released crops and all that
    /// concerns "l0".
    @discardableResult
    mutating func handle(_ event: RouterCore.Event) -> [String] {
        var actions = core.handle(event, at: now)
        var lines = actions.compactMap { describe($0) }
        while !uncut.isEmpty {
            lines += cut(Self.automaton, uncut.removeFirst(), faces: faces, facesFound: facesFound)
            actions += lastActions
        }
        lastActions = actions
        return lines
    }

    private mutating func describe(_ action: RouterCore.Action) -> String? {
        switch action {
        case .reply(let token, let reply):
            replies[token] = reply
            guard case .result(let document) = reply else { return "reply \(token)" }
            return "reply \(token): \(document.status.rawValue)" + (document.error.map { " \($0.code)" } ?? "")
        case .locate(let peer, let job, let specifications, let token):
            jobs[name(peer), default: [:]][token] = job.job
            asked[name(peer), default: [:]][token] = specifications
            if isAutomaton(peer) {
                uncut.append(token)
                return nil
            }
            return "image \(token) to \(name(peer))" + (job.attempt > 1 ? ", attempt \(job.attempt)" : "")
        case .score(let peer, let job, let crops, let frame):
            guard let token = kept[crops] else {
                Issue.record("the crops \(crops) are not there any more")
                return nil
            }
            #expect((0..<Limits.cropSets).contains(frame))
            jobs[name(peer), default: [:]][token] = job.job
            return "job \(token) to \(name(peer))" + (job.attempt > 1 ? ", attempt \(job.attempt)" : "")
        case .examine(let peer, let job, let token):
            jobs[name(peer), default: [:]][token] = job.job
            return "evidence \(token) to \(name(peer))" + (job.attempt > 1 ? ", attempt \(job.attempt)" : "")
        case .releaseCrops(let crops):
            if kept.removeValue(forKey: crops) == nil { Issue.record("the crops \(crops) are let go twice") }
            return nil
        case .send(let peer, .welcome(let epoch, _)):
            workers[name(peer)]?.epoch = epoch
            return isAutomaton(peer) ? nil : "welcome \(name(peer))"
        case .send(let peer, _) where isAutomaton(peer): return nil
        case .send(_, .pong): return nil
        case .send(let peer, .resync): return "resync \(name(peer))"
        case .send(let peer, .bye): return "bye \(name(peer))"
        case .send(_, .locate), .send(_, .score), .send(_, .examine):
            preconditionFailure("a job has an image or crops: it is an action of its own")
        case .acknowledge(let token, .result(let document)):
            replies[token] = .result(document)
            return "acknowledge \(token): \(document.status.rawValue)"
        case .acknowledge: preconditionFailure("only a job is acknowledged")
        case .release(let token): return "release \(token)"
        case .persist(let token, let job, _, _, _):
            journalled[token] = job
            return "persist \(token)"
        case .decide(let decision, let image):
            decided.append(decision)
            if let image { keptForReview.append(image) }
            return nil
        case .recordShadow(let score):
            shadowScores.append(score)
            return nil
        case .ask(let token, let question):
            questions[token] = question
            return "ask \(token)"
        case .record(let job, let document, let decision, _):
            recorded[job] = document
            if let decision { decided.append(decision) }
            let token = journalled.first { $0.value == job }?.key
            return "record \(token.map(String.init) ?? "?"): \(document.status.rawValue)"
        case .find(let token, let id, let jobOwner):
            let whose = jobOwner.map { " of \($0.key ?? "-")" + ($0.owner.map { "/\($0)" } ?? "") }
            return "find \(id)\(whose ?? "") for \(token)"
        case .drained: return "drained"
        }
    }

    private func isAutomaton(_ peer: RouterCore.Peer) -> Bool {
        cutsByItself && name(peer) == Self.automaton
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

import TestKit
import Testing
import Wire

@testable import RouterCore

/// Random schedules: whatever happens in whatever order, the core keeps its promises after every single event.
///
/// A failure names seed and event: the same seed replays it.
struct ScheduleTests {
    static let seeds: [UInt64] = [1, 2, 3, 0xB1F2, 20_250_101]

    @Test(.ownThread, arguments: seeds) func theCoreKeepsItsPromises(seed: UInt64) throws {
        var schedule = Schedule(seed: seed)
        // 5 seeds, each with 24,000 events and those of the way to the end.
        while schedule.events < 24_000 { try schedule.runOneLife(events: 4000) }
        for (what, count) in schedule.seen { #expect(count > 0, "no schedule of seed \(seed) had \(what)") }
    }
}

/// Clients, workers and a clock that behave at random, and a model of what the core owes them.
private struct Schedule {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    /// A request that waits for its reply.
    struct Open {
        var header: RequestHeader
        var bytes: Int
        var deadline: Instant
        /// By model: workers that it was handed to.
        var executions: [String: Int] = [:]
        /// By model: the lives of workers whose connection ended with it in hand, and that have not come back.
        var deaths: [String: Set<UInt64>] = [:]
        /// The models of which a worker may have died of it.
        var suspectOf: Set<String> = []
        /// Of a durable job: whether the journal has said that it is on disk.
        var isPersisted = false
        /// Whether its client has had its answer; it is open until it is released.
        var isAcknowledged = false
        /// Whether its result is on the way to the disk.
        var isRecording = false

        /// Whether it is a job without a result.
        var isJob: Bool { header.verb == .classify && !isRecording }
    }

    struct Peer {
        let id: RouterCore.Peer
        var worker: ScriptedWorker
        var credit: Int
        var isDraining = false
        var held: Set<UInt64> = []
        var lastHeard: Instant
        /// The last time when it began, finished or got on with a job.
        var lastProgress: Instant
        var progress: UInt64 = 0
        var toldProgress: UInt64 = 0
    }

    /// What the journal was told to do; it obeys in order.
    enum Order {
        case persist(UInt64)
        case record(UInt64)
        case find(Int)
    }

    private let seed: UInt64
    private var random: SeededGenerator
    private(set) var events = 0
    private var lives = 0

    private var configuration = RouterCore.Configuration()
    private var core: RouterCore
    private var now = Instant(nanoseconds: 0)
    private var open: [Int: Open] = [:]
    private var nextToken = 1
    private var peers: [RouterCore.Peer: Peer] = [:]
    /// Workers that were lost, and may come back.
    private var gone: [ScriptedWorker] = []
    /// Workers that say nothing until this instant: their host pauses.
    private var pausedUntil: [RouterCore.Peer: Instant] = [:]
    /// The requests of the jobs that were handed out.
    private var requestOf: [UInt64: Int] = [:]
    private var nextPeer: UInt64 = 1
    /// Jobs that were answered or lost, to be answered again.
    private var past: [UInt64] = [1]
    private var orders: [Order] = []
    private var tokens: [UInt64: Int] = [:]
    private var recorded: Set<UInt64> = []
    private var replies = 0
    private var isDrained = false
    /// How often the lives so far had what makes a schedule worth its name.
    private(set) var seen: [String: Int] = [:]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        core = RouterCore(configuration: configuration, ensemble: .sample, epochSeed: 0, at: now)
    }

    // MARK: The play

    mutating func runOneLife(events count: Int) throws {
        lives += 1
        configuration.maxJobs = [3, 20, 60][lives % 3]
        configuration.maxBytes = 40_000
        configuration.imageBytes = 5000
        configuration.hangTimeout = .seconds(2)
        configuration.rejoinWait = .milliseconds(500)
        configuration.deathConfirmation = .milliseconds(50) ... .milliseconds(200)
        configuration.workerWait = lives % 2 == 0 ? .zero : .milliseconds(300)
        configuration.idempotencyRetention = .seconds(2)
        configuration.idempotencyEntries = 5
        configuration.keepsJournal = lives % 4 != 0
        now = Instant(nanoseconds: Int64.random(in: 0...1 << 40, using: &random))
        core = RouterCore(
            configuration: configuration, ensemble: .sample, epochSeed: random.next(), at: now)
        (peers, replies, isDrained) = ([:], 0, false)
        (gone, pausedUntil, requestOf) = ([], [:], [:])
        (orders, tokens, recorded) = ([], [:], [])
        for _ in 0..<count { try step() }
        try handle(.drain)
        if random.chance(0.5) {
            for _ in 0..<200 where !isDrained { try step() }
            while let deadline = core.nextDeadline, !isDrained {
                now = max(now, deadline)
                try handle(.deadline)
                try obey()
            }
        } else {
            try handle(.abandon)
        }
        while !orders.isEmpty { try obey() }
        try check(open.isEmpty && isDrained, "after the end \(open.count) requests have no reply")
        let counters = core.statistics.report
        for (what, count) in [
            ("late", counters.late), ("unknown", counters.unknown), ("strangers", counters.strangers),
            ("lost", counters.workersLost), ("redispatched", counters.redispatched),
            ("quarantined", counters.quarantined), ("cancelled", counters.cancelled), ("rejected", counters.rejected),
            ("deduplicated", counters.deduplicated), ("malformed", counters.malformedMessages),
        ] { seen[what, default: 0] += count }
        for status in [200, 202, 206, 400, 404, 408, 413, 422, 429, 503] {
            seen["status \(status)", default: 0] += counters.repliesByStatus["\(status)"] ?? 0
        }
    }

    private mutating func step() throws {
        switch random.next() % 119 {
        case 0..<25: try handle(request())
        case 25..<60: try answer()
        case 60..<75: try pass(.microseconds(Int.random(in: 0...20_000, using: &random)))
        case 75..<76: try pass(.milliseconds(Int.random(in: 0...2500, using: &random)))
        case 76..<84: try ping()
        case 84..<87: try join()
        case 87..<89: try lose()
        case 115: pauseHost()
        case 118:
            let tokens = Set(open.keys.sorted().filter { _ in random.chance(0.05) })
            try handle(.clientsGone(tokens))
            let left = tokens.filter { open[$0]?.header.verb == .classify && open[$0]?.header.durable == false }
            try check(left.isEmpty, "\(left) are computed for nobody")
        case 116..<118: try comeBack()
        case 89..<91: try changeCredit()
        case 91..<92: try say { $0.drain }
        case 92..<93: try say { $0.bye }
        case 93..<95: try lie()
        case 95..<97:
            try handle(.request(nextToken, RequestHeader(verb: .cancel, id: anyID()), imageBytes: nil, totalBytes: 0))
        case 97..<98:
            try handle(
                .request(
                    nextToken, RequestHeader(verb: .allCases.randomElement(using: &random)!), imageBytes: 1,
                    totalBytes: 9))
        case 98..<99: try handle(.malformedRequest(nextToken, id: nil, WireError(.badRequest, code: "c", "m")))
        case 99..<100: try handle(.malformedMessage)
        case 100..<101:
            try handle(.request(nextToken, RequestHeader(verb: .fetch, id: anyID()), imageBytes: nil, totalBytes: 0))
        case 101..<102: try recover()
        default: try obey()
        }
    }

    /// The journal does what is next.
    private mutating func obey() throws {
        guard !orders.isEmpty else { return }
        var failure = ResultDocument(id: "kept", error: WireError(.unprocessable, code: "c", "m"))
        failure.metadata = nil
        switch orders.removeFirst() {
        case .persist(let job):
            let fate = random.next() % 10
            try handle(
                .persisted(job: job, fate == 0 ? .failed("scripted") : fate == 1 ? .known(failure) : .stored))
        case .record(let job): try handle(.recorded(job: job, failure: random.chance(0.1) ? "scripted" : nil))
        case .find(let token):
            failure.id = open[token]?.header.id
            let findings: [RouterCore.Finding] = [.result(failure), .running, .unknown, .failed("scripted")]
            try handle(.found(token, findings.randomElement(using: &random)!))
        }
    }

    private mutating func recover() throws {
        // What an earlier life left fits, as it fitted there.
        guard configuration.keepsJournal, core.jobsInHand < configuration.maxJobs,
            core.ledger.bytes + core.recordingBytes + 100 <= configuration.maxBytes
        else { return }
        var header = RequestHeader(verb: .classify, id: anyID())
        header.durable = true
        header.budgetMilliseconds = Int.random(in: 1...1500, using: &random)
        if random.chance(0.3) { header.idempotencyKey = "k\(Int.random(in: 0...4, using: &random))" }
        if random.chance(0.1) { header.models = ["vgg"] }
        try handle(.recovered(nextToken, job: random.next(), header, owner: nil, bytes: 100))
    }

    private mutating func request() -> RouterCore.Event {
        var header = RequestHeader(verb: .classify, id: random.chance(0.9) ? anyID() : nil)
        header.budgetMilliseconds = Int.random(in: 1...(random.chance(0.5) ? 50 : 1500), using: &random)
        header.priority = Int.random(in: Limits.priorities, using: &random)
        header.models = [nil, nil, ["resnet"], ["inception"], ["inception", "resnet"]].randomElement(using: &random)!
        header.requirement = random.chance(0.7) ? .any : .all
        if random.chance(0.3) { header.idempotencyKey = "k\(Int.random(in: 0...4, using: &random))" }
        if random.chance(0.1) { header.metadata = Array("{}".utf8) }
        if random.chance(0.02) { header.models = ["vgg"] }
        if random.chance(0.02) { header.policy = "none" }
        if random.chance(0.3) { header.durable = true }
        if random.chance(0.5) { header.wait = false }
        let bytes: Int? =
            random.chance(0.02) ? nil : Int.random(in: random.chance(0.9) ? 1...2000 : 0...6000, using: &random)
        return .request(
            nextToken, header, imageBytes: bytes, totalBytes: (bytes ?? 0) + Int.random(in: 0...300, using: &random))
    }

    private mutating func anyID() -> String {
        "id \(Int.random(in: 0...30, using: &random))"
    }

    private mutating func anyone() -> RouterCore.Peer? {
        // Sorted, or the same seed would not play the same twice.
        peers.keys.sorted { $0.routingID < $1.routingID }.randomElement(using: &random)
    }

    private mutating func lose() throws {
        let onTrial = peers.values.filter { peer in
            peer.held.contains { open[requestOf[$0]!]?.suspectOf.contains(peer.worker.model) == true }
        }
        let suspected = onTrial.map(\.id).min { $0.routingID < $1.routingID }
        let busiest = random.chance(0.5) ? busiest() : anyone()
        guard let peer = random.chance(0.5) ? suspected ?? busiest : busiest else { return }
        let others: [RouterCore.Loss] = [.unreachable, .revoked]
        try handle(.lost(peer, random.chance(0.7) ? .connectionEnded : others.randomElement(using: &random)!))
    }

    /// All workers of a model, or of both, fall silent together.
    private mutating func pauseHost() {
        let model: String? = random.chance(0.5) ? (random.chance(0.5) ? "resnet" : "inception") : nil
        let end = now + .milliseconds(Int.random(in: 0...3000, using: &random))
        for peer in peers.values where model == nil || peer.worker.model == model { pausedUntil[peer.id] = end }
    }

    /// A worker that was lost dials again, and is the one that it was or was started anew.
    private mutating func comeBack() throws {
        guard var worker = gone.popLast() else { return }
        if random.chance(0.3) { worker.bootID = random.next() }
        let id = RouterCore.Peer(routingID: nextPeer)
        nextPeer += 1
        try handle(.worker(id, worker.hello))
    }

    private func isPaused(_ peer: RouterCore.Peer) -> Bool {
        pausedUntil[peer].map { $0 > now } ?? false
    }

    /// Whose death is felt most.
    private func busiest() -> RouterCore.Peer? {
        peers.values.max { ($0.held.count, $0.id.routingID) < ($1.held.count, $1.id.routingID) }?.id
    }

    private mutating func answer() throws {
        let busy = peers.values.filter { !$0.held.isEmpty && !isPaused($0.id) }.sorted {
            $0.id.routingID < $1.id.routingID
        }
        guard let peer = busy.randomElement(using: &random) else { return }
        let job = peer.held.sorted().randomElement(using: &random)!
        let failures: [Status] = [
            .unavailable, Status(rawValue: 500), .unprocessable, .tooLarge, .ok, Status(rawValue: 7),
        ]
        let message =
            random.chance(0.85)
            ? peer.worker.score(job, logit: Float.random(in: -9...9, using: &random))
            : peer.worker.fail(job, failures.randomElement(using: &random)!)
        try handle(.worker(peer.id, message))
    }

    private mutating func pass(_ duration: Duration) throws {
        let end = now + duration
        // Now and then the driver is late.
        if random.chance(0.9) {
            while let deadline = core.nextDeadline, deadline <= end {
                now = max(now, deadline)
                for peer in peers.keys.sorted(by: { $0.routingID < $1.routingID })
                where !isPaused(peer) && random.chance(0.6) {
                    try handle(.worker(peer, ping(from: peer)))
                }
                try handle(.deadline)
                try check(core.nextDeadline.map { $0 > now } ?? true, "a timer that has rung is set to \(now) again")
            }
        }
        now = end
    }

    private mutating func ping(from peer: RouterCore.Peer) -> WorkerMessage {
        if random.chance(0.5) { peers[peer]?.progress += 1 }
        return peers[peer]!.worker.ping(progress: peers[peer]!.progress)
    }

    private mutating func ping() throws {
        if let peer = anyone(), !isPaused(peer) { try handle(.worker(peer, ping(from: peer))) }
    }

    private mutating func join() throws {
        if peers.count < 6 || random.chance(0.3) {
            let id = RouterCore.Peer(routingID: nextPeer)
            nextPeer += 1
            let model = random.chance(0.1) ? "vgg" : random.chance(0.5) ? "resnet" : "inception"
            let credit: UInt32 = random.chance(0.1) ? 300 : UInt32.random(in: 0...4, using: &random)
            try handle(.worker(id, ScriptedWorker("w\(id.routingID)", serving: model, credit: credit).hello))
        } else if let peer = anyone() {
            var id = peer
            if random.chance(0.5) {
                id = RouterCore.Peer(routingID: nextPeer)
                nextPeer += 1
            }
            try handle(.worker(id, peers[peer]!.worker.hello))
        }
    }

    private mutating func changeCredit() throws {
        let credit: UInt32 = random.chance(0.1) ? .max : UInt32.random(in: 0...5, using: &random)
        try say { $0.credit(credit) }
    }

    private mutating func say(_ message: (ScriptedWorker) -> WorkerMessage) throws {
        guard let peer = anyone() else { return }
        var worker = peers[peer]!.worker
        if random.chance(0.1) { worker.epoch &-= 1 }
        try handle(.worker(peer, message(worker)))
    }

    /// Answers twice, to others' jobs, to jobs that never were, from an earlier life, from nowhere.
    private mutating func lie() throws {
        let everything: [UInt64] = Array(past.suffix(50)) + peers.values.flatMap(\.held).sorted() + [0, .max, 8]
        let job = everything.randomElement(using: &random)!
        guard let peer = random.chance(0.1) ? RouterCore.Peer(routingID: 0) : anyone() else { return }
        var worker = peers[peer]?.worker ?? ScriptedWorker("stranger", serving: "resnet")
        if random.chance(0.3) { worker.epoch &-= 1 }
        try handle(.worker(peer, random.chance(0.7) ? worker.score(job) : worker.fail(job, .unavailable)))
    }

    // MARK: The promises

    private func check(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
        guard !holds else { return }
        throw Violation(description: "seed \(seed), event \(events): \(promise())")
    }

    private mutating func handle(_ event: RouterCore.Event) throws {
        events += 1
        try expect(event)
        var lost: Set<RouterCore.Peer> = []
        for action in core.handle(event, at: now) { try take(action, event, &lost) }
        try checkBooks()
        if events % 16 == 0 { try checkStatus() }
    }

    /// What the event itself changes in the world.
    private mutating func expect(_ event: RouterCore.Event) throws {
        switch event {
        case .request(let token, let header, _, let bytes, _):
            nextToken += 1
            open[token] = Open(
                header: header, bytes: bytes, deadline: now + .milliseconds(header.budgetMilliseconds))
        case .malformedRequest(let token, _, _):
            nextToken += 1
            open[token] = Open(header: RequestHeader(verb: .ping), bytes: 0, deadline: now)
        case .worker(let id, .hello(let hello)):
            peers[id] = nil
            for peer in peers.values where peer.worker.bootID == hello.bootID {
                past += peer.held
                peers[peer.id] = nil
            }
            guard hello.model != "vgg", !isDrained else { return }
            for token in open.keys {
                for model in ["resnet", "inception"] { open[token]?.deaths[model]?.remove(hello.bootID) }
            }
            var worker = ScriptedWorker(hello.worker, serving: hello.model, credit: hello.credit)
            worker.bootID = hello.bootID
            peers[id] = Peer(
                id: id, worker: worker, credit: min(Int(hello.credit), Limits.workerCredit), lastHeard: now,
                lastProgress: now)
        case .worker(let id, let message):
            guard var peer = peers[id] else { return }
            peer.lastHeard = now
            switch message {
            case .score(let score) where score.epoch == peer.worker.epoch: finish(score.job, &peer)
            case .fail(let failure) where failure.epoch == peer.worker.epoch: finish(failure.job, &peer)
            case .ping(peer.worker.epoch, _, let progress) where progress != peer.toldProgress:
                peer.toldProgress = progress
                peer.lastProgress = now
            case .credit(peer.worker.epoch, let jobs): peer.credit = min(Int(jobs), Limits.workerCredit)
            case .drain(peer.worker.epoch): peer.isDraining = true
            case .bye(peer.worker.epoch):
                peers[id] = nil
                return
            default: break
            }
            peers[id] = peer
        case .persisted(let job, .stored), .persisted(let job, .known):
            if let token = tokens[job] { open[token]?.isPersisted = true }
        case .recovered(let token, let job, let header, _, let bytes):
            nextToken += 1
            var request = Open(header: header, bytes: bytes, deadline: now + .milliseconds(header.budgetMilliseconds))
            (request.isPersisted, request.isAcknowledged) = (true, true)
            open[token] = request
            tokens[job] = token
        case .persisted, .recorded, .found: break
        case .lost(let id, let loss):
            guard let peer = peers.removeValue(forKey: id) else { return }
            gone.append(peer.worker)
            guard loss == .connectionEnded else { return }
            for token in peer.held.compactMap({ requestOf[$0] }) {
                open[token]?.deaths[peer.worker.model, default: []].insert(peer.worker.bootID)
                open[token]?.suspectOf.insert(peer.worker.model)
            }
        case .clientsGone, .malformedMessage, .deadline, .drain, .abandon: break
        }
    }

    private mutating func finish(_ job: UInt64, _ peer: inout Peer) {
        if peer.held.remove(job) != nil { peer.lastProgress = now }
        past.append(job)
    }

    private mutating func take(
        _ action: RouterCore.Action, _ event: RouterCore.Event, _ lost: inout Set<RouterCore.Peer>
    ) throws {
        switch action {
        case .reply(let token, let reply):
            guard let request = open.removeValue(forKey: token) else {
                throw Violation(description: "seed \(seed), event \(events): \(token) has no open request to reply to")
            }
            replies += 1
            try check(!request.isAcknowledged, "\(token) is answered twice")
            if case .result(let document) = reply { try checkResult(document, request) }
        case .acknowledge(let token, let reply):
            guard let request = open[token], case .result(let document) = reply else {
                throw Violation(description: "seed \(seed), event \(events): \(token) is acknowledged too late")
            }
            replies += 1
            try check(request.isPersisted && !request.isAcknowledged, "\(token) is acknowledged and not on disk")
            try check(request.header.durable && !request.header.wait, "\(token) did not ask for a 202")
            try check(document.status == .accepted && document.id == request.header.id, "\(token): no 202 of its own")
            open[token]?.isAcknowledged = true
        case .release(let token):
            try check(open.removeValue(forKey: token)?.isAcknowledged == true, "\(token) is released and has no answer")
        case .persist(let token, let job, let header, _):
            try check(open[token]?.header == header && header.durable, "\(token) is no durable job")
            try check(tokens.updateValue(token, forKey: job) == nil, "\(job) is the number of two jobs")
            orders.append(.persist(job))
        case .record(let job, let document):
            try check(recorded.insert(job).inserted, "\(job) has two results")
            guard let token = tokens[job], let request = open[token] else {
                throw Violation(description: "seed \(seed), event \(events): \(job) was answered before its result")
            }
            try checkResult(document, request)
            open[token]?.isRecording = true
            orders.append(.record(job))
        case .find(let token, let id, _):
            try check(open[token]?.header.id == id, "\(token) did not ask for \(id)")
            orders.append(.find(token))
        case .dispatch(let id, let job, let token):
            guard var request = open[token] else {
                throw Violation(description: "seed \(seed), event \(events): \(token) was replied to before this job")
            }
            guard var peer = peers[id] else {
                throw Violation(description: "seed \(seed), event \(events): \(id) is no worker")
            }
            let model = peer.worker.model
            request.executions[model, default: 0] += 1
            let executions = request.executions[model]!
            try check(!request.header.durable || request.isPersisted, "\(token) is handed out and not on disk")
            try check(executions <= 2, "\(token) goes to a third worker of \(model)")
            try check(Int(job.attempt) == executions, "attempt \(job.attempt) is the number \(executions)")
            try check(request.header.models?.contains(model) ?? true, "\(token) did not ask for \(model)")
            try check(!peer.isDraining, "\(id) drains and gets a job")
            try check(request.deadline > now, "\(token) is handed out behind its deadline")
            try check(
                Int64(job.remainingMilliseconds) == (request.deadline - now).nanoseconds / 1_000_000,
                "the remaining budget is \(job.remainingMilliseconds)")
            try check(
                executions == 1 || now - peer.lastHeard <= .milliseconds(750), "a second try goes to a silent worker")
            try check(
                peer.held.isEmpty
                    || !request.suspectOf.contains(model)
                        && peer.held.allSatisfy { open[requestOf[$0]!]?.suspectOf.contains(model) != true },
                "\(token) and a job that \(id) holds are not both to be tried together")
            requestOf[job.job] = token
            if peer.held.isEmpty { peer.lastProgress = now }
            try check(peer.held.insert(job.job).inserted, "\(id) holds \(job.job) already")
            try check(peer.held.count <= peer.credit, "\(id) holds \(peer.held.count) with credit \(peer.credit)")
            open[token] = request
            peers[id] = peer
        case .send(let id, .welcome(let epoch, _)): peers[id]?.worker.epoch = epoch
        case .send(let id, .resync):
            // To a stranger, to a stale ping, or because the worker is given up.
            guard case .deadline = event else { return }
            guard let peer = peers.removeValue(forKey: id) else { return }
            let silence = now - peer.lastHeard
            let standstill = peer.held.isEmpty ? .zero : now - peer.lastProgress
            try check(
                silence >= .milliseconds(1500) || standstill >= configuration.hangTimeout,
                "\(id) is given up after \(silence) of silence and \(standstill) of standstill")
            past += peer.held
            gone.append(peer.worker)
        case .send: break
        case .drained:
            try check(!isDrained && open.isEmpty, "drained with \(open.count) requests open")
            isDrained = true
        }
    }

    private func checkResult(_ document: ResultDocument, _ request: Open) throws {
        try check(
            document.id == request.header.id, "\(request.header.id ?? "nil") is answered as \(document.id ?? "nil")")
        guard request.header.verb == .classify else { return }
        try check(
            !document.status.isSuccess || !request.header.durable || request.isPersisted,
            "\(request.header.id ?? "nil") is answered and not on disk")
        try check(document.metadata == request.header.metadata, "the metadata are not echoed")
        let scored = document.models.filter { $0.status == .ok }
        try check(scored.allSatisfy { $0.aiProbability.map((0...1).contains) ?? false }, "a score is no probability")
        switch document.status {
        case .ok:
            try check(
                !document.degraded && scored.count == document.models.count && !scored.isEmpty, "200 lacks a score")
        case .partial: try check(document.degraded && !scored.isEmpty, "206 without any score")
        default: try check(document.error != nil, "\(document.status) without a reason")
        }
        try check((document.verdict != nil) == document.status.isSuccess, "\(document.status) and its verdict disagree")
        if document.error?.code == "quarantined", request.header.idempotencyKey == nil {
            try check(request.deaths.values.contains { $0.count >= 2 }, "no two workers died of a quarantined job")
        }
        // A follower's result tells of its leader's workers, so only the reverse can be said for keys.
        if request.header.idempotencyKey == nil, document.attempts > 0 {
            try check(document.attempts == request.executions.values.max(), "attempts is \(document.attempts)")
        }
    }

    private func checkBooks() throws {
        let jobs = open.values.filter(\.isJob)
        try check(core.ledger.count == jobs.count, "\(core.ledger.count) jobs, not \(jobs.count) without a result")
        try check(core.jobsInHand <= configuration.maxJobs, "more jobs than the queue holds")
        let bytes = jobs.reduce(0) { $0 + $1.bytes }
        try check(core.ledger.bytes == bytes, "\(core.ledger.bytes) bytes, not \(bytes)")
        let kept = open.values.filter(\.isRecording).reduce(0) { $0 + $1.bytes }
        try check(
            core.recordingBytes == kept && bytes + kept <= configuration.maxBytes,
            "\(core.recordingBytes) bytes of jobs with a result, not \(kept)")
        let first = jobs.lazy.map(\.deadline).min()
        if let first {
            try check(first > now, "a request outlives its budget")
            try check(core.nextDeadline.map { $0 <= first } ?? false, "the timer is behind a deadline")
        }
        if open.isEmpty, peers.isEmpty { try check(core.nextDeadline == nil, "a timer for nothing") }
    }

    /// Nobody waits while a worker is free, but for the job that it failed at and that another may take, for second tries
    /// while it is silent, and for suspects, which need an idle one.
    private func checkNobodyWaitsInVain(_ name: String, _ model: Int, _ waiting: [Task]) throws {
        let ready = peers.values.filter { $0.worker.model == name && !$0.isDraining }
        let kept = Set(core.roster.workers(of: model).filter { $0.isReserved || $0.isOnTrial }.map(\.peer))
        for peer in ready where peer.held.count < peer.credit {
            let isSilent = now - peer.lastHeard > .milliseconds(750)
            let mayWait = waiting.allSatisfy { task in
                if task.isSuspect { return isSilent || !peer.held.isEmpty }
                return task.avoids == peer.id && ready.count > 1 || task.attempts > 0 && isSilent
                    || kept.contains(peer.id)
            }
            try check(mayWait, "\(peer.id) is free and a job waits")
        }
    }

    private mutating func checkStatus() throws {
        let report = core.statusReport(id: nil, at: now)
        try check(report.counters.repliesByStatus.values.reduce(0, +) == replies, "not all replies are counted")
        try check(report.workers.count == peers.count, "\(report.workers.count) workers, not \(peers.count)")
        for worker in report.workers {
            let peer = peers.values.first { $0.worker.name == worker.name }
            try check(peer?.held.count == worker.inFlight, "\(worker.name) has \(worker.inFlight) in flight")
            try check(peer?.credit == worker.credit, "\(worker.name) has credit \(worker.credit)")
            try check(peer?.isDraining == (worker.state == "draining"), "\(worker.name) is \(worker.state)")
        }
        // Whoever waits for another request's result waits for one that is being computed.
        var leaders: [String: Int] = [:]
        for serial in core.ledger.serials {
            let request = core.ledger[serial]
            guard let key = request.header.idempotencyKey, request.job == nil || request.isJournalled else { continue }
            leaders[key, default: 0] += core.idempotency.isLeader(serial, of: key) ? 1 : 0
        }
        try check(leaders.values.allSatisfy { $0 == 1 }, "keys and how many compute them: \(leaders)")
        for (model, told) in report.models.enumerated() {
            let waiting: [Task] = core.ledger.serials.flatMap { core.ledger[$0].tasks }.filter {
                if case .waiting = $0.state { $0.model == model } else { false }
            }
            try check(told.waiting == waiting.count, "\(told.waiting) wait for \(told.name), not \(waiting.count)")
            try checkNobodyWaitsInVain(told.name, model, waiting)
        }
    }
}

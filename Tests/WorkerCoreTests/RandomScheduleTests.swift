import TestKit
import Testing
import Wire
import WorkerCore

/// Random events, and what must hold after each, whatever they are.
@Suite struct RandomScheduleTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func everyJobIsAnsweredOnceOrDroppedWithItsRouter(seed: UInt64) {
        var world = World(seed: seed)
        for _ in 0..<30_000 { world.step() }
        world.finish()
    }
}

/// A worker's surroundings: routers that come and go, an inference thread that takes its time, and what is known of both.
private struct World {
    private static let maxBatch = 5
    private static let credit = 12

    private struct Job {
        let router: Int
        let epoch: UInt64
        let id: UInt64
        let deadline: Int64
    }

    private var random: SeededGenerator
    private var core: WorkerCore
    /// Milliseconds.
    private var now: Int64 = 0
    private var isListed: [Bool]
    /// Whether the worker tries to be connected at all.
    private var isUsed: [Bool]
    private var isConnected: [Bool]
    /// The registration that each router believes in.
    private var epoch: [UInt64?]
    private var hasHello: [Bool]
    private var granted: [Int]
    private var nextEpoch: UInt64 = 1
    private var nextToken = 1
    /// Jobs that the worker has to answer.
    private var open: [WorkerCore.Token: Job] = [:]
    /// Pictures that the driver keeps.
    private var kept: Set<WorkerCore.Token> = []
    private var computing: [WorkerCore.Token] = []
    private var isFinished = false
    private var answered = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let routers = 1 + Int(seed % 3)
        core = WorkerCore(
            WorkerCore.Configuration(hello: hello(0), routers: routers, maxBatch: Self.maxBatch, credit: Self.credit))
        isListed = Array(repeating: true, count: routers)
        isUsed = isListed
        isConnected = Array(repeating: false, count: routers)
        epoch = Array(repeating: nil, count: routers)
        hasHello = Array(repeating: false, count: routers)
        granted = Array(repeating: 0, count: routers)
    }

    mutating func step() {
        if random.chance(0.3) { now += Int64.random(in: 0...20, using: &random) }
        if let due = core.nextDeadline, due <= Instant(nanoseconds: now * 1_000_000) {
            handle(.deadline(progress: random.next()))
        }
        if random.chance(0.02) { changeTheList() }
        let router = Int.random(in: isConnected.indices, using: &random)
        guard isUsed[router] else { return compute() }
        switch Int.random(in: 0..<100, using: &random) {
        case 0:
            if isConnected[router] { disconnect(router) } else { connect(router) }
        case 1..<6:
            if !isConnected[router] { connect(router) }
        case 6..<15:
            if hasHello[router] { welcome(router) }
        case 15..<55: sendJob(router)
        case 55..<85: compute()
        case 85:
            epoch[router] = nil
            drop(router)
            handle(.received(router, .resync, picture: nil))
        case 86:
            epoch[router] = nil
            hasHello[router] = false
            drop(router)
            handle(.received(router, .bye(reason: "not today"), picture: nil))
        case 87: handle(.scored(-1, regions, image))
        default: handle(.received(router, .pong(epoch: epoch[router] ?? 0), picture: nil))
        }
    }

    mutating func finish() {
        #expect(answered > 1000)
        handle(.drain)
        while !isFinished {
            if !computing.isEmpty { compute() }
            if let due = core.nextDeadline {
                now = max(now, due.nanoseconds / 1_000_000 + 1)
                handle(.deadline(progress: 0))
            }
        }
        #expect(kept.isEmpty)
        #expect(core.nextDeadline == nil)
    }

    // MARK: What happens

    /// A router enters the list, in a free place or behind the others, or comes back to it, or is struck off it.
    private mutating func changeTheList() {
        let place = Int.random(in: 0...min(isListed.count, 5), using: &random)
        if place == isListed.count {
            isListed.append(false)
            isUsed.append(false)
            isConnected.append(false)
            epoch.append(nil)
            hasHello.append(false)
            granted.append(0)
        }
        guard isUsed[place] else {
            (isListed[place], isUsed[place]) = (true, true)
            return handle(.listed(place))
        }
        isListed[place].toggle()
        handle(isListed[place] ? .listed(place) : .unlisted(place))
    }

    private mutating func connect(_ router: Int) {
        isConnected[router] = true
        handle(.connected(router))
    }

    private mutating func disconnect(_ router: Int) {
        isConnected[router] = false
        epoch[router] = nil
        hasHello[router] = false
        drop(router)
        handle(.disconnected(router))
    }

    private mutating func welcome(_ router: Int) {
        hasHello[router] = false
        epoch[router] = nextEpoch
        nextEpoch += 1
        handle(.received(router, .welcome(epoch: epoch[router] ?? 0, heartbeatMilliseconds: 50), picture: nil))
    }

    private mutating func sendJob(_ router: Int) {
        let token = nextToken
        nextToken += 1
        kept.insert(token)
        let budget = UInt32.random(in: 0...200, using: &random)
        if let epoch = epoch[router] {
            open[token] = Job(router: router, epoch: epoch, id: UInt64(token), deadline: now + Int64(budget))
        }
        let job = RouterMessage.Job(job: UInt64(token), attempt: 1, remainingMilliseconds: budget)
        handle(.received(router, .job(job), picture: token))
    }

    /// The inference thread reports on one picture of its batch.
    private mutating func compute() {
        guard let index = computing.indices.randomElement(using: &random) else { return }
        let token = computing.remove(at: index)
        if random.chance(0.1) {
            handle(.failed(token, WireError(.unprocessable, code: "image_corrupt", "")))
        } else {
            handle(.scored(token, regions, image))
        }
    }

    /// A router that ends a registration waits for nothing any more.
    private mutating func drop(_ router: Int) {
        open = open.filter { $0.value.router != router }
    }

    // MARK: What must hold

    private mutating func handle(_ event: WorkerCore.Event) {
        for action in core.handle(event, at: Instant(nanoseconds: now * 1_000_000)) {
            #expect(!isFinished)
            switch action {
            case .send(let router, let message): check(message, to: router)
            case .compute(let tokens):
                #expect(computing.isEmpty)
                #expect((1...Self.maxBatch).contains(tokens.count))
                for token in tokens {
                    let known = kept.remove(token) != nil
                    #expect(known)
                    if let job = open[token] { #expect(job.deadline > now) }
                }
                computing = tokens
            case .release(let token):
                let known = kept.remove(token) != nil
                #expect(known)
            case .reconnect(let router):
                isConnected[router] = false
                epoch[router] = nil
                hasHello[router] = false
                drop(router)
                #expect(isListed[router])
            case .leave(let router):
                // Gone, or as silent as if it were.
                isConnected[router] = false
                epoch[router] = nil
                hasHello[router] = false
                drop(router)
                #expect(!isListed[router])
                isUsed[router] = false
            case .finished: isFinished = true
            }
        }
        for router in isUsed.indices where isUsed[router] && !isFinished {
            #expect(isListed[router] || isConnected[router])
        }
        let grants = epoch.indices.filter { epoch[$0] != nil }.map { granted[$0] }
        #expect(grants.reduce(0, +) <= max(Self.credit, grants.count))
        // Jobs of lost routers stay in hand until their batch is done.
        if !isFinished { #expect(core.jobsInHand == kept.count + computing.count) }
    }

    private mutating func check(_ message: WorkerMessage, to router: Int) {
        switch message {
        case .hello(let hello):
            #expect(isConnected[router] && epoch[router] == nil && !hasHello[router])
            hasHello[router] = true
            granted[router] = Int(hello.credit)
        case .score(let score): answer(score.job, score.epoch, router)
        case .fail(let failure): answer(failure.job, failure.epoch, router)
        case .ping(let said, let inFlight, _):
            #expect(said == epoch[router])
            #expect(Int(inFlight) == open.values.count { $0.router == router })
        case .credit(let said, let jobs):
            #expect(said == epoch[router])
            granted[router] = Int(jobs)
        case .drain(let said), .bye(let said): #expect(said == epoch[router])
        }
    }

    private mutating func answer(_ id: UInt64, _ said: UInt64, _ router: Int) {
        let job = open.removeValue(forKey: Int(id))
        #expect(job?.router == router && job?.epoch == said && job?.id == id)
        answered += 1
    }
}

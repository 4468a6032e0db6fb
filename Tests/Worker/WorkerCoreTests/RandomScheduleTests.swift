import BifronsWire
import TestKit
import Testing
import WorkerCore

/// Runs random events and checks the core's invariants after each.
@Suite struct RandomScheduleTests {
    @Test(arguments: [false, true], [1, 2, 3, 4] as [UInt64])
    func everyJobIsAnsweredOnceOrDroppedWithItsRouter(isLocator: Bool, seed: UInt64) {
        var simulation = Simulation(seed: seed, isLocator: isLocator)
        for _ in 0..<30_000 { simulation.step() }
        simulation.finish()
    }
}

/// A worker's surroundings: routers that come and go, threads that take time, and the state that both must have.
private struct Simulation {
    private static let maxBatch = 5
    private static let lanes = 3
    private static let slowLanes = 2
    private static let credit = 12

    private struct Job {
        let router: Int
        let epoch: UInt64
        let id: UInt64
        let deadline: Int64
        let crops: Int
        /// The number of crops that were put into batches.
        var ordered = 0
    }

    private let isLocator: Bool
    private var random: SeededGenerator
    private var core: WorkerCore
    /// The current time in milliseconds.
    private var now: Int64 = 0
    private var isListed: [Bool]
    /// Whether the worker tries to connect to each router.
    private var isUsed: [Bool]
    private var isConnected: [Bool]
    /// The epoch of the registration that each router knows; nil without one.
    private var epoch: [UInt64?]
    private var hasHello: [Bool]
    private var granted: [Int]
    /// How often the worker's description has changed, now and at the last HELLO to each router.
    private var description = 0
    private var told: [Int]
    private var nextEpoch: UInt64 = 1
    private var nextToken = 1
    /// The jobs that the worker must still answer.
    private var open: [WorkerCore.Token: Job] = [:]
    /// The payloads that the driver keeps.
    private var kept: Set<WorkerCore.Token> = []
    /// The images whose crops were cut out and neither sent nor released.
    private var cut: Set<WorkerCore.Token> = []
    /// The images in work.
    private var cutting: [WorkerCore.Token] = []
    private var slow: Set<WorkerCore.Token> = []
    /// The batches that the thread holds, in order.
    private var batches: [WorkerCore.Batch] = []
    private var isFinished = false
    private var answered = 0

    init(seed: UInt64, isLocator: Bool) {
        random = SeededGenerator(seed: seed)
        self.isLocator = isLocator
        let routers = 1 + Int(seed % 3)
        var configuration = WorkerCore.Configuration(
            hello: isLocator ? hello(0) : networkHello, routers: routers, maxBatch: Self.maxBatch, lanes: Self.lanes,
            credit: Self.credit)
        configuration.slowLanes = Self.slowLanes
        core = WorkerCore(configuration)
        isListed = Array(repeating: true, count: routers)
        isUsed = isListed
        isConnected = Array(repeating: false, count: routers)
        epoch = Array(repeating: nil, count: routers)
        hasHello = Array(repeating: false, count: routers)
        granted = Array(repeating: 0, count: routers)
        told = granted
    }

    mutating func step() {
        if random.chance(0.3) { now += Int64.random(in: 0...20, using: &random) }
        if let due = core.nextDeadline, due <= Instant(nanoseconds: now * 1_000_000) {
            let computed = cutting.map { ($0, Duration.milliseconds(Int64.random(in: 0...200, using: &random))) }
            handle(
                .deadline(progress: random.next(), computed: Dictionary(uniqueKeysWithValues: computed)))
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
            handle(.received(router, .resync, nil))
        case 86:
            epoch[router] = nil
            hasHello[router] = false
            drop(router)
            handle(.received(router, .bye(reason: "not today", isFinal: false), nil))
        case 87: handle(.computed(.scored(batch: -1, [])))
        case 88: handle(.computed(.failed(-1, spent)))
        case 89: describe()
        default: handle(.received(router, .pong(epoch: epoch[router] ?? 0), nil))
        }
    }

    mutating func finish() {
        #expect(answered > 1000)
        handle(.drain)
        while !isFinished {
            compute()
            if let due = core.nextDeadline {
                now = max(now, due.nanoseconds / 1_000_000 + 1)
                handle(.deadline(progress: 0))
            }
        }
        #expect(kept.isEmpty && cut.isEmpty)
        #expect(core.nextDeadline == nil)
    }

    // MARK: Events

    /// Adds a router to the list, at a free index or at the end, lists one again, or removes one.
    private mutating func changeTheList() {
        let place = Int.random(in: 0...min(isListed.count, 5), using: &random)
        if place == isListed.count {
            isListed.append(false)
            isUsed.append(false)
            isConnected.append(false)
            epoch.append(nil)
            hasHello.append(false)
            granted.append(0)
            told.append(0)
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
        // A worker whose description has changed meanwhile registers anew at once.
        epoch[router] = told[router] == description ? nextEpoch : nil
        let message = RouterMessage.welcome(epoch: nextEpoch, heartbeatMilliseconds: 50)
        nextEpoch += 1
        handle(.received(router, message, nil))
    }

    /// Changes the worker's description, upon which it ends all its registrations.
    private mutating func describe() {
        description += 1
        for router in epoch.indices where epoch[router] != nil {
            epoch[router] = nil
            drop(router)
        }
        handle(.redescribed(digest: "sha256:\(description)"))
    }

    private mutating func sendJob(_ router: Int) {
        let token = nextToken
        nextToken += 1
        kept.insert(token)
        let budget = UInt32.random(in: 0...200, using: &random)
        let crops = isLocator ? 1 : Int.random(in: 1...(random.chance(0.1) ? Limits.faces + 1 : 3), using: &random)
        if let epoch = epoch[router] {
            open[token] = Job(
                router: router, epoch: epoch, id: UInt64(token), deadline: now + Int64(budget), crops: crops)
        }
        let job = RouterMessage.Job(job: UInt64(token), attempt: 1, remainingMilliseconds: budget)
        let asLocator = random.chance(0.02) ? !isLocator : isLocator
        handle(
            .received(
                router, asLocator ? .locate(job, specifications) : .score(job),
                .init(token: token, byteCount: crops * CropSpecification.sample.cropBytes)))
    }

    /// Reports an outcome of a thread.
    private mutating func compute() {
        let error = WireError(.unprocessable, code: "image_corrupt", "")
        if let index = cutting.indices.randomElement(using: &random) {
            let token = cutting.remove(at: index)
            slow.remove(token)
            if random.chance(0.1) { return handle(.computed(.failed(token, error))) }
            cut.insert(token)
            handle(.computed(.located(token, located)))
        } else if !batches.isEmpty {
            let batch = batches.removeFirst()
            let results = (0..<batch.crops).map { _ -> Result<WorkerMessage.CropScore, WireError> in
                random.chance(0.05) ? .failure(error) : .success(.init(logit: 1))
            }
            handle(.computed(.scored(batch: batch.number, results)))
        }
    }

    /// Drops a router's jobs, because a router that ends a registration waits for no answers.
    private mutating func drop(_ router: Int) {
        open = open.filter { $0.value.router != router }
    }

    // MARK: Invariants

    private mutating func handle(_ event: WorkerCore.Event) {
        for action in core.handle(event, at: Instant(nanoseconds: now * 1_000_000)) {
            #expect(!isFinished)
            switch action {
            case .send(let router, let message, let crops):
                check(message, to: router)
                if let crops {
                    let known = cut.remove(crops) != nil
                    #expect(known)
                }
            case .locate(let token, let asked):
                #expect(asked == specifications)
                let known = kept.remove(token) != nil
                #expect(known)
                if let job = open[token] { #expect(job.deadline > now) }
                cutting.append(token)
            case .demote(let token):
                #expect(cutting.contains(token))
                slow.insert(token)
            case .score(let batch): check(batch)
            case .examine: Issue.record("this worker finds no evidence")
            case .release(let token):
                let known = kept.remove(token) != nil || cut.remove(token) != nil
                #expect(known)
            case .reconnect(let router):
                isConnected[router] = false
                epoch[router] = nil
                hasHello[router] = false
                drop(router)
                #expect(isListed[router])
            case .leave(let router):
                // The router is gone, or silent for so long that it counts as lost.
                isConnected[router] = false
                epoch[router] = nil
                hasHello[router] = false
                drop(router)
                #expect(!isListed[router])
                isUsed[router] = false
            case .refused: Issue.record("no router has refused the worker for good")
            case .finished: isFinished = true
            }
        }
        #expect(cutting.count - slow.count <= Self.lanes && slow.count <= Self.slowLanes)
        #expect(batches.count <= 2)
        for router in isUsed.indices where isUsed[router] && !isFinished {
            #expect(isListed[router] || isConnected[router])
        }
        let grants = epoch.indices.filter { epoch[$0] != nil }.map { granted[$0] }
        #expect(grants.reduce(0, +) <= max(Self.credit + slow.count, grants.count))
        // Jobs of lost routers remain while they are being computed.
        let computing = cutting + batches.flatMap { $0.parts.map(\.token) }
        if !isFinished { #expect(core.jobsInHand == kept.union(computing).count) }
    }

    private mutating func check(_ batch: WorkerCore.Batch) {
        #expect((1...Self.maxBatch).contains(batch.crops))
        for part in batch.parts {
            // Every ordered crop still has its payload and is ordered once, in order.
            #expect(kept.contains(part.token))
            guard let job = open[part.token] else { continue }
            #expect(part.crops.lowerBound == job.ordered && part.crops.upperBound <= job.crops)
            #expect(job.deadline > now)
            open[part.token]?.ordered = part.crops.upperBound
        }
        batches.append(batch)
    }

    private mutating func check(_ message: WorkerMessage, to router: Int) {
        switch message {
        case .hello(let hello):
            #expect(isConnected[router] && epoch[router] == nil && !hasHello[router])
            hasHello[router] = true
            told[router] = description
            if description > 0 { #expect(hello.digest == "sha256:\(description)") }
            granted[router] = Int(hello.credit)
        case .crops(let crops): answer(crops.job, crops.epoch, router)
        case .score(let score):
            #expect(open[Int(score.job)]?.crops == score.crops.count)
            answer(score.job, score.epoch, router)
        case .evidence: Issue.record("this worker finds no evidence")
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

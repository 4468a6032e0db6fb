import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// Under more load than the workers can handle, admitted jobs are done in time and no worker computes in vain.
struct OverloadTests {
    @Test(arguments: [1.5, 3, 10]) func goodputStaysAtItsPeak(times: Double) {
        var line = Line(workers: 1)
        line.run(seconds: 30, perSecond: times * line.capacity)
        #expect(Double(line.inTime) >= 0.9 * 30 * line.capacity, "\(line.inTime) of \(30 * line.capacity)")
        // Failures come from jobs admitted before the pace was known, and from a few wrong estimates.
        #expect(Double(line.failed) <= 0.1 * Double(line.inTime), "\(line.failed) of what was admitted failed")
    }

    @Test func twiceTheWorkersTakeTwiceTheJobs() {
        var line = Line(workers: 2)
        line.run(seconds: 30, perSecond: 10 * line.capacity)
        #expect(Double(line.inTime) >= 0.9 * 30 * line.capacity, "\(line.inTime) of \(30 * line.capacity)")
    }

    /// New clients keep coming and must not get the places promised to others.
    @Test func whoComesAgainWhenToldGetsIn() {
        var line = Line(workers: 1)
        line.obeys = true
        line.run(seconds: 30, perSecond: 1.5 * line.capacity)
        #expect(line.cameAgain > 1000)
        // The exceptions were promised a place before the pace was known.
        #expect(Double(line.refusedAgain) <= 0.01 * Double(line.cameAgain), "\(line.refusedAgain) of \(line.cameAgain)")
        #expect(Double(line.inTime) >= 0.9 * 30 * line.capacity, "\(line.inTime) of \(30 * line.capacity)")
    }

    @Test func noJobIsTurnedAwayAsLongAsTheWorkersKeepUp() {
        var line = Line(workers: 1)
        line.run(seconds: 30, perSecond: 0.9 * line.capacity)
        #expect(line.refused == 0 && line.failed == 0)
    }

    @Test func aBurstThatFitsIntoTheBudgetIsTaken() {
        var line = Line(workers: 1)
        line.run(seconds: 10, perSecond: 3 * line.capacity)
        line.run(seconds: 2, perSecond: 0)
        let (refused, failed) = (line.refused, line.failed)
        for _ in 0..<Int(0.6 * line.capacity) { line.submit() }
        line.run(seconds: 2, perSecond: 0)
        #expect(line.refused == refused && line.failed == failed)
    }

    @Test func aLargeBudgetWaitsAndASmallOneIsTurnedAway() {
        var line = Line(workers: 1)
        line.run(seconds: 10, perSecond: 3 * line.capacity)
        let refused = line.refused
        line.submit { $0.budgetMilliseconds = 100 }
        #expect(line.refused == refused + 1)
        line.submit { $0.budgetMilliseconds = 5000 }
        #expect(line.refused == refused + 1)
    }

    @Test func priorityOvertakesTheLine() {
        var line = Line(workers: 1)
        line.run(seconds: 10, perSecond: 3 * line.capacity)
        let refused = line.refused
        line.submit {
            $0.budgetMilliseconds = 300
            $0.priority = 9
        }
        #expect(line.refused == refused)
    }
}

/// Clients that send at a steady pace, and workers that need the same time for every job, even if its budget has ended.
private struct Line {
    /// The milliseconds that each model needs for a job. The slowest determines the capacity.
    private static let pace = ["resnet": 10, "inception": 7, "locator": 4]
    private static let budget = 1000

    private struct Worker {
        let peer: RouterCore.Peer
        var script: ScriptedWorker
        var jobs: [UInt64] = []
        var freeAt: Instant
        let pace: Duration
    }

    /// The jobs per second that the workers can complete.
    let capacity: Double
    private(set) var inTime = 0
    private(set) var failed = 0
    private(set) var refused = 0
    /// Whether refused clients send their jobs again when they were told to.
    var obeys = false
    /// The number of jobs that were sent again.
    private(set) var cameAgain = 0
    /// The number of jobs that were sent again and refused again.
    private(set) var refusedAgain = 0
    private var later: [(turn: Instant, id: String)] = []
    private var core: RouterCore
    private var workers: [Worker] = []
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var nextToken = 1
    private var nextCrops = 0

    init(workers count: Int) {
        capacity = Double(1000 * count) / Double(Self.pace["resnet"]!)
        core = RouterCore(configuration: RouterCore.Configuration(), ensemble: .sample, epochSeed: 1, at: now)
        for (model, pace) in Self.pace.sorted(by: { $0.key < $1.key }) {
            for number in 1...count {
                let name = "\(model)-\(number)"
                let script =
                    model == "locator"
                    ? ScriptedWorker.locator(name, credit: 16) : ScriptedWorker(name, serving: model, credit: 16)
                let worker = Worker(
                    peer: RouterCore.Peer(routingID: UInt64(workers.count + 1)), script: script, freeAt: now,
                    pace: .milliseconds(pace))
                workers.append(worker)
                perform(core.handle(.worker(worker.peer, worker.script.hello), at: now))
            }
        }
    }

    mutating func submit(_ change: (inout RequestHeader) -> Void = { _ in }) {
        var header = RequestHeader(verb: .classify, id: "\(nextToken)")
        header.budgetMilliseconds = Self.budget
        change(&header)
        let token = nextToken
        nextToken += 1
        perform(core.handle(.request(token, header, imageBytes: 1000, totalBytes: 1000, from: .anybody), at: now))
    }

    /// Simulates this many seconds in steps of one millisecond.
    mutating func run(seconds: Int, perSecond: Double) {
        var owed = 0.0
        for millisecond in 0..<(seconds * 1000) {
            now = now + .milliseconds(1)
            if millisecond % 500 == 0 {
                for worker in workers { perform(core.handle(.worker(worker.peer, worker.script.ping()), at: now)) }
            }
            if let due = core.nextDeadline, due <= now { perform(core.handle(.deadline, at: now)) }
            for index in workers.indices where workers[index].freeAt <= now && !workers[index].jobs.isEmpty {
                let job = workers[index].jobs.removeFirst()
                workers[index].freeAt = now + workers[index].pace
                perform(core.handle(answer(workers[index], job), at: now))
            }
            let due = later.filter { $0.turn <= now }
            later.removeAll { $0.turn <= now }
            for job in due {
                cameAgain += 1
                let before = refused
                submit { $0.id = job.id }
                refusedAgain += refused - before
            }
            owed += perSecond / 1000
            while owed >= 1 {
                owed -= 1
                submit()
            }
        }
    }

    private mutating func answer(_ worker: Worker, _ job: UInt64) -> RouterCore.Event {
        guard case .locator = worker.script.role else { return .worker(worker.peer, worker.script.score(job)) }
        let (message, frames) = worker.script.crops(job)
        guard case .crops(let crops) = message else { preconditionFailure("no crops") }
        nextCrops += 1
        return .crops(worker.peer, crops, frames: frames.map(\.count), nextCrops)
    }

    private mutating func perform(_ actions: [RouterCore.Action]) {
        for action in actions {
            switch action {
            case .send(let peer, .welcome(let epoch, _)):
                workers[workers.firstIndex { $0.peer == peer }!].script.epoch = epoch
            case .locate(let peer, let job, _, _), .score(let peer, let job, _, _):
                let index = workers.firstIndex { $0.peer == peer }!
                if workers[index].jobs.isEmpty {
                    workers[index].freeAt = max(workers[index].freeAt, now + workers[index].pace)
                }
                workers[index].jobs.append(job.job)
            case .reply(_, .result(let document)):
                switch document.status {
                case .ok: inTime += 1
                case .tooManyRequests:
                    refused += 1
                    if obeys { later.append((now + .milliseconds(document.retryAfterMilliseconds!), document.id!)) }
                default: failed += 1
                }
            default: break
            }
        }
    }
}

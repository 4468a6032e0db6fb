import BifronsWire
import TestKit
import Testing

@testable import RouterCore

/// Under more load than the workers can handle, admitted jobs are done in time and no worker computes in vain.
struct OverloadTests {
    @Test(arguments: [1.5, 3, 10]) func goodputStaysAtItsPeakUnderOverload(times: Double) {
        var simulation = LoadSimulation(workers: 1)
        simulation.run(seconds: 30, perSecond: times * simulation.capacity)
        #expect(
            Double(simulation.inTime) >= 0.9 * 30 * simulation.capacity,
            "\(simulation.inTime) of \(30 * simulation.capacity)")
        // Failures come from jobs admitted before the pace was known, and from a few wrong estimates.
        #expect(
            Double(simulation.failed) <= 0.1 * Double(simulation.inTime),
            "\(simulation.failed) of what was admitted failed")
    }

    @Test func goodputDoublesWithTheNumberOfWorkers() {
        var simulation = LoadSimulation(workers: 2)
        simulation.run(seconds: 30, perSecond: 10 * simulation.capacity)
        #expect(
            Double(simulation.inTime) >= 0.9 * 30 * simulation.capacity,
            "\(simulation.inTime) of \(30 * simulation.capacity)")
    }

    /// New clients keep coming and must not get the places promised to others.
    @Test func refusedJobsAreAdmittedWhenTheyReturnAtTheirRetryTime() {
        var simulation = LoadSimulation(workers: 1)
        simulation.honoursRetryTimes = true
        simulation.run(seconds: 30, perSecond: 1.5 * simulation.capacity)
        #expect(simulation.resent > 1000)
        // The exceptions were promised a place before the pace was known.
        #expect(
            Double(simulation.resentAndRefused) <= 0.01 * Double(simulation.resent),
            "\(simulation.resentAndRefused) of \(simulation.resent)")
        #expect(
            Double(simulation.inTime) >= 0.9 * 30 * simulation.capacity,
            "\(simulation.inTime) of \(30 * simulation.capacity)")
    }

    @Test func noJobIsRefusedWhileTheWorkersKeepUp() {
        var simulation = LoadSimulation(workers: 1)
        simulation.run(seconds: 30, perSecond: 0.9 * simulation.capacity)
        #expect(simulation.refused == 0 && simulation.failed == 0)
    }

    @Test func aBurstThatFitsIntoTheBudgetIsAdmitted() {
        var simulation = LoadSimulation(workers: 1)
        simulation.run(seconds: 10, perSecond: 3 * simulation.capacity)
        simulation.run(seconds: 2, perSecond: 0)
        let (refused, failed) = (simulation.refused, simulation.failed)
        for _ in 0..<Int(0.6 * simulation.capacity) { simulation.submit() }
        simulation.run(seconds: 2, perSecond: 0)
        #expect(simulation.refused == refused && simulation.failed == failed)
    }

    @Test func aBacklogRefusesASmallBudgetAndAdmitsALargeOne() {
        var simulation = LoadSimulation(workers: 1)
        simulation.run(seconds: 10, perSecond: 3 * simulation.capacity)
        let refused = simulation.refused
        simulation.submit { $0.budgetMilliseconds = 100 }
        #expect(simulation.refused == refused + 1)
        simulation.submit { $0.budgetMilliseconds = 5000 }
        #expect(simulation.refused == refused + 1)
    }

    @Test func aHighPriorityJobIsAdmittedDespiteTheBacklog() {
        var simulation = LoadSimulation(workers: 1)
        simulation.run(seconds: 10, perSecond: 3 * simulation.capacity)
        let refused = simulation.refused
        simulation.submit {
            $0.budgetMilliseconds = 300
            $0.priority = 9
        }
        #expect(simulation.refused == refused)
    }
}

/// Clients that send at a steady pace, and workers that need the same time for every job, even if its budget has ended.
private struct LoadSimulation {
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
    /// Whether refused clients send their jobs again when they were lines to.
    var honoursRetryTimes = false
    /// The number of jobs that were sent again.
    private(set) var resent = 0
    /// The number of jobs that were sent again and refused again.
    private(set) var resentAndRefused = 0
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
                resent += 1
                let before = refused
                submit { $0.id = job.id }
                resentAndRefused += refused - before
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
                    if honoursRetryTimes {
                        later.append((now + .milliseconds(document.retryAfterMilliseconds!), document.id!))
                    }
                default: failed += 1
                }
            default: break
            }
        }
    }
}

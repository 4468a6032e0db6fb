import BifronsWire
import Decisions
import TestKit
import Testing

@testable import RouterCore

/// Random schedules: the core keeps its guarantees after every event, in whatever order events come.
///
/// A failure reports the seed and the event. The same seed replays it.
struct ScheduleTests {
    static let seeds: [UInt64] = [1, 3, 5, 9, 17]

    @Test(.ownThread, arguments: seeds) func keepsItsGuaranteesInRandomSchedules(seed: UInt64) throws {
        var schedule = Schedule(seed: seed)
        // Each of the 5 seeds plays 36,000 events, and those that end each run of the router.
        while schedule.events < 36_000 { try schedule.runRouterOnce(events: 6000) }
        for (what, count) in schedule.seen.sorted(by: { $0.key < $1.key }) {
            #expect(count > 0, "no schedule of seed \(seed) had \(what)")
        }
    }
}

/// Clients, workers and a clock that behave at random, with a model of what the core owes them.
struct Schedule {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    /// A step of a request. An image may be cut twice, and each cutting is a step of its own.
    enum Stage: Hashable {
        case cutting(Int)
        case scoring(String)
        case examining(String)

        var isOfEvidence: Bool { if case .examining = self { true } else { false } }
    }

    /// A request that waits for its reply.
    struct Open {
        var header: RequestHeader
        var bytes: Int
        /// The image's digest; nil without a key.
        var sha256: [UInt8]?
        var deadline: Instant
        /// The number of workers that each step was dispatched to.
        var executions: [Stage: Int] = [:]
        /// The boot ids of the workers whose connection ended with the step in flight and that have not come back.
        var deaths: [Stage: Set<UInt64>] = [:]
        /// The steps of which a worker may have died.
        var suspectIn: Set<Stage> = []
        /// The steps of evidence that two workers died of.
        var evidenceKilled: Set<String> = []
        /// When all of the job's models were settled; nil before.
        var settledAt: Instant?
        /// The number of times that the image was cut.
        var cuts = 0
        /// The value of `changes` when the image was last dispatched for its first cut.
        var cutAmong = 0
        /// Whether a durable job is known to be on disk.
        var isPersisted = false
        /// Whether the client was acknowledged. The request stays open until it is released.
        var isAcknowledged = false
        /// Whether the result is being written to disk.
        var isRecording = false

        /// Whether this is a job without a result.
        var isJob: Bool { header.verb.isJob && !isRecording }
    }

    /// A job in flight with a worker.
    struct Held {
        let token: Int
        let step: Stage
        /// The crops that a locator has to cut.
        var asked: [CropSpecification] = []
        /// The number of crops that a network's worker has to score.
        var crops = 0
    }

    struct Peer {
        let id: RouterCore.Peer
        var worker: ScriptedWorker
        var credit: Int
        var isDraining = false
        var held: [UInt64: Held] = [:]
        var lastHeard: Instant
        /// When the worker last began, finished or made progress with a job.
        var lastProgress: Instant
        var progress: UInt64 = 0
        var toldProgress: UInt64 = 0
    }

    /// Crops that the core was given and has not released.
    struct Kept {
        /// The request that the crops belong to; nil if they match no job.
        var token: Int?
        var specifications: [CropSpecification] = []
        var crops: [Int] = []
        var bytes: Int
    }

    /// An order to the journal, which executes its orders in sequence.
    enum Order {
        case persist(UInt64)
        case record(UInt64)
        case decide(UInt64)
        case ask(Int)
        case find(Int)
    }

    let seed: UInt64
    var random: SeededGenerator
    var events = 0
    var runs = 0

    var configuration = RouterCore.Configuration()
    var core: RouterCore
    var now = Instant(nanoseconds: 0)
    var open: [Int: Open] = [:]
    var nextToken = 1
    var peers: [RouterCore.Peer: Peer] = [:]
    var kept: [RouterCore.CropsToken: Kept] = [:]
    var nextCrops = 1
    /// Lost workers, which may come back.
    var gone: [ScriptedWorker] = []
    /// When each paused worker speaks again.
    var pausedUntil: [RouterCore.Peer: Instant] = [:]
    var nextPeer: UInt64 = 1
    /// Jobs that were answered or lost, and may be answered again.
    var past: [UInt64] = [1]
    var orders: [Order] = []
    var tokens: [UInt64: Int] = [:]
    var recorded: Set<UInt64> = []
    /// The specifications that each pool's workers wanted before the event.
    var wanted: [[CropSpecification]] = []
    /// The token of each request, by its number.
    var numbers: [UInt64: Int] = [:]
    /// The ids of decisions that must be on disk before anybody learns of them, and are not.
    var unrecorded: Set<String> = []
    var replies = 0
    var isDrained = false
    /// The number of times that the networks' specifications have changed.
    var changes = 0
    /// How often the events occurred that every schedule must contain.
    var seen: [String: Int] = [:]

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        core = RouterCore(configuration: configuration, ensemble: .sample, epochSeed: 0, at: now)
    }

    // MARK: Running

    mutating func runRouterOnce(events count: Int) throws {
        begin()
        for kind in core.ensemble.evidence { try join(.examiner(kind, "first of \(kind.rawValue)")) }
        for _ in 0..<count { try step() }
        try handle(.drain)
        if random.chance(0.5) {
            for _ in 0..<200 where !isDrained { try step() }
            while let deadline = core.nextDeadline, !isDrained {
                now = max(now, deadline)
                try handle(.deadline)
                try performNextOrder()
            }
        } else {
            try handle(.abandon)
        }
        while !orders.isEmpty { try performNextOrder() }
        try check(open.isEmpty && isDrained, "after the end \(open.count) requests have no reply")
        try check(kept.isEmpty && core.cropBytes == 0, "after the end \(core.cropBytes) bytes of crops are left")
        tally(core.statistics.report)
    }

    /// Starts another router, with other limits.
    private mutating func begin() {
        runs += 1
        configuration.maxJobs = [3, 20, 60][runs % 3]
        configuration.maxBytes = 40_000
        // The crops of an image with 16 faces take 192 bytes for one specification and 288 for another.
        configuration.maxCropBytes = [1 << 20, 700, 250][runs % 3]
        configuration.maxClientBytes = runs % 2 == 0 ? 1 << 20 : 10_000
        configuration.imageBytes = 5000
        configuration.hangTimeout = .seconds(2)
        configuration.rejoinWait = .milliseconds(500)
        configuration.deathConfirmation = .milliseconds(200)
        configuration.workerWait = runs % 2 == 0 ? .zero : .milliseconds(300)
        configuration.evidenceWait = .milliseconds([100, 0, 30][runs % 3])
        configuration.idempotencyRetention = .seconds(2)
        configuration.idempotencyEntries = 5
        configuration.keepsJournal = runs % 4 != 0
        now = Instant(nanoseconds: Int64.random(in: 0...1 << 40, using: &random))
        core = RouterCore(
            configuration: configuration, ensemble: runs % 4 == 3 ? .sample : .sampleWithEvidence,
            epochSeed: random.next(), at: now)
        (peers, kept, replies, isDrained) = ([:], [:], 0, false)
        (gone, pausedUntil) = ([], [:])
        (orders, tokens, recorded) = ([], [:], [])
    }

    private mutating func tally(_ counters: StatusReport.Counters) {
        for (what, count) in [
            ("late", counters.late), ("unknown", counters.unknown), ("strangers", counters.strangers),
            ("lost", counters.workersLost), ("redispatched", counters.redispatched),
            ("quarantined", counters.quarantined), ("cancelled", counters.cancelled), ("rejected", counters.rejected),
            ("deduplicated", counters.deduplicated), ("malformed", counters.malformedMessages),
            ("no face", core.statistics.verdicts.byLabel["no_face"] ?? 0),
        ] { seen[what, default: 0] += count }
        for status in [200, 202, 206, 400, 404, 408, 413, 422, 429, 503] {
            seen["status \(status)", default: 0] += counters.repliesByStatus["\(status)"] ?? 0
        }
        for what in [
            "crops_unavailable", "crops_too_large", "answer_malformed", "worker_lost", "no_worker", "cut again",
            "quarantined image", "quarantined crops", "no room", "sent away for good", "crops sent again",
            "scored from second crops", "evidence found", "evidence evidence_late", "evidence no_worker",
            "evidence quarantined", "evidence worker_lost", "evidence answer_malformed", "evidence_missing",
            "decided by evidence", "evidence sent again", "waiting for evidence", "examined", "examined in vain",
        ] { seen[what, default: 0] += 0 }
    }

    mutating func step() throws {
        switch random.next() % 119 {
        case 0..<25: try handle(request())
        case 25..<57: try answer()
        case 60..<75: try pass(.microseconds(Int.random(in: 0...20_000, using: &random)))
        case 75..<76: try pass(.milliseconds(Int.random(in: 0...2500, using: &random)))
        case 76..<83: try ping()
        case 83..<87: try join()
        case 57..<60, 87..<89, 117: try lose()
        case 115: pauseHost()
        case 118:
            let tokens = Set(open.keys.sorted().filter { _ in random.chance(0.05) })
            try handle(.clientsGone(tokens))
            let left = tokens.filter { open[$0]?.isJob == true && open[$0]?.header.durable == false }
            try check(left.isEmpty, "\(left) are computed for nobody")
        case 116: try reconnectLostWorker()
        case 89..<91: try changeCredit()
        case 91..<92: try say { $0.drain }
        case 92..<93: try say { $0.bye }
        case 93..<95: try sendInvalidAnswer()
        case 95..<97:
            var header = RequestHeader(verb: .cancel, id: anyID())
            setOwner(&header)
            try handle(.request(nextToken, header, imageBytes: nil, totalBytes: 0))
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
        default: try performNextOrder()
        }
    }
}

package import BifronsWire
package import Decisions
internal import HeapModule

/// The router's state machine: all its rules, without a socket, a clock or a thread.
///
/// The pipeline of a job:
///
///     request ─ admission ─ table ─ locator queue ─ worker ─ crops ─┬─ queue A ─ worker ─ scores ─┐
///                                                                    └─ queue B ─ worker ─ scores ─┴─ merge ─ reply
///
/// Each passage through a queue to a worker with free credit is a step of the job. Only the first step decodes the
/// image. When a network's worker is lost, another worker gets the same crops.
///
/// The driver reports each event with its time (`handle`), performs the returned actions in order, and reports
/// `.deadline` when `nextDeadline` is reached. The core guarantees:
/// - Every request gets exactly one answer.
/// - No durable job is acknowledged before it is on disk.
/// - No worker holds more jobs than its credit.
/// - No step is dispatched to more than two workers.
/// - Crops never take more memory than `maxCropBytes`.
/// - No request outlives its budget, except for the one write of a durable result.
/// - Evidence never changes a probability, and delays no reply by more than `evidenceWait`.
package struct RouterCore {
    /// Identifies a request between the core and its driver. The driver keeps the envelope and the image under this
    /// token until the reply.
    package typealias Token = Int

    /// Identifies the crops of one image between the core and its driver. The driver keeps their frames under this
    /// token until `.releaseCrops`.
    package typealias CropsToken = Int

    /// Identifies a worker's connection by the routing id that the ROUTER socket assigned to it.
    package struct Peer: Hashable, Sendable {
        package let routingID: UInt64

        package init(routingID: UInt64) {
            self.routingID = routingID
        }
    }

    /// The limits and time-outs of the core.
    package struct Configuration: Equatable, Sendable {
        /// The most unanswered jobs, waiting and in flight.
        package var maxJobs = 4096
        /// The most bytes that the messages of unanswered jobs may hold: envelope, header and image.
        package var maxBytes = 512 << 20
        /// The most unanswered jobs that one client may have.
        package var maxClientJobs = 2048
        /// The most bytes that one client's unanswered jobs may hold in messages and crops.
        package var maxClientBytes = 256 << 20
        /// The most bytes of crops, both those kept and those reserved for the jobs that locators have in flight.
        package var maxCropBytes = 256 << 20
        /// The most bytes of one image.
        package var imageBytes = Limits.imageBytes
        /// The interval of workers' heartbeats.
        package var heartbeat = Duration.milliseconds(500)
        /// The number of missed heartbeats after which a worker counts as lost.
        package var missedHeartbeats = 3
        /// The time without progress after which a worker with jobs in flight counts as lost, although its heartbeats
        /// arrive.
        package var hangTimeout = Duration.seconds(10)
        /// How long the router keeps a result for its idempotency key.
        package var idempotencyRetention = Duration.seconds(600)
        /// The most results kept for idempotency keys. The oldest is dropped first.
        package var idempotencyEntries = 10_000
        /// The head start of each priority over the next lower one. A job of the lowest priority that has waited nine
        /// such intervals goes before any newcomer, so low priorities never starve.
        package var priorityStep = Duration.milliseconds(250)
        /// How long after its receipt a job waits for the first worker of a model. With zero the model's step fails at
        /// once.
        ///
        /// The crops that a model wants are unknown until one of its workers has registered. So the image is not cut
        /// before this wait or half of the job's budget is over.
        package var workerWait = Duration.zero
        /// How long a job whose worker was lost without dying waits, within its budget, for another worker of the
        /// model.
        package var rejoinWait = Duration.seconds(3)
        /// How long a request whose models are settled waits, within its budget, for evidence. With zero it does not
        /// wait.
        package var evidenceWait = Duration.milliseconds(100)
        /// How long after its connection ended a worker that has not reconnected counts as dead. This is longer than
        /// the pause of a live worker between two dials (`SocketOptions.reconnectMaximum`). A job whose budget ends
        /// earlier is not blamed.
        package var deathConfirmation = Duration.seconds(3)
        /// Whether the router has a journal for durable jobs.
        package var keepsJournal = false
        /// Whether the journal keeps the images of decisions that a person should look at.
        package var keepsReviewImages = false
        /// The version that the status report names.
        package var version = Release.version

        package init() {}
    }

    /// An event that the driver reports to the core.
    package enum Event {
        /// A well-formed request. `imageBytes` is nil without an image frame. `sha256` is the image's digest, required
        /// with an idempotency key. `totalBytes` is what the message holds until the reply.
        /// `body` is what a request about decisions has in place of the image.
        case request(
            Token, RequestHeader, imageBytes: Int?, sha256: [UInt8]? = nil, body: [UInt8] = [], totalBytes: Int,
            from: Principal = .anybody)
        /// A request that could not be decoded, with its id if that was readable.
        case malformedRequest(Token, id: String?, WireError)
        /// The outcome of a `.persist`.
        case persisted(job: UInt64, JournalOutcome)
        /// The outcome of a `.record` or a `.decide`. After a failure of a `.record` the journal retries on its own.
        case recorded(job: UInt64, failure: String?)
        /// The outcome of an `.ask`.
        case answered(Token, LedgerAnswer)
        /// The policies that the journal had stored, with those that the ensemble file adds.
        case policies(PolicyBook)
        /// The outcome of a `.find`.
        case found(Token, JournalLookupResult)
        /// A durable job without a result, left by an earlier run of the router. The token stands for its image. `key`
        /// is the name of the CURVE key with which the job was submitted.
        case recovered(Token, job: UInt64, RequestHeader, key: String?, sha256: [UInt8]? = nil, bytes: Int)
        /// A message from a worker, other than CROPS with frames.
        case worker(Peer, WorkerMessage)
        /// The crops of an image. `frames` holds the size in bytes of each frame after the message, and the token
        /// stands for these frames.
        case crops(Peer, WorkerMessage.Crops, frames: [Int], CropsToken)
        /// Bytes on the workers' socket that do not decode to a message.
        case malformedMessage
        /// A worker is lost, for a reason that the driver has noticed.
        case lost(Peer, Loss)
        /// Keys were removed from the allow-list, which had these roles.
        case keysRevoked([String])
        /// The connections on which these requests arrived have ended.
        case clientsGone(Set<Token>)
        /// `nextDeadline` was reached.
        case deadline
        /// Stops admission. `.drained` follows when every job has its answer.
        case drain
        /// The drain took too long: answers every remaining job with 503.
        case abandon
    }

    /// The content of a reply to a client.
    package enum Reply: Equatable, Sendable {
        case result(ResultDocument)
        case decisions(DecisionReply)
        case status(StatusReport)
        /// Times count from now; the driver adds the time of its wall clock.
        case history(HistoryReport)
        /// Times count from now; the driver adds the time of its wall clock.
        case events(EventsReport)
        case drift(DriftReport)
        case models(ModelsReport)
    }

    /// An action that the driver must perform.
    package enum Action: Equatable, Sendable {
        /// Sends the only answer to a request. Its envelope and image are not needed afterwards.
        case reply(Token, Reply)
        /// Sends the only answer to a request whose image is needed until `.release`.
        case acknowledge(Token, Reply)
        /// Drops the image of an acknowledged or recovered request.
        case release(Token)
        /// Writes a durable job and the token's image to disk. `.persisted` reports the outcome. `key` is the name of
        /// the CURVE key with which the job was submitted. The digest is the image's, present with an idempotency key.
        case persist(Token, job: UInt64, RequestHeader, key: String?, sha256: [UInt8]? = nil)
        /// Writes a durable job's result to disk, after the job, with its decision. `.recorded` reports the outcome. The
        /// token, if there is one, stands for an image to keep for a reviewer.
        case record(job: UInt64, ResultDocument, Decision? = nil, reviewing: Token? = nil)
        /// Writes a decision to the ledger. `.recorded` reports the outcome under the decision's number. The token, if
        /// there is one, stands for an image to keep for a reviewer.
        case decide(Decision, reviewing: Token? = nil)
        /// Writes what a shadow said about a decision to disk, if that is possible.
        case recordShadow(ShadowScore)
        /// Asks the decision ledger. `.answered` follows.
        case ask(Token, LedgerQuestion)
        /// Looks up the latest durable job with this id that belongs to the owner, or to anybody if the owner is nil.
        /// `.found` reports the lookup result.
        case find(Token, id: String, of: JobOwner?)
        /// Sends a message to a worker.
        case send(Peer, RouterMessage)
        /// Sends a job to a locator. The token stands for the image.
        case locate(Peer, RouterMessage.Job, [CropSpecification], image: Token)
        /// Sends a job to a network's worker. The crops are the frame with this index of the token's frames.
        case score(Peer, RouterMessage.Job, crops: CropsToken, frame: Int)
        /// Sends a job to an evidence worker. The token stands for the image.
        case examine(Peer, RouterMessage.Job, image: Token)
        /// Drops these crops' frames.
        case releaseCrops(CropsToken)
        /// Every job is answered after `.drain`: the driver may stop.
        case drained
    }

    let configuration: Configuration
    let ensemble: Ensemble
    var requests = RequestTable()
    var roster: Roster
    var idempotency: IdempotencyTable
    /// Durable jobs whose results are being written to disk.
    var recording: [UInt64: Recording] = [:]
    /// The bytes of the messages that the jobs in `recording` hold.
    var recordingBytes = 0
    /// The policies, and which of them decide.
    var policies: PolicyBook
    /// The content of idempotency keys whose results are kept back until their decisions are on disk.
    var heldContents: [ScopedKey: KeyedContent] = [:]
    /// Whether the journal has failed at its last write.
    var isJournalFailing = false
    /// The decisions that are being written to disk and that nobody waits for.
    var decisionsAhead = 0
    /// The number of requests that score for comparison.
    var shadowsInHand = 0
    /// Clients that wait for the decision ledger.
    var asking: [Token: Question] = [:]
    /// Clients that wait for a lookup in the journal, with the id that they asked for.
    var fetching: [Token: String] = [:]
    /// The journal's number of this run's first job, less one. It is random, so that the numbers of two runs do not
    /// collide.
    let jobSeed: UInt64
    var statistics: Statistics
    /// How images and scores differ from those of the calibration.
    var drift = Drift()
    /// The last events that an operator should know of.
    var log: EventLog
    var admission = Admission()
    /// When budgets end and when waits for workers end. Entries of ended requests are skipped.
    var deadlines = Heap<Deadline>()
    /// The bytes of kept crops plus those reserved for the jobs that locators have in flight.
    var cropBytes = 0
    /// Whether the event in progress must be followed by a dispatch to the locators.
    var locatingIsDue = false
    /// Pools that must be dispatched after the event in progress: a silent worker was heard of again, or a worker that
    /// was reserved for a request is free.
    var dispatchDue: [Int] = []
    /// Requests whose idempotency leader ended without a lasting result. They start after the event in progress.
    var promoted: [UInt64] = []
    var isDraining = false
    var isDrained = false
    /// Whether results are no longer recorded: jobs without a result stay in the journal for the next run.
    var isAbandoned = false
    /// The actions that the event in progress leads to.
    var actions: [Action] = []

    /// - Parameter epochSeed: a random number that keeps the epochs and job numbers of two runs of a router apart.
    package init(configuration: Configuration, ensemble: Ensemble, epochSeed: UInt64, at now: Instant) {
        self.configuration = configuration
        self.ensemble = ensemble
        policies = PolicyBook(ensemble)
        jobSeed = epochSeed
        roster = Roster(pools: ensemble.pools, epochSeed: epochSeed)
        idempotency = IdempotencyTable(
            retention: configuration.idempotencyRetention, maxEntries: configuration.idempotencyEntries)
        statistics = Statistics(start: now, pools: ensemble.pools.count)
        log = EventLog(seed: epochSeed)
    }

    /// When `.deadline` is due if no other event comes first, or nil if nothing is pending.
    package var nextDeadline: Instant? {
        // `end` keeps the first entry that of an unanswered request.
        let budget = deadlines.min?.instant
        guard let check = roster.nextCheck else { return budget }
        return budget.map { min($0, check) } ?? check
    }

    /// The number of jobs whose result is neither with the client nor on disk.
    package var jobsInHand: Int { requests.count + recording.count }
    /// The number of durable jobs on disk without a result on disk.
    package var jobsUnfinishedOnDisk: Int { requests.journalled + recording.count }

    /// Counts a reply that its client did not take.
    package mutating func noteUndelivered() {
        statistics.counters.undelivered += 1
    }

    /// Processes an event and returns the actions that the driver must perform, in order.
    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        keepHistory(now)
        endOverdue(now)
        switch event {
        case .request(let token, let header, let imageBytes, let sha256, let body, let totalBytes, let principal):
            let image = imageBytes.map { Image(bytes: $0, sha256: sha256) }
            request(token, header, image, body: body, totalBytes: totalBytes, principal, now)
        case .malformedRequest(let token, let id, let error):
            statistics.counters.malformedRequests += 1
            refuse(token, id, error)
        case .persisted(let job, let outcome): persisted(job &- jobSeed, outcome, now)
        case .recorded(let job, let failure): recorded(job, failure, now)
        case .answered(let token, let answer): answered(token, answer, now)
        case .policies(let book): policies = book
        case .found(let token, let lookup): found(token, lookup)
        case .recovered(let token, let job, let header, let key, let sha256, let bytes):
            recover(token, job, header, key: key, sha256: sha256, bytes: bytes, now)
        case .worker(let peer, let message): receive(message, from: peer, now)
        case .crops(let peer, let crops, let frames, let token): receive(crops, frames, token, from: peer, now)
        case .malformedMessage: statistics.counters.malformedMessages += 1
        case .lost(let peer, let loss): lose([(peer, loss)], now)
        case .keysRevoked(let roles): for role in roles { log.note(.keyRevoked, role, at: now) }
        case .clientsGone(let tokens): cancel(tokens, now)
        case .deadline: checkWorkers(now)
        case .drain: drain(now)
        case .abandon: abandon(now)
        }
        while let pool = dispatchDue.popLast() { dispatch(pool, now) }
        while locatingIsDue || !promoted.isEmpty {
            if let serial = promoted.popLast(), requests.contains(serial) { start(serial, now) }
            if locatingIsDue {
                locatingIsDue = false
                dispatch(ensemble.locator, now)
            }
        }
        if isDraining, !isDrained, requests.isEmpty, recording.isEmpty, fetching.isEmpty, asking.isEmpty {
            isDrained = true
            for worker in roster.workers {
                actions.append(.send(worker.peer, .bye(reason: "the router is stopping", isFinal: false)))
            }
            actions.append(.drained)
        }
        noteLevels()
        return actions
    }
}

/// A time at which the request with this serial number must be checked.
struct Deadline: Comparable {
    var instant: Instant
    var serial: UInt64

    static func < (left: Deadline, right: Deadline) -> Bool {
        (left.instant, left.serial) < (right.instant, right.serial)
    }
}

package import BifronsWire
internal import HeapModule

/// The router's whole mind, without a socket, a clock or a thread.
///
/// The pipeline of a job, told once:
///
///     request ─ admission ─ ledger ─ queue of the locators ─ worker ─ crops ─┬─ queue of model A ─ worker ─ scores ─┐
///                                                                            └─ queue of model B ─ worker ─ scores ─┴─ merge ─ reply
///
/// Each way through a queue to a worker with free credit is a step of the job. A picture is decoded in the first one only;
/// when a network's worker is lost, another gets the same crops.
///
/// Whoever drives the core tells it what happened and when (`handle`), performs the actions that come back, in their
/// order, and calls again with `.deadline` when `nextDeadline` is reached. The core promises: every request gets exactly
/// one answer; no durable job is acknowledged before it is on disk; no worker holds more jobs than its credit; no step is
/// handed to more than two workers; crops take no more room than they may; no request outlives its budget (but for the one
/// write of a durable result).
package struct RouterCore {
    /// Names a request between the core and its driver, who keeps the envelope and the image under it until the reply.
    package typealias Token = Int

    /// Names the crops of one picture between the core and its driver, who keeps their frames under it until `.releaseCrops`.
    package typealias CropsToken = Int

    /// Names a worker's connection: the routing id that the ROUTER socket gave it.
    package struct Peer: Hashable, Sendable {
        package let routingID: UInt64

        package init(routingID: UInt64) {
            self.routingID = routingID
        }
    }

    package struct Configuration: Sendable {
        /// Jobs without an answer, waiting and in flight.
        package var maxJobs = 4096
        /// Bytes of their messages, envelope, header and image.
        package var maxBytes = 512 << 20
        /// Of one client alone.
        package var maxClientJobs = 2048
        /// Of one client alone, with those of the crops of its jobs.
        package var maxClientBytes = 256 << 20
        /// Bytes of all crops that are there or may come of the jobs that locators have in hand.
        package var maxCropBytes = 256 << 20
        /// Bytes of one image.
        package var imageBytes = Limits.imageBytes
        package var heartbeat = Duration.milliseconds(500)
        /// Silent for so many heartbeats, a worker is lost.
        package var missedHeartbeats = 3
        /// With jobs in hand and no progress for so long, a worker is lost although its heart beats.
        package var hangTimeout = Duration.seconds(10)
        /// How long a result answers for its idempotency key.
        package var idempotencyRetention = Duration.seconds(600)
        /// Results that are kept for their keys; the oldest go first.
        package var idempotencyEntries = 10_000
        /// The head start that each priority has over the next lower one. A job that has waited nine of these goes before
        /// any newcomer, so a low priority still runs.
        package var priorityStep = Duration.milliseconds(250)
        /// How long after its receipt a job waits for a model's first worker; zero: a model that has none fails it at once.
        /// Of a model that never had one it is not known what to cut for it: the picture is not cut before the wait is over, or
        /// half of the job's budget.
        package var workerWait = Duration.zero
        /// How long a job whose worker was lost alive waits within its budget for a worker of the model.
        package var rejoinWait = Duration.seconds(3)
        /// A worker whose connection ended is dead when it has not come back for so long: longer than a live one waits between
        /// two dials (`SocketOptions.reconnectMaximum`). A job whose budget ends before that is not blamed.
        package var deathConfirmation = Duration.seconds(3)
        /// Whether there is a journal for durable jobs.
        package var keepsJournal = false
        package var version = Release.version

        package init() {}
    }

    package enum Event {
        /// A well-formed request. `imageBytes` is nil if it has no image frame; `sha256` is the image's, needed with an
        /// idempotency key; `totalBytes` is what the message holds until the reply.
        case request(
            Token, RequestHeader, imageBytes: Int?, sha256: [UInt8]? = nil, totalBytes: Int, from: Principal = .anybody)
        /// A request that could not be read, with its id if that could be.
        case malformedRequest(Token, id: String?, WireError)
        /// What became of a `.persist`.
        case persisted(job: UInt64, Persistence)
        /// What became of a `.record`; with a failure the journal will try again by itself.
        case recorded(job: UInt64, failure: String?)
        /// What became of a `.find`.
        case found(Token, LookupResult)
        /// A durable job that an earlier life of the router has left without a result; its image is the token's. `key` is the
        /// name of the key that it came with.
        case recovered(Token, job: UInt64, RequestHeader, key: String?, sha256: [UInt8]? = nil, bytes: Int)
        case worker(Peer, WorkerMessage)
        /// The crops of a picture; the frames behind the message, so many bytes each, are the token's.
        case crops(Peer, WorkerMessage.Crops, frames: [Int], CropsToken)
        /// Bytes on the workers' socket that are no message.
        case malformedMessage
        /// The worker is gone, for a reason that the driver knows.
        case lost(Peer, Loss)
        /// The connections on which these requests came have ended.
        case clientsGone(Set<Token>)
        /// `nextDeadline` was reached.
        case deadline
        /// Admit nothing new; `.drained` follows when all is answered.
        case drain
        /// The drain took too long: answer what is left with 503.
        case abandon
    }

    /// What became of a durable job on its way to the journal.
    package enum Persistence: Equatable, Sendable {
        case stored
        /// Stored with the result that an earlier job with the same key has.
        case known(ResultDocument)
        /// Not stored, because of the job itself.
        case refused(WireError)
        /// Not stored; the reason completes "the journal cannot be used now: …".
        case failed(String)
    }

    /// What the journal knows of an id.
    package enum LookupResult: Equatable, Sendable {
        case result(ResultDocument)
        case running
        case unknown
        case failed(String)
    }

    package enum Reply: Equatable, Sendable {
        case result(ResultDocument)
        case status(StatusReport)
        case models(ModelsReport)
    }

    package enum Action: Equatable, Sendable {
        /// The one answer to a request; its envelope and image are not needed after it.
        case reply(Token, Reply)
        /// The one answer to a request whose image is needed until `.release`.
        case acknowledge(Token, Reply)
        /// The image of a request that was acknowledged or recovered is not needed any more.
        case release(Token)
        /// Write a durable job and the token's image to disk; `.persisted` comes back. `key` is the name of the key that it
        /// came with, and the digest its image's, if it has an idempotency key.
        case persist(Token, job: UInt64, RequestHeader, key: String?, sha256: [UInt8]? = nil)
        /// Write a durable job's result to disk, behind the job; `.recorded` comes back.
        case record(job: UInt64, ResultDocument)
        /// Look for the latest durable job with this id, of this owner or, if nil, of anybody; `.found` comes back.
        case find(Token, id: String, of: JobOwner?)
        case send(Peer, RouterMessage)
        /// A job for a locator; the image is the token's.
        case locate(Peer, RouterMessage.Job, [CropSpecification], image: Token)
        /// A job for a network; the crops are that frame of the token's.
        case score(Peer, RouterMessage.Job, crops: CropsToken, frame: Int)
        /// These crops are not needed any more.
        case releaseCrops(CropsToken)
        case drained
    }

    let configuration: Configuration
    let ensemble: Ensemble
    var ledger = Ledger()
    var roster: Roster
    var idempotency: IdempotencyTable
    /// Durable jobs whose result is on its way to the disk.
    var recording: [UInt64: Recording] = [:]
    /// Bytes of the messages that those hold.
    var recordingBytes = 0
    /// Clients that wait for the journal to look for a job, with the id they asked for.
    var fetching: [Token: String] = [:]
    /// The journal's number of this life's first job, less one: random, so that lives do not meet.
    let jobSeed: UInt64
    var statistics: Statistics
    var admission = Admission()
    /// When budgets end, and waits for a model's first worker; entries of requests that are over are passed over.
    var deadlines = Heap<Deadline>()
    /// Bytes of the crops that are there, and of those that may come of the jobs that locators have in hand.
    var cropBytes = 0
    /// Whether locators are to be handed jobs behind the event in hand.
    var locatingIsDue = false
    /// Pools of which a worker that was silent has said something.
    var heardAgain: [Int] = []
    /// Requests whose leader ended without a lasting result: they are started behind the event in hand.
    var promoted: [UInt64] = []
    var isDraining = false
    var isDrained = false
    /// What has no result now is left to the journal, for the next life.
    var isAbandoned = false
    /// What the event in hand leads to.
    var actions: [Action] = []

    /// - Parameter epochSeed: random; the registrations of two lives of a router must not be taken for each other.
    package init(configuration: Configuration, ensemble: Ensemble, epochSeed: UInt64, at now: Instant) {
        self.configuration = configuration
        self.ensemble = ensemble
        jobSeed = epochSeed
        roster = Roster(pools: ensemble.pools, epochSeed: epochSeed)
        idempotency = IdempotencyTable(
            retention: configuration.idempotencyRetention, maxEntries: configuration.idempotencyEntries)
        statistics = Statistics(start: now)
    }

    /// When `.deadline` is due, if nothing else happens before; nil if there is nothing to wait for.
    package var nextDeadline: Instant? {
        // `end` keeps the first entry one of a request without an answer.
        let budget = deadlines.min?.instant
        guard let check = roster.nextCheck else { return budget }
        return budget.map { min($0, check) } ?? check
    }

    /// Jobs without a result that is where it belongs: with the client, or on disk.
    package var jobsInHand: Int { ledger.count + recording.count }
    /// Durable jobs on disk whose results are not.
    package var jobsUnfinishedOnDisk: Int { ledger.journalled + recording.count }

    /// A client did not take its reply.
    package mutating func noteUndelivered() {
        statistics.counters.undelivered += 1
    }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        endOverdue(now)
        switch event {
        case .request(let token, let header, let imageBytes, let sha256, let totalBytes, let principal):
            let image = imageBytes.map { Image(bytes: $0, sha256: sha256) }
            request(token, header, image, totalBytes: totalBytes, principal, now)
        case .malformedRequest(let token, let id, let error):
            statistics.counters.malformedRequests += 1
            refuse(token, id, error)
        case .persisted(let job, let persistence): persisted(job &- jobSeed, persistence, now)
        case .recorded(let job, let failure): recorded(job, failure, now)
        case .found(let token, let lookup): found(token, lookup)
        case .recovered(let token, let job, let header, let key, let sha256, let bytes):
            recover(token, job, header, key: key, sha256: sha256, bytes: bytes, now)
        case .worker(let peer, let message): receive(message, from: peer, now)
        case .crops(let peer, let crops, let frames, let token): receive(crops, frames, token, from: peer, now)
        case .malformedMessage: statistics.counters.malformedMessages += 1
        case .lost(let peer, let loss): lose([(peer, loss)], now)
        case .clientsGone(let tokens): cancel(tokens, now)
        case .deadline: checkWorkers(now)
        case .drain: isDraining = true
        case .abandon: abandon(now)
        }
        while let pool = heardAgain.popLast() { dispatch(pool, now) }
        while locatingIsDue || !promoted.isEmpty {
            if let serial = promoted.popLast(), ledger.contains(serial) { start(serial, now) }
            if locatingIsDue {
                locatingIsDue = false
                dispatch(ensemble.locator, now)
            }
        }
        if isDraining, !isDrained, ledger.isEmpty, recording.isEmpty, fetching.isEmpty {
            isDrained = true
            for worker in roster.workers {
                actions.append(.send(worker.peer, .bye(reason: "the router is stopping", isFinal: false)))
            }
            actions.append(.drained)
        }
        return actions
    }
}

struct Deadline: Comparable {
    var instant: Instant
    var serial: UInt64

    static func < (left: Deadline, right: Deadline) -> Bool {
        (left.instant, left.serial) < (right.instant, right.serial)
    }
}

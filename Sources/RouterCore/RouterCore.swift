internal import HeapModule
public import Wire

/// The router's whole mind, without a socket, a clock or a thread.
///
/// The pipeline of a job, told once:
///
///     request ─ admission ─ ledger ─┬─ waiting queue of model A ─ worker with free credit ─ score ─┐
///                                   └─ waiting queue of model B ─ worker with free credit ─ score ─┴─ merge ─ reply
///
/// Whoever drives the core tells it what happened and when (`handle`), performs the actions that come back, in their
/// order, and calls again with `.deadline` when `nextDeadline` is reached. The core promises: every request gets exactly
/// one answer; no durable job is acknowledged before it is on disk; no worker holds more jobs than its credit; no job is
/// handed to more than two workers of a model; no request outlives its budget (but for the one write of a durable result).
public struct RouterCore {
    /// Names a request between the core and its driver, who keeps the envelope and the image under it until the reply.
    public typealias Token = Int

    /// Names a worker's connection: the routing id that the ROUTER socket gave it.
    public struct Peer: Hashable, Sendable {
        public let routingID: UInt64

        public init(routingID: UInt64) {
            self.routingID = routingID
        }
    }

    public struct Configuration: Sendable {
        /// Jobs without an answer, waiting and in flight.
        public var maxJobs = 4096
        /// Bytes of their messages, envelope, header and image.
        public var maxBytes = 512 << 20
        /// Of one client alone.
        public var maxClientJobs = 2048
        /// Of one client alone.
        public var maxClientBytes = 256 << 20
        /// Bytes of one image.
        public var imageBytes = Limits.imageBytes
        public var heartbeat = Duration.milliseconds(500)
        /// Silent for so many heartbeats, a worker is lost.
        public var missedHeartbeats = 3
        /// With jobs in hand and no progress for so long, a worker is lost although its heart beats.
        public var hangTimeout = Duration.seconds(10)
        /// How long a result answers for its idempotency key.
        public var idempotencyRetention = Duration.seconds(600)
        /// Results that are kept for their keys; the oldest go first.
        public var idempotencyEntries = 10_000
        /// The head start that each priority has over the next lower one. A job that has waited nine of these goes before
        /// any newcomer, so a low priority still runs.
        public var priorityStep = Duration.milliseconds(250)
        /// How long after its receipt a job waits for a model's first worker; zero: a model that has none fails it at once.
        public var workerWait = Duration.zero
        /// Whether there is a journal for durable jobs.
        public var keepsJournal = false
        public var version = Release.version

        public init() {}
    }

    public enum Event {
        /// A well-formed request. `imageBytes` is nil if it has no image frame; `totalBytes` is what the message holds until
        /// the reply.
        case request(Token, RequestHeader, imageBytes: Int?, totalBytes: Int, from: Asker = .anybody)
        /// A request that could not be read, with its id if that could be.
        case malformedRequest(Token, id: String?, WireError)
        /// What became of a `.persist`.
        case persisted(job: UInt64, Persistence)
        /// What became of a `.record`; with a failure the journal will try again by itself.
        case recorded(job: UInt64, failure: String?)
        /// What became of a `.find`.
        case found(Token, Finding)
        /// A durable job that an earlier life of the router has left without a result; its image is the token's.
        case recovered(Token, job: UInt64, RequestHeader, owner: String?, bytes: Int)
        case worker(Peer, WorkerMessage)
        /// Bytes on the workers' socket that are no message.
        case malformedMessage
        /// The worker's connection ended, or a message to it could not be sent.
        case disconnected(Peer)
        /// `nextDeadline` was reached.
        case deadline
        /// Admit nothing new; `.drained` follows when all is answered.
        case drain
        /// The drain took too long: answer what is left with 503.
        case abandon
    }

    /// What became of a durable job on its way to the journal.
    public enum Persistence: Equatable, Sendable {
        case stored
        /// Stored with the result that an earlier job with the same key has.
        case known(ResultDocument)
        /// Not stored; the reason completes "the journal cannot be used now: …".
        case failed(String)
    }

    /// What the journal knows of an id.
    public enum Finding: Equatable, Sendable {
        case result(ResultDocument)
        case running
        case unknown
        case failed(String)
    }

    public enum Reply: Equatable, Sendable {
        case result(ResultDocument)
        case status(StatusReport)
        case models(ModelsReport)
    }

    public enum Action: Equatable, Sendable {
        /// The one answer to a request; its envelope and image are not needed after it.
        case reply(Token, Reply)
        /// The one answer to a request whose image is needed until `.release`.
        case acknowledge(Token, Reply)
        /// The image of a request that was acknowledged or recovered is not needed any more.
        case release(Token)
        /// Write a durable job and the token's image to disk; `.persisted` comes back.
        case persist(Token, job: UInt64, RequestHeader, owner: String?)
        /// Write a durable job's result to disk, behind the job; `.recorded` comes back.
        case record(job: UInt64, ResultDocument)
        /// Look for the latest durable job with this id, of this owner or of anybody; `.found` comes back.
        case find(Token, id: String, owner: String?)
        case send(Peer, RouterMessage)
        /// A job for a worker; the image is the token's.
        case dispatch(Peer, RouterMessage.Job, image: Token)
        case drained
    }

    /// The part of its budget that a job may be expected to take when it is admitted: the rest is for what comes differently.
    private static let budgetShare = 0.75
    /// The same for a job whose turn it is: between the two there is room for it although answers, and with them places,
    /// come by the batch.
    private static let budgetShareInTurn = 0.95
    /// The part of the queue that is left to those whose turn will come, as far as they are so many.
    private static let reservedShare = 0.25

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
    var waiting: [WaitingQueue]
    /// Of each model.
    var drainRates: [DrainRate]
    /// Requests whose leader ended without a lasting result: they are started behind the event in hand.
    var promoted: [UInt64] = []
    var isDraining = false
    var isDrained = false
    /// What has no result now is left to the journal, for the next life.
    var isAbandoned = false
    /// What the event in hand leads to.
    var actions: [Action] = []

    /// - Parameter epochSeed: random; the registrations of two lives of a router must not be taken for each other.
    public init(configuration: Configuration, ensemble: Ensemble, epochSeed: UInt64, at now: Instant) {
        self.configuration = configuration
        self.ensemble = ensemble
        jobSeed = epochSeed
        roster = Roster(models: ensemble.models.count, epochSeed: epochSeed)
        idempotency = IdempotencyTable(
            retention: configuration.idempotencyRetention, maxEntries: configuration.idempotencyEntries)
        statistics = Statistics(start: now, models: ensemble.models.count)
        waiting = ensemble.models.map { _ in WaitingQueue() }
        drainRates = ensemble.models.map { _ in DrainRate() }
    }

    /// When `.deadline` is due, if nothing else happens before; nil if there is nothing to wait for.
    public var nextDeadline: Instant? {
        // `finish` keeps the first entry one of a request without an answer.
        let budget = deadlines.min?.instant
        guard let check = roster.nextCheck else { return budget }
        return budget.map { min($0, check) } ?? check
    }

    /// Jobs without a result that is where it belongs: with the client, or on disk.
    public var jobsInHand: Int { ledger.count + recording.count }
    /// Durable jobs on disk whose results are not.
    public var jobsUnfinishedOnDisk: Int { ledger.journalled + recording.count }

    /// A client did not take its reply.
    public mutating func noteUndelivered() {
        statistics.counters.undelivered += 1
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        actions = []
        endOverdue(now)
        switch event {
        case .request(let token, let header, let imageBytes, let totalBytes, let asker):
            request(token, header, imageBytes: imageBytes, totalBytes: totalBytes, asker, now)
        case .malformedRequest(let token, let id, let error):
            statistics.counters.malformedRequests += 1
            refuse(token, id, error)
        case .persisted(let job, let persistence): persisted(job &- jobSeed, persistence, now)
        case .recorded(let job, let failure): recorded(job, failure, now)
        case .found(let token, let finding): found(token, finding)
        case .recovered(let token, let job, let header, let owner, let bytes):
            recover(token, job, header, owner, bytes, now)
        case .worker(let peer, let message): receive(message, from: peer, now)
        case .malformedMessage: statistics.counters.malformedMessages += 1
        case .disconnected(let peer): lose(peer, now)
        case .deadline: checkWorkers(now)
        case .drain: isDraining = true
        case .abandon: abandon(now)
        }
        while let serial = promoted.popLast() {
            if ledger.contains(serial) { start(serial, now) }
        }
        if isDraining, !isDrained, ledger.isEmpty, recording.isEmpty, fetching.isEmpty {
            isDrained = true
            for worker in roster.workers { actions.append(.send(worker.peer, .bye(reason: "the router is stopping"))) }
            actions.append(.drained)
        }
        return actions
    }

    // MARK: Requests

    private mutating func request(
        _ token: Token, _ header: RequestHeader, imageBytes: Int?, totalBytes: Int, _ asker: Asker, _ now: Instant
    ) {
        guard asker.rights != .none else { return refuse(token, header.id, .notAllowed("your key may not ask this")) }
        switch header.verb {
        case .ping:
            statistics.count(.ok)
            actions.append(.reply(token, .result(ResultDocument(id: header.id, status: .ok))))
        case .status:
            guard asker.rights == .operator else {
                return refuse(token, header.id, .notAllowed("'status' needs an operator's key"))
            }
            statistics.count(.ok)
            actions.append(.reply(token, .status(statusReport(id: header.id, at: now))))
        case .models:
            statistics.count(.ok)
            actions.append(.reply(token, .models(modelsReport(id: header.id))))
        case .fetch, .cancel:
            guard let id = header.id else {
                let message = "the verb '\(header.verb.rawValue)' needs the field 'id'"
                return refuse(token, nil, WireError(.badRequest, code: "malformed_header", message))
            }
            if header.verb == .cancel { cancel(token, id, asker, now) } else { fetch(token, id, asker) }
        case .classify: classify(token, header, imageBytes: imageBytes, totalBytes: totalBytes, asker, now)
        }
    }

    mutating func refuse(_ token: Token, _ id: String?, _ error: WireError) {
        statistics.count(error.status)
        actions.append(.reply(token, .result(ResultDocument(id: id, error: error))))
    }

    private mutating func cancel(_ token: Token, _ id: String, _ asker: Asker, _ now: Instant) {
        guard let serial = ledger.serial(ofID: id) else {
            let message = "no unfinished job has the id '\(id)'"
            return refuse(token, id, WireError(.notFound, code: "unknown_job", message))
        }
        guard asker.rights == .operator || ledger[serial].asker.identity == asker.identity else {
            return refuse(token, id, .notAllowed("cancelling another's job needs an operator's key"))
        }
        statistics.counters.cancelled += 1
        let job = ledger[serial].job
        end(serial, with: WireError(.timeout, code: "cancelled", "the job was cancelled"), overriding: true, now)
        if let job {
            recording[job]?.cancels.append((token, id))
        } else {
            statistics.count(.ok)
            actions.append(.reply(token, .result(ResultDocument(id: id, status: .ok))))
        }
    }

    private mutating func classify(
        _ token: Token, _ header: RequestHeader, imageBytes: Int?, totalBytes: Int, _ asker: Asker, _ now: Instant
    ) {
        // A durable job with a known result still has to get into the journal.
        if !header.durable, let key = header.idempotencyKey,
            let result = idempotency.result(for: asker.scoped(key), at: now)
        {
            statistics.counters.deduplicated += 1
            statistics.count(result.status)
            statistics.count(result.verdict)
            actions.append(.reply(token, .result(result.copied(for: header, after: .zero))))
            return
        }
        let models: [Int]
        let caller = header.id.map { Admission.Caller(client: asker.identity, id: $0) }
        admission.forget(at: now)
        let isTurn = caller.map { admission.isTurn(of: $0, at: now) } ?? false
        do {
            models = try admit(
                header, imageBytes: imageBytes, totalBytes: totalBytes, asker.identity, isTurn: isTurn)
        } catch {
            statistics.count(error.status)
            var document = ResultDocument(id: header.id, error: error)
            document.metadata = header.metadata
            if error.status == .tooManyRequests {
                statistics.counters.rejected += 1
                document.retryAfterMilliseconds = admission.retryAfter(
                    rate: pace(at: now), asker.identity, caller, at: now)
            }
            actions.append(.reply(token, .result(document)))
            return
        }
        if isTurn, let caller { admission.leave(caller) }
        statistics.counters.accepted += 1
        statistics.counters.bytesReceived += totalBytes
        statistics.noteWork(at: now)
        let job = header.durable ? jobSeed &+ ledger.upcoming : nil
        let serial = enter(
            Request(
                token: token, header: header, asker: asker, bytes: totalBytes, received: now,
                tasks: models.map { Task(model: $0) }, job: job))
        if let job {
            actions.append(.persist(token, job: job, header, owner: asker.owner))
        } else {
            begin(serial, now)
        }
    }

    /// Into the ledger, with its budget running.
    mutating func enter(_ request: Request) -> UInt64 {
        let serial = ledger.add(request)
        deadlines.insert(Deadline(instant: request.deadline, serial: serial))
        return serial
    }

    /// Computes the request's result, unless it is known or another request computes the same.
    mutating func begin(_ serial: UInt64, _ now: Instant) {
        guard let key = ledger[serial].key else { return start(serial, now) }
        if let result = idempotency.result(for: key, at: now) {
            statistics.counters.deduplicated += 1
            let request = ledger.remove(serial)
            conclude(request, result.copied(for: request.header, after: now - request.received), now)
            tidy(now)
        } else if idempotency.join(key, serial, ledger) {
            start(serial, now)
        } else {
            statistics.counters.deduplicated += 1
        }
    }

    /// The models that the request is for, if it may come in.
    private func admit(
        _ header: RequestHeader, imageBytes: Int?, totalBytes: Int, _ identity: Asker.Identity, isTurn: Bool
    ) throws(WireError) -> [Int] {
        if isDraining { throw WireError(.unavailable, code: "draining", "the router is stopping; ask another") }
        if header.durable, !configuration.keepsJournal {
            throw WireError(
                .unavailable, code: "journal_unavailable",
                "this router keeps no journal; send the job without 'durable', or start the router with --journal")
        }
        guard let imageBytes else {
            throw WireError(.badRequest, code: "image_missing", "the image frame behind the header is missing")
        }
        guard imageBytes > 0 else {
            throw WireError(.unprocessable, code: "image_empty", "the image frame is empty")
        }
        guard imageBytes <= configuration.imageBytes else {
            throw WireError(
                .tooLarge, code: "image_too_large",
                "the image has \(imageBytes) bytes; at most \(configuration.imageBytes) are taken")
        }
        let models = try modelsAsked(header)
        let served = models.filter { roster.hasWorker(of: $0) }
        let isEnough = header.requirement == .any ? !served.isEmpty : served.count == models.count
        guard isEnough || configuration.workerWait > .zero else {
            let missing = models.filter { !served.contains($0) }.map { ensemble.models[$0] }
            throw WireError(.unavailable, code: "no_worker", "no worker serves \(missing.joined(separator: ", "))")
        }
        let bytes = ledger.bytes + recordingBytes
        let reserved =
            isTurn ? 0 : min(admission.placesHeld, Int(Double(configuration.maxJobs) * Self.reservedShare))
        guard jobsInHand < configuration.maxJobs - reserved, bytes + totalBytes <= configuration.maxBytes else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the queue is full with \(jobsInHand) jobs and \(bytes) bytes; try again later")
        }
        let load = ledger.load(of: identity)
        guard load.jobs < configuration.maxClientJobs, load.bytes + totalBytes <= configuration.maxClientBytes else {
            throw WireError(
                .tooManyRequests, code: "client_queue_full",
                "this client has \(load.jobs) jobs and \(load.bytes) bytes without an answer; wait for some first")
        }
        let wait = served.map { expectedTime(header, $0) }.max() ?? .zero
        let share = isTurn ? Self.budgetShareInTurn : Self.budgetShare
        guard wait <= .milliseconds(header.budgetMilliseconds) * share else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the jobs ahead take about \(Int(wait.milliseconds)) ms, too much for a budget of \(header.budgetMilliseconds) ms; try again later"
            )
        }
        return models
    }

    /// How long a new job will take in one model, if all goes on as it does: what waits and what is in hand goes first.
    private func expectedTime(_ header: RequestHeader, _ model: Int) -> Duration {
        let load = roster.load(of: model)
        let waiting = waiting[model].count
        guard load.isBacklogged(waiting: waiting) else { return .zero }
        let wait = drainRates[model].time(behind: waiting + load.inFlight, workers: load.workers) ?? .zero
        // As in `enqueue`: each step of priority overtakes what came so much earlier.
        let steps = header.priority - Limits.defaultPriority
        return max(.zero, wait - configuration.priorityStep * steps)
    }

    /// Jobs a second that the slowest model gets through; without a backlog to measure it by, those that were answered.
    private func pace(at now: Instant) -> Double {
        drainRates.indices.compactMap { drainRates[$0].perSecond(workers: roster.load(of: $0).workers) }.min()
            ?? statistics.answersPerBusySecond(at: now)
    }

    /// The models by number, if they and the policy are of this ensemble.
    func modelsAsked(_ header: RequestHeader) throws(WireError) -> [Int] {
        guard ensemble.policies[header.policy] != nil else {
            let known = ensemble.policies.keys.sorted().joined(separator: ", ")
            throw WireError(
                .notFound, code: "unknown_policy",
                "there is no policy '\(header.policy.prefix(64))'; there are \(known)")
        }
        guard let names = header.models else { return Array(ensemble.models.indices) }
        var models: [Int] = []
        for name in names {
            guard let index = ensemble.models.firstIndex(of: name) else {
                throw WireError(
                    .notFound, code: "unknown_model",
                    "there is no model '\(name.prefix(64))'; there are \(ensemble.models.joined(separator: ", "))")
            }
            models.append(index)
        }
        return models.sorted()
    }

    /// Queues the request for each of its models. One that has no worker fails when the wait for its first one is over: at
    /// once, unless the configuration says otherwise, instead of holding up the others.
    private mutating func start(_ serial: UInt64, _ now: Instant) {
        let request = ledger[serial]
        // A durable job may have been acknowledged: it is not to fail because all workers have left since it came in.
        let isPatient =
            request.isRecovered
            || (request.isJournalled && !request.tasks.contains { roster.hasWorker(of: $0.model) })
        let waitEnds = isPatient ? request.deadline : request.received + configuration.workerWait
        for index in request.tasks.indices {
            let model = request.tasks[index].model
            if roster.hasWorker(of: model) {
                enqueue(serial, index, now)
            } else if waitEnds > now {
                request.tasks[index].firstWorkerBy = waitEnds
                enqueue(serial, index, now)
            } else {
                settle(serial, index, noWorker(for: model))
            }
        }
        if waitEnds < request.deadline, request.tasks.contains(where: { $0.firstWorkerBy != nil }) {
            deadlines.insert(Deadline(instant: waitEnds, serial: serial))
        }
        endIfSettled(serial, now)
    }

    /// The wait for a first worker is over: models that still have none fail.
    private mutating func endWait(_ serial: UInt64, _ now: Instant) {
        for (index, task) in ledger[serial].tasks.enumerated() {
            guard case .waiting = task.state, let end = task.firstWorkerBy, end <= now,
                !roster.hasWorker(of: task.model)
            else { continue }
            waiting[task.model].noteStale()
            settle(serial, index, noWorker(for: task.model))
        }
        endIfSettled(serial, now)
    }

    private func noWorker(for model: Int) -> WireError {
        WireError(.unavailable, code: "no_worker", "no worker serves \(ensemble.models[model])")
    }

    // MARK: Scheduling

    private mutating func enqueue(_ serial: UInt64, _ index: Int, _ now: Instant) {
        let request = ledger[serial]
        let model = request.tasks[index].model
        request.tasks[index].state = .waiting
        // A virtual time: the moment of receipt, later for each step of lower priority. Ordering by it needs no ageing.
        let steps = Int64(Limits.priorities.upperBound - request.header.priority)
        let turn = request.received.nanoseconds + steps * configuration.priorityStep.nanoseconds
        waiting[model].add(WaitingQueue.Entry(turn: turn, job: JobID(serial: serial, task: index)), ledger)
        dispatch(model, now)
    }

    /// Hands waiting jobs of a model to its workers, as long as one has credit.
    private mutating func dispatch(_ model: Int, _ now: Instant) {
        var passedOver: [WaitingQueue.Entry] = []
        // A heart beats late now and then.
        let lately = now - configuration.heartbeat * 1.5
        while !waiting[model].isEmpty, let free = roster.leastLoaded(of: model, heardSince: lately),
            let entry = waiting[model].next(ledger)
        {
            let task = ledger[entry.job.serial].tasks[entry.job.task]
            if task.attempts == 0 {
                hand(entry.job, to: free, now)
            } else if let other = roster.leastLoaded(of: model, heardSince: lately, avoiding: task.avoids) {
                hand(entry.job, to: other, now)
            } else {
                passedOver.append(entry)
            }
        }
        for entry in passedOver { waiting[model].add(entry, ledger) }
        drainRates[model].note(
            isBacklogged: roster.load(of: model).isBacklogged(waiting: waiting[model].count), at: now)
    }

    private mutating func hand(_ job: JobID, to slot: Roster.Slot, _ now: Instant) {
        let request = ledger[job.serial]
        request.tasks[job.task].attempts += 1
        request.tasks[job.task].state = .running
        roster.assign(job, to: slot, at: now)
        let message = RouterMessage.Job(
            job: job.rawValue, attempt: UInt8(clamping: request.tasks[job.task].attempts),
            remainingMilliseconds: UInt32(clamping: (request.deadline - now).nanoseconds / 1_000_000))
        actions.append(.dispatch(roster[slot].peer, message, image: request.token))
    }

    // MARK: Workers

    private mutating func receive(_ message: WorkerMessage, from peer: Peer, _ now: Instant) {
        if case .hello(let hello) = message { return register(hello, peer, now) }
        guard let slot = roster.slot(of: peer) else {
            statistics.counters.strangers += 1
            if case .bye = message { return }
            actions.append(.send(peer, .resync))
            return
        }
        roster[slot].lastHeard = now
        switch message {
        case .hello: break
        case .score(let score):
            let computing = Duration.microseconds(Int64(score.timings.computeMicroseconds))
            guard let job = take(score.job, epoch: score.epoch, from: slot, computing: computing, now) else { return }
            roster[slot].scored += 1
            roster[slot].compute.record(computing.milliseconds)
            let request = ledger[job.serial]
            statistics.scored(score.timings, model: roster[slot].model, after: now - request.received)
            request.settle(job.task, .scored(score, worker: roster[slot].identity, at: now))
            request.image = score.image
            endIfSettled(job.serial, now)
            dispatch(roster[slot].model, now)
        case .fail(let failure): fail(failure, slot, now)
        case .ping(let epoch, _, let progress):
            guard epoch == roster[slot].epoch else {
                actions.append(.send(peer, .resync))
                return
            }
            roster.noteProgress(slot, progress, at: now)
            actions.append(.send(peer, .pong(epoch: epoch)))
        case .credit(let epoch, let jobs):
            guard epoch == roster[slot].epoch else { return }
            roster[slot].credit = Roster.credit(jobs)
            dispatch(roster[slot].model, now)
        case .drain(let epoch):
            guard epoch == roster[slot].epoch else { return }
            roster.drain(slot)
            dispatch(roster[slot].model, now)
        case .bye(let epoch):
            if epoch == roster[slot].epoch { remove(peer, died: false, now) }
        }
    }

    private mutating func register(_ hello: WorkerMessage.Hello, _ peer: Peer, _ now: Instant) {
        // A second HELLO, on its connection or on a new one: the worker took us for gone and has forgotten its jobs.
        remove(peer, died: false, now)
        if let earlier = roster.peer(ofLife: hello.bootID) { remove(earlier, died: false, now) }
        guard let model = ensemble.models.firstIndex(of: hello.model) else {
            let known = ensemble.models.joined(separator: ", ")
            let reason = "the ensemble does not name the model '\(hello.model)'; it names \(known)"
            actions.append(.send(peer, .bye(reason: reason)))
            return
        }
        if isDrained {
            actions.append(.send(peer, .bye(reason: "the router is stopping")))
            return
        }
        let epoch = roster.add(hello, peer: peer, model: model, at: now, checkEvery: configuration.heartbeat)
        actions.append(
            .send(
                peer,
                .welcome(
                    epoch: epoch, heartbeatMilliseconds: UInt32(clamping: Int(configuration.heartbeat.milliseconds)))
            ))
        dispatch(model, now)
    }

    /// The job that an answer is for, out of the worker's hands; nil if the answer is dropped.
    private mutating func take(
        _ rawJob: UInt64, epoch: UInt64, from slot: Roster.Slot, computing: Duration? = nil, _ now: Instant
    ) -> JobID? {
        let job = JobID(rawValue: rawJob)
        guard epoch == roster[slot].epoch, roster.release(job, from: slot, at: now) else {
            statistics.counters.unknown += 1
            return nil
        }
        let model = roster[slot].model
        drainRates[model].noteAnswer(workers: roster.load(of: model).workers, computing: computing, at: now)
        guard ledger.contains(job.serial) else {
            statistics.counters.late += 1
            dispatch(model, now)
            return nil
        }
        return job
    }

    private mutating func fail(_ failure: WorkerMessage.Failure, _ slot: Roster.Slot, _ now: Instant) {
        guard let job = take(failure.job, epoch: failure.epoch, from: slot, now) else { return }
        roster[slot].failed += 1
        let task = ledger[job.serial].tasks[job.task]
        var error = failure.error
        // Clients are promised the statuses of the protocol's table and no others.
        if error.status != .timeout, !error.status.isFinal || error.status.isSuccess { error.status = .unavailable }
        // What is the worker's own fault may go better with another one.
        if error.status == .unavailable, task.attempts < Limits.executionsPerModel {
            statistics.counters.redispatched += 1
            ledger[job.serial].tasks[job.task].avoids = roster[slot].peer
            enqueue(job.serial, job.task, now)
        } else {
            settle(job.serial, job.task, error)
            endIfSettled(job.serial, now)
        }
        dispatch(roster[slot].model, now)
    }

    /// The worker is gone or hangs: its jobs go to another one at once.
    private mutating func lose(_ peer: Peer, _ now: Instant) {
        guard roster.slot(of: peer) != nil else { return }
        statistics.counters.workersLost += 1
        remove(peer, died: true, now)
    }

    private mutating func remove(_ peer: Peer, died: Bool, _ now: Instant) {
        guard let worker = roster.remove(peer) else { return }
        for job in worker.inFlight.sorted() where ledger.contains(job.serial) {
            if died { ledger[job.serial].tasks[job.task].deaths += 1 }
            let task = ledger[job.serial].tasks[job.task]
            if task.attempts < Limits.executionsPerModel {
                statistics.counters.redispatched += 1
                enqueue(job.serial, job.task, now)
            } else if task.deaths >= Limits.executionsPerModel {
                statistics.counters.quarantined += 1
                let name = ensemble.models[task.model]
                end(
                    job.serial,
                    with: WireError(
                        .unprocessable, code: "quarantined",
                        "\(task.deaths) workers of \(name) died with this job in their hands; it is not tried again"),
                    overriding: true, now)
            } else {
                let message = "the job was lost by \(task.attempts) workers of \(ensemble.models[task.model])"
                settle(job.serial, job.task, WireError(.unavailable, code: "worker_lost", message))
                endIfSettled(job.serial, now)
            }
        }
        // A job that avoided another worker as long as this one was there.
        dispatch(worker.model, now)
    }

    // MARK: Time

    private mutating func endOverdue(_ now: Instant) {
        while let next = deadlines.min, next.instant <= now {
            deadlines.removeMin()
            guard ledger.contains(next.serial) else { continue }
            guard ledger[next.serial].deadline <= now else {
                endWait(next.serial, now)
                continue
            }
            let budget = ledger[next.serial].header.budgetMilliseconds
            end(
                next.serial, with: WireError(.timeout, code: "budget_spent", "the budget of \(budget) ms was spent"),
                now)
        }
        // Entries of answered requests linger until their time; do not let them outnumber the live ones.
        if deadlines.count > 2 * ledger.count + 1024 {
            deadlines = Heap(deadlines.unordered.filter { ledger.contains($0.serial) })
        }
    }

    /// Only when its deadline comes, which the driver reports behind all that had arrived: after a pause of the router
    /// itself the heartbeats of its workers are still unread, and they are not to blame.
    private mutating func checkWorkers(_ now: Instant) {
        guard let check = roster.nextCheck, check <= now else { return }
        let silence = configuration.heartbeat * configuration.missedHeartbeats
        for peer in roster.lost(silentFor: silence, hungFor: configuration.hangTimeout, at: now) {
            actions.append(.send(peer, .resync))
            lose(peer, now)
        }
        roster.scheduleCheck(
            silentFor: silence, hungFor: configuration.hangTimeout, within: configuration.heartbeat, from: now)
    }

    private mutating func abandon(_ now: Instant) {
        isDraining = true
        isAbandoned = true
        for serial in ledger.serials {
            guard ledger.contains(serial) else { continue }
            end(
                serial, with: WireError(.unavailable, code: "draining", "the router stopped before the job was done"),
                overriding: true, now)
        }
        abandonJournal(now)
    }

    // MARK: Ending

    private mutating func settle(_ serial: UInt64, _ index: Int, _ error: WireError) {
        ledger[serial].settle(index, .failed(error))
    }

    private mutating func endIfSettled(_ serial: UInt64, _ now: Instant) {
        if ledger.isSettled(serial) { finish(serial, now) }
    }

    /// Ends a request whose models have not all answered: what is missing is missing for this reason.
    ///
    /// - Parameter overriding: whether the reason is the answer even if some models gave a score.
    private mutating func end(_ serial: UInt64, with error: WireError, overriding: Bool = false, _ now: Instant) {
        for index in ledger[serial].tasks.indices where !ledger[serial].tasks[index].isSettled {
            let task = ledger[serial].tasks[index]
            if case .waiting = task.state { waiting[task.model].noteStale() }
            settle(serial, index, error)
        }
        finish(serial, overriding: overriding ? error : nil, now)
    }

    private mutating func finish(_ serial: UInt64, overriding error: WireError? = nil, _ now: Instant) {
        let request = ledger.remove(serial)
        let document = request.result(ensemble, at: now, overriding: error)
        conclude(request, document, now)
        if let key = request.key, idempotency.isLeader(serial, of: key) {
            if document.status.isFinal {
                for follower in idempotency.store(document, for: key, at: now) where ledger.contains(follower) {
                    let request = ledger.remove(follower)
                    conclude(request, document.copied(for: request.header, after: now - request.received), now)
                }
            } else if let heir = idempotency.promote(key, ledger) {
                promoted.append(heir)
            }
        }
        tidy(now)
    }

    /// Behind the removal of requests from the ledger.
    mutating func tidy(_ now: Instant) {
        while let next = deadlines.min, !ledger.contains(next.serial) { deadlines.removeMin() }
        if ledger.isEmpty { statistics.noteIdleness(at: now) }
    }

    /// A request has its result: a durable one goes to the journal first.
    mutating func conclude(_ request: Request, _ document: ResultDocument, _ now: Instant) {
        if let job = request.job, !isAbandoned {
            record(job, request, document, now)
        } else {
            answer(request, document, now)
        }
    }

    mutating func answer(_ request: Request, _ document: ResultDocument, _ now: Instant) {
        statistics.count(document.verdict)
        if request.isAnswered {
            statistics.finished(after: now - request.received, at: now)
            actions.append(.release(request.token))
        } else {
            statistics.answered(document.status, after: now - request.received, at: now)
            actions.append(.reply(request.token, .result(document)))
        }
    }
}

extension WireError {
    /// The sender is known, and this is not theirs to ask.
    fileprivate static func notAllowed(_ message: String) -> WireError {
        WireError(.badRequest, code: "not_allowed", message)
    }
}

extension ResultDocument {
    /// The same result for another request with the same idempotency key.
    func copied(for header: RequestHeader, after duration: Duration) -> ResultDocument {
        var copy = self
        copy.id = header.id
        copy.metadata = header.metadata
        copy.totalMilliseconds = duration.milliseconds
        return copy
    }
}

struct Deadline: Comparable {
    var instant: Instant
    var serial: UInt64

    static func < (left: Deadline, right: Deadline) -> Bool {
        (left.instant, left.serial) < (right.instant, right.serial)
    }
}

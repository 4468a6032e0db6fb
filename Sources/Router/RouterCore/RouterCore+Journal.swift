internal import BifronsWire
internal import Decisions

/// A result or a decision that is being written to disk, and the clients that wait for that.
struct Recording {
    /// The client that waits for the result, and the request's serial number.
    var waiting: (serial: UInt64, request: Request, document: ResultDocument)?
    /// Whether nobody may learn of the result before its decision is on disk.
    var isRequired = false
    /// The clients that cancelled the job, with the id that they named.
    var cancels: [(token: RouterCore.Token, id: String)] = []
}

/// Durable jobs. None is acknowledged before the journal has stored it.
///
///     request ─ persist ─ persisted ─┬─ 202, unless the client waits
///                                    └─ scheduling as of any job ─ record ─ recorded ─ reply
///
/// The journal executes its writes in order. So a job may end before it is known to be on disk, since its result is
/// written after it.
extension RouterCore {
    /// Processes the journal's answer to a `.persist`: the job is on disk, or never will be.
    mutating func persisted(_ serial: UInt64, _ outcome: JournalOutcome, _ now: Instant) {
        // The job's budget may have ended, or it was cancelled.
        guard requests.contains(serial) else { return }
        let request = requests[serial]
        switch outcome {
        case .stored:
            request.isJournalled = true
            acknowledge(request)
            begin(serial, now)
        case .known(let result):
            statistics.counters.deduplicated += 1
            end(serial, .stored(result), now)
        case .refused(let error): end(serial, .rejected(error), now)
        case .failed(let reason): end(serial, .rejected(Self.journalFailure(reason)), now)
        }
    }

    /// Replies that the job is stored, unless the client asked to wait for the result.
    private mutating func acknowledge(_ request: Request) {
        guard !request.header.wait else { return }
        request.isAcknowledged = true
        statistics.count(.accepted)
        actions.append(.acknowledge(request.token, .result(ResultDocument(to: request.header, status: .accepted))))
    }

    /// Writes a durable job's result to the journal, with its decision. A client that waits is answered when that is
    /// done.
    mutating func record(
        _ job: UInt64, _ serial: UInt64, _ request: Request, _ document: ResultDocument, _ decision: Decision?,
        _ now: Instant
    ) {
        actions.append(
            .record(job: job, document, decision, reviewing: decision.flatMap { imageToReview($0, request) }))
        let isRequired = decision.map { mustBeRecorded($0) } ?? false
        if request.isJournalled, isRequired || !request.isAcknowledged {
            hold(serial, request, document, isRequired: isRequired)
        } else {
            // An acknowledged client waits for nothing, and a job that ended before it was on disk was promised
            // nothing.
            recording[job] = Recording()
            answer(request, document, now)
        }
        if !isRequired { passOn(document, of: serial, request, now) }
    }

    /// Keeps a request's answer back until its result or decision is on disk.
    mutating func hold(_ serial: UInt64, _ request: Request, _ document: ResultDocument, isRequired: Bool) {
        request.advance(to: .recording)
        recording[request.number] = Recording(waiting: (serial, request, document), isRequired: isRequired)
        recordingBytes += request.bytes
        if isRequired, let key = request.key { heldContents[key] = request.content }
    }

    /// Answers the client that waited for a result or a decision to be on disk.
    mutating func recorded(_ number: UInt64, _ failure: String?, _ now: Instant) {
        isJournalFailing = failure != nil
        guard let recording = recording.removeValue(forKey: number) else {
            // Nobody waited for this decision.
            decisionsAhead = max(0, decisionsAhead - 1)
            if failure != nil { statistics.counters.unrecorded? += 1 }
            return
        }
        if let (serial, request, document) = recording.waiting {
            recordingBytes -= request.bytes
            if let key = request.key { heldContents[key] = nil }
            var document = document
            if let failure, recording.isRequired {
                statistics.counters.unrecorded? += 1
                document = ResultDocument(to: request.header, error: Self.journalFailure(failure))
            }
            answer(request, document, now)
            if recording.isRequired { passOn(document, of: serial, request, now) }
        }
        for (token, id) in recording.cancels {
            if let failure {
                refuse(token, id, Self.journalFailure(failure))
            } else {
                statistics.count(.ok)
                actions.append(.reply(token, .result(ResultDocument(id: id, status: .ok))))
            }
        }
    }

    // MARK: Fetching

    /// The milliseconds after which a refused fetch may be sent again. A working journal looks up thousands of results
    /// in that time.
    private static let fetchPause = 1000

    /// Looks up a durable job's result for a client.
    mutating func fetch(_ token: Token, _ id: String, _ principal: Principal) {
        guard configuration.keepsJournal else {
            let message = "no durable job has the id '\(id)'; this router keeps no journal"
            return refuse(token, id, WireError(.notFound, code: "unknown_job", message))
        }
        if isAbandoned { return refuse(token, id, Self.stopped) }
        guard fetching.count < configuration.maxJobs else {
            let message = "\(fetching.count) clients wait for the journal already; try again later"
            let error = WireError(.tooManyRequests, code: "queue_full", message)
            return refuse(token, id, error, retryAfter: Self.fetchPause)
        }
        fetching[token] = id
        actions.append(.find(token, id: id, of: principal.reachesAll ? nil : principal.jobOwner))
    }

    /// Answers a fetch with the journal's lookup result.
    mutating func found(_ token: Token, _ lookup: JournalLookupResult) {
        guard let id = fetching.removeValue(forKey: token) else { return }
        switch lookup {
        case .result(let document):
            statistics.count(document.status)
            actions.append(.reply(token, .result(document)))
        case .running:
            statistics.count(.accepted)
            actions.append(.reply(token, .result(ResultDocument(id: id, status: .accepted))))
        case .unknown:
            let message = "no durable job has the id '\(id)', or its result is too old"
            refuse(token, id, WireError(.notFound, code: "unknown_job", message))
        case .failed(let reason): refuse(token, id, Self.journalFailure(reason))
        }
    }

    // MARK: Restarts

    /// Enters a durable job of an earlier run. It is computed like a new job, except that no client waits for it and
    /// that it waits for workers: after a restart none is registered yet.
    mutating func recover(
        _ token: Token, _ job: UInt64, _ header: RequestHeader, key: String?, sha256: [UInt8]?, bytes: Int,
        _ now: Instant
    ) {
        // The journal keeps the job for the next run.
        if isDraining { return actions.append(.release(token)) }
        statistics.noteWork(at: now)
        let models = Result { () throws(WireError) in try modelsAsked(header) }
        let principal = (key.map { Principal(.key($0), .client) } ?? .anybody).acting(for: header.owner)
        var header = header
        if let key = header.idempotencyKey.map({ ScopedKey(jobOwner: principal.jobOwner, key: $0) }),
            conflict(key, KeyedContent(header, sha256: sha256), now) != nil
        {
            // A job of this run used the key first with another content, so this job is computed on its own.
            header.idempotencyKey = nil
        }
        let request = Request(
            token: token, header: header, principal: principal, sha256: sha256, bytes: bytes, received: now,
            pools: [ensemble.locator] + ((try? models.get()) ?? []), examiners: ensemble.examiners, number: job)
        (request.isJournalled, request.isAcknowledged, request.isRecovered) = (true, true, true)
        let serial = enter(request)
        switch models {
        case .success: begin(serial, now)
        case .failure(let error): end(serial, .failed(error), now)
        }
    }

    /// Answers every client that still waits for the journal.
    mutating func abandonJournal(_ now: Instant) {
        for job in recording.keys.sorted() { recorded(job, "the router is stopping", now) }
        for (token, id) in fetching.sorted(by: { $0.key < $1.key }) { refuse(token, id, Self.stopped) }
        fetching = [:]
        abandonQuestions()
    }

    static var stopped: WireError {
        WireError(.unavailable, code: "draining", "the router stopped before the journal answered; ask again")
    }

    static func journalFailure(_ reason: String) -> WireError {
        WireError(
            .unavailable, code: "journal_unavailable",
            "the journal cannot be used now: \(reason); try again later, or send jobs without 'durable'")
    }
}

internal import BifronsWire

/// A durable job whose result is on its way to the disk, and who hears when it is there.
struct Recording {
    /// The client that waits for the result.
    var waiting: (request: Request, document: ResultDocument)?
    /// Those who cancelled the job, with the id that they named.
    var cancels: [(token: RouterCore.Token, id: String)] = []
}

/// Durable jobs: nothing is acknowledged before the journal has it.
///
///     request ─ persist ─ persisted ─┬─ 202, unless the client waits
///                                    └─ scheduling as of any job ─ record ─ recorded ─ reply
///
/// The journal obeys in order, so a job may end before it is known to be on disk: its result follows it there.
extension RouterCore {
    /// The job is on disk, or will not be.
    mutating func persisted(_ serial: UInt64, _ persistence: Persistence, _ now: Instant) {
        // Its budget may be spent, or it was cancelled.
        guard ledger.contains(serial) else { return }
        let request = ledger[serial]
        switch persistence {
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

    private mutating func acknowledge(_ request: Request) {
        guard !request.header.wait else { return }
        request.isAcknowledged = true
        var document = ResultDocument(id: request.header.id, status: .accepted)
        document.metadata = request.header.metadata
        statistics.count(.accepted)
        actions.append(.acknowledge(request.token, .result(document)))
    }

    mutating func record(_ job: UInt64, _ request: Request, _ document: ResultDocument, _ now: Instant) {
        actions.append(.record(job: job, document))
        if request.isJournalled, !request.isAcknowledged {
            request.advance(to: .recording)
            recording[job] = Recording(waiting: (request, document))
            recordingBytes += request.bytes
        } else {
            // Whoever has its acknowledgement waits for nothing; a job that ended on its way to the disk was promised nothing.
            recording[job] = Recording()
            answer(request, document, now)
        }
    }

    mutating func recorded(_ job: UInt64, _ failure: String?, _ now: Instant) {
        guard let recording = recording.removeValue(forKey: job) else { return }
        if let (request, document) = recording.waiting {
            recordingBytes -= request.bytes
            answer(request, document, now)
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

    /// Milliseconds after which a fetch that was turned away may come again. A journal that works has found thousands of
    /// results by then.
    private static let fetchPause = 1000

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

    mutating func found(_ token: Token, _ lookup: LookupResult) {
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

    // MARK: Lives

    /// A job of an earlier life is computed as if it had come just now, but no client waits for it, and it waits for workers:
    /// after a restart there are none yet.
    mutating func recover(
        _ token: Token, _ job: UInt64, _ header: RequestHeader, key: String?, sha256: [UInt8]?, bytes: Int,
        _ now: Instant
    ) {
        // The journal keeps it for the next life.
        if isDraining { return actions.append(.release(token)) }
        statistics.noteWork(at: now)
        let models = Result { () throws(WireError) in try modelsAsked(header) }
        let principal = (key.map { Principal(.key($0), .client) } ?? .anybody).acting(for: header.owner)
        var header = header
        if let key = header.idempotencyKey.map({ ScopedKey(jobOwner: principal.jobOwner, key: $0) }),
            conflict(key, KeyedContent(header, sha256: sha256), now) != nil
        {
            // A job of this life was sooner and is another: this one is computed by itself.
            header.idempotencyKey = nil
        }
        let request = Request(
            token: token, header: header, principal: principal, sha256: sha256, bytes: bytes, received: now,
            pools: [ensemble.locator] + ((try? models.get()) ?? []), job: job)
        (request.isJournalled, request.isAcknowledged, request.isRecovered) = (true, true, true)
        let serial = enter(request)
        switch models {
        case .success: begin(serial, now)
        case .failure(let error): end(serial, .failed(error), now)
        }
    }

    /// Answers everybody who still waits for the disk.
    mutating func abandonJournal(_ now: Instant) {
        for job in recording.keys.sorted() { recorded(job, "the router is stopping", now) }
        for (token, id) in fetching.sorted(by: { $0.key < $1.key }) { refuse(token, id, Self.stopped) }
        fetching = [:]
    }

    private static var stopped: WireError {
        WireError(.unavailable, code: "draining", "the router stopped before the journal answered; ask again")
    }

    private static func journalFailure(_ reason: String) -> WireError {
        WireError(
            .unavailable, code: "journal_unavailable",
            "the journal cannot be used now: \(reason); try again later, or send jobs without 'durable'")
    }
}

internal import BifronsWire
internal import Decisions
internal import HeapModule

/// The requests of clients, up to a job's entry in the table of requests.
extension RouterCore {
    /// The size and digest of an image frame.
    struct Image {
        let bytes: Int
        let sha256: [UInt8]?
    }

    /// Processes a well-formed request of any verb.
    mutating func request(
        _ token: Token, _ header: RequestHeader, _ image: Image?, body: [UInt8], totalBytes: Int,
        _ principal: Principal, _ now: Instant
    ) {
        guard principal.rights != .none else {
            return refuse(token, header.id, .notAllowed("your key may not ask this"))
        }
        guard header.owner == nil || principal.mayNameOwners else {
            return refuse(token, header.id, .notAllowed("the field 'owner' needs a gateway's key"))
        }
        let principal = principal.acting(for: header.owner)
        switch header.verb {
        case .ping:
            statistics.countReport()
            actions.append(.reply(token, .result(ResultDocument(id: header.id, status: .ok))))
        case .status, .history, .events, .drift:
            guard principal.rights == .operator || principal.rights == .gateway else {
                return refuse(token, header.id, .notAllowed("'\(header.verb.rawValue)' needs an operator's key"))
            }
            statistics.countReport()
            actions.append(.reply(token, report(header, principal, now)))
        case .models:
            statistics.countReport()
            actions.append(.reply(token, .models(modelsReport(id: header.id))))
        case .fetch, .cancel:
            guard let id = header.id else {
                let message = "the verb '\(header.verb.rawValue)' needs the field 'id'"
                return refuse(token, nil, WireError(.badRequest, code: "malformed_header", message))
            }
            if header.verb == .cancel { cancel(token, id, principal, now) } else { fetch(token, id, principal) }
        case .classify, .examine: submit(token, header, image, totalBytes: totalBytes, principal, now)
        case .policies, .putPolicy, .activatePolicy, .tryPolicy, .tunePolicy, .shadows, .decisions, .replay, .verify,
            .erase,
            .nextReview, .reviews, .review, .withdrawReview, .reviewImage, .appeal:
            if header.verb == .replay, image != nil {
                replay(token, header, image, totalBytes: totalBytes, principal, now)
            } else {
                askAboutDecisions(token, header, body, principal, now)
            }
        }
    }

    /// Returns the report that a verb for operators asks for.
    private func report(_ header: RequestHeader, _ principal: Principal, _ now: Instant) -> Reply {
        switch header.verb {
        case .history: .history(statistics.history.report(id: header.id, pools: ensemble.pools))
        case .events: .events(log.report(id: header.id, at: now))
        case .drift:
            .drift(
                drift.report(
                    id: header.id, of: header.owner == nil ? .all : .one(principal.jobOwner.tenant),
                    at: statistics.history.elapsed))
        default: .status(statusReport(id: header.id, at: now))
        }
    }

    /// Replies with an error.
    mutating func refuse(_ token: Token, _ id: String?, _ error: WireError, retryAfter milliseconds: Int? = nil) {
        statistics.count(error.status)
        var document = ResultDocument(id: id, error: error)
        document.retryAfterMilliseconds = milliseconds
        actions.append(.reply(token, .result(document)))
    }

    /// Cancels an unfinished job for a client that asks for it by id.
    mutating func cancel(_ token: Token, _ id: String, _ principal: Principal, _ now: Instant) {
        guard let serial = requests.serial(ofID: id, of: principal.reachesAll ? nil : principal.jobOwner) else {
            // A gateway's clients must not learn of each other's jobs.
            if principal.rights == .client, requests.serial(ofID: id) != nil {
                return refuse(token, id, .notAllowed("cancelling another's job needs an operator's key"))
            }
            let message = "no unfinished job has the id '\(id)'"
            return refuse(token, id, WireError(.notFound, code: "unknown_job", message))
        }
        statistics.counters.cancelled += 1
        let job = requests[serial].job
        end(serial, .failed(WireError(.timeout, code: "cancelled", "the job was cancelled")), now)
        if let job {
            recording[job]?.cancels.append((token, id))
        } else {
            statistics.count(.ok)
            actions.append(.reply(token, .result(ResultDocument(id: id, status: .ok))))
        }
    }

    /// Cancels the requests whose clients are gone. Durable jobs continue.
    mutating func cancel(_ tokens: Set<Token>, _ now: Instant) {
        for serial in requests.serials where requests.contains(serial) {
            let request = requests[serial]
            guard tokens.contains(request.token), request.job == nil else { continue }
            statistics.counters.cancelled += 1
            let error = WireError(.timeout, code: "cancelled", "the client's connection ended before the job was done")
            end(serial, .failed(error), now)
        }
    }

    /// Admits a job, answers it from a known result, or refuses it.
    mutating func submit(
        _ token: Token, _ header: RequestHeader, _ image: Image?, totalBytes: Int, _ principal: Principal,
        _ now: Instant
    ) {
        let models: [Int]
        let caller = header.id.map { Admission.Caller(client: principal.identity, id: $0) }
        let isTurn: Bool
        do {
            if let known = try knownResult(header, image, principal, now) {
                statistics.counters.deduplicated += 1
                statistics.count(known.status)
                statistics.count(known.verdict)
                actions.append(.reply(token, .result(known)))
                return
            }
            admission.forget(at: now)
            isTurn = caller.map { admission.isTurn(of: $0, at: now) } ?? false
            models = try admit(
                header, imageBytes: image?.bytes, totalBytes: totalBytes, principal.identity, isTurn: isTurn)
        } catch {
            statistics.count(error.status)
            var document = ResultDocument(to: header, error: error)
            if error.status == .tooManyRequests {
                statistics.counters.rejected += 1
                document.retryAfterMilliseconds = admission.retryAfter(
                    rate: pace(at: now), principal.identity, caller, at: now)
            }
            actions.append(.reply(token, .result(document)))
            return
        }
        if isTurn, let caller { admission.leave(caller) }
        statistics.counters.accepted += 1
        statistics.counters.bytesReceived += totalBytes
        statistics.noteWork(at: now)
        let request = Request(
            token: token, header: header, principal: principal, sha256: image?.sha256, bytes: totalBytes, received: now,
            pools: [ensemble.locator] + models, examiners: ensemble.examiners,
            number: jobSeed &+ requests.upcoming)
        let serial = enter(request)
        if let job = request.job {
            let sha256 = request.content?.sha256
            actions.append(.persist(token, job: job, header, key: principal.jobOwner.key, sha256: sha256))
        } else {
            begin(serial, now)
        }
    }

    /// Returns the result that is stored for the request's idempotency key. Returns nil if there is none, or if the job
    /// is durable and must go to the journal first.
    ///
    /// - Throws: an error if the key stands for another content.
    private mutating func knownResult(
        _ header: RequestHeader, _ image: Image?, _ principal: Principal, _ now: Instant
    ) throws(WireError) -> ResultDocument? {
        // An image that would be refused gets that refusal instead.
        guard let key = header.idempotencyKey, let image, (1...configuration.imageBytes).contains(image.bytes) else {
            return nil
        }
        let scoped = ScopedKey(jobOwner: principal.jobOwner, key: key)
        if let error = conflict(scoped, KeyedContent(header, sha256: image.sha256), now) { throw error }
        guard !header.durable, let known = idempotency.result(for: scoped, at: now) else { return nil }
        // The request's policy may differ from the stored result's, and must exist.
        _ = try modelsAsked(header)
        return copy(known.document, for: header, principal, after: .zero)
    }

    /// Returns the error for a request with this content if its idempotency key already stands for another content; nil
    /// otherwise.
    mutating func conflict(_ key: ScopedKey, _ content: KeyedContent, _ now: Instant) -> WireError? {
        let known =
            requests.content(of: key) ?? heldContents[key] ?? idempotency.result(for: key, at: now)?.content
        return known.flatMap { content.conflict(with: $0) }
    }

    /// Returns a result as the answer to another request with the same idempotency key, decided by that request's
    /// policy.
    func copy(
        _ document: ResultDocument, for header: RequestHeader, _ principal: Principal, after duration: Duration
    ) -> ResultDocument {
        // The policy is known: admission refuses unknown ones.
        var copy = policies.answer(document, to: header, for: principal.jobOwner.tenant) ?? document
        copy.totalMilliseconds = duration.milliseconds
        return copy
    }

    /// Adds a request to the table and starts its budget. Returns its serial number.
    mutating func enter(_ request: Request) -> UInt64 {
        let serial = requests.add(request)
        deadlines.insert(Deadline(instant: request.deadline, serial: serial))
        return serial
    }

    /// Starts computing the request's result, unless the result is known or another request with the same idempotency
    /// key computes it.
    mutating func begin(_ serial: UInt64, _ now: Instant) {
        guard let key = requests[serial].key else { return start(serial, now) }
        if let result = idempotency.result(for: key, at: now)?.document {
            statistics.counters.deduplicated += 1
            end(serial, .known(result), now)
        } else if idempotency.join(key, serial, requests) {
            start(serial, now)
        } else {
            statistics.counters.deduplicated += 1
            requests[serial].advance(to: .following)
        }
    }
}

extension WireError {
    /// Returns the error for a known sender that lacks the right to ask this.
    static func notAllowed(_ message: String) -> WireError {
        WireError(.badRequest, code: "not_allowed", message)
    }
}

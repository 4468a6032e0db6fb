internal import BifronsWire
internal import HeapModule

/// What clients ask, up to a job's place in the ledger.
extension RouterCore {
    /// What is known of an image frame.
    struct Image {
        let bytes: Int
        let sha256: [UInt8]?
    }

    mutating func request(
        _ token: Token, _ header: RequestHeader, _ image: Image?, totalBytes: Int, _ principal: Principal,
        _ now: Instant
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
            statistics.count(.ok)
            actions.append(.reply(token, .result(ResultDocument(id: header.id, status: .ok))))
        case .status:
            guard principal.rights == .operator || principal.rights == .gateway else {
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
            if header.verb == .cancel { cancel(token, id, principal, now) } else { fetch(token, id, principal) }
        case .classify: classify(token, header, image, totalBytes: totalBytes, principal, now)
        }
    }

    mutating func refuse(_ token: Token, _ id: String?, _ error: WireError, retryAfter milliseconds: Int? = nil) {
        statistics.count(error.status)
        var document = ResultDocument(id: id, error: error)
        document.retryAfterMilliseconds = milliseconds
        actions.append(.reply(token, .result(document)))
    }

    mutating func cancel(_ token: Token, _ id: String, _ principal: Principal, _ now: Instant) {
        guard let serial = ledger.serial(ofID: id, of: principal.reachesAll ? nil : principal.jobOwner) else {
            // Those for whom a gateway asks are not to learn of each other's jobs.
            if principal.rights == .client, ledger.serial(ofID: id) != nil {
                return refuse(token, id, .notAllowed("cancelling another's job needs an operator's key"))
            }
            let message = "no unfinished job has the id '\(id)'"
            return refuse(token, id, WireError(.notFound, code: "unknown_job", message))
        }
        statistics.counters.cancelled += 1
        let job = ledger[serial].job
        end(serial, .failed(WireError(.timeout, code: "cancelled", "the job was cancelled")), now)
        if let job {
            recording[job]?.cancels.append((token, id))
        } else {
            statistics.count(.ok)
            actions.append(.reply(token, .result(ResultDocument(id: id, status: .ok))))
        }
    }

    /// Nobody waits for these requests any more: those that are not durable are not computed.
    mutating func cancel(_ tokens: Set<Token>, _ now: Instant) {
        for serial in ledger.serials where ledger.contains(serial) {
            let request = ledger[serial]
            guard tokens.contains(request.token), request.job == nil else { continue }
            statistics.counters.cancelled += 1
            let error = WireError(.timeout, code: "cancelled", "the client's connection ended before the job was done")
            end(serial, .failed(error), now)
        }
    }

    mutating func classify(
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
            var document = ResultDocument(id: header.id, error: error)
            document.metadata = header.metadata
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
        let job = header.durable ? jobSeed &+ ledger.upcoming : nil
        let request = Request(
            token: token, header: header, principal: principal, sha256: image?.sha256, bytes: totalBytes, received: now,
            pools: [ensemble.locator] + models, job: job)
        let serial = enter(request)
        if let job {
            let sha256 = request.content?.sha256
            actions.append(.persist(token, job: job, header, key: principal.jobOwner.key, sha256: sha256))
        } else {
            begin(serial, now)
        }
    }

    /// The result that the request's idempotency key has already; nil if it has none, or the job is durable and still has to
    /// get into the journal.
    ///
    /// - Throws: what is wrong, if the key stands for something else.
    private mutating func knownResult(
        _ header: RequestHeader, _ image: Image?, _ principal: Principal, _ now: Instant
    ) throws(WireError) -> ResultDocument? {
        // An image that is not taken is refused for that.
        guard let key = header.idempotencyKey, let image, (1...configuration.imageBytes).contains(image.bytes) else {
            return nil
        }
        let scoped = ScopedKey(jobOwner: principal.jobOwner, key: key)
        if let error = conflict(scoped, KeyedContent(header, sha256: image.sha256), now) { throw error }
        guard !header.durable, let known = idempotency.result(for: scoped, at: now) else { return nil }
        // The policy may be another than the result was decided by.
        _ = try modelsAsked(header)
        return copy(known.document, for: header, after: .zero)
    }

    /// The error for a request with this content, if its key stands for another by now.
    mutating func conflict(_ key: ScopedKey, _ content: KeyedContent, _ now: Instant) -> WireError? {
        let known = ledger.content(of: key) ?? idempotency.result(for: key, at: now)?.content
        return known.flatMap { content.conflict(with: $0) }
    }

    /// A result for another request with the same idempotency key, decided by that one's policy.
    func copy(_ document: ResultDocument, for header: RequestHeader, after duration: Duration) -> ResultDocument {
        // Jobs of unknown policies are not admitted.
        var copy = ensemble.answer(document, to: header) ?? document
        copy.totalMilliseconds = duration.milliseconds
        return copy
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
        if let result = idempotency.result(for: key, at: now)?.document {
            statistics.counters.deduplicated += 1
            end(serial, .known(result), now)
        } else if idempotency.join(key, serial, ledger) {
            start(serial, now)
        } else {
            statistics.counters.deduplicated += 1
            ledger[serial].advance(to: .following)
        }
    }
}

extension WireError {
    /// The sender is known, and this is not theirs to ask.
    fileprivate static func notAllowed(_ message: String) -> WireError {
        WireError(.badRequest, code: "not_allowed", message)
    }
}

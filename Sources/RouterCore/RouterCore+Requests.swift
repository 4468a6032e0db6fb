internal import HeapModule
internal import Wire

/// What clients ask, up to a job's place in the ledger.
extension RouterCore {
    mutating func request(
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

    mutating func cancel(_ token: Token, _ id: String, _ asker: Asker, _ now: Instant) {
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

    /// Nobody waits for these requests any more: those that are not durable are not computed.
    mutating func cancel(_ tokens: Set<Token>, _ now: Instant) {
        for serial in ledger.serials where ledger.contains(serial) {
            let request = ledger[serial]
            guard tokens.contains(request.token), request.job == nil else { continue }
            statistics.counters.cancelled += 1
            let error = WireError(.timeout, code: "cancelled", "the client's connection ended before the job was done")
            end(serial, with: error, overriding: true, now)
        }
    }

    mutating func classify(
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
}

extension WireError {
    /// The sender is known, and this is not theirs to ask.
    fileprivate static func notAllowed(_ message: String) -> WireError {
        WireError(.badRequest, code: "not_allowed", message)
    }
}

internal import BifronsWire
internal import Decisions
internal import HeapModule

/// How a request reaches its result.
enum Ending {
    /// Every model of the request has given a score or failed. Evidence that is missing is late.
    case settled
    /// The request stops waiting, and the models without a score fail with this error. The other scores may still
    /// suffice.
    case interrupted(WireError)
    /// This error is the result, whatever the models have answered.
    case failed(WireError)
    /// Another request with the same idempotency key has this result.
    case known(ResultDocument)
    /// The journal has stored the job with the result of an earlier job with the same idempotency key.
    case stored(ResultDocument)
    /// The journal has not stored the job and will not.
    case rejected(WireError)
}

/// The end of a request: its causes, and who gets the result.
extension RouterCore {
    /// Ends the waits and budgets that are over.
    mutating func endOverdue(_ now: Instant) {
        while let next = deadlines.min, next.instant <= now {
            deadlines.removeMin()
            guard requests.contains(next.serial) else { continue }
            endWait(next.serial, now)
            guard requests.contains(next.serial), requests[next.serial].deadline <= now else { continue }
            statistics.countOverBudget()
            let budget = requests[next.serial].header.budgetMilliseconds
            let error = WireError(.timeout, code: "budget_spent", "the budget of \(budget) ms was spent")
            end(next.serial, .interrupted(error), now)
        }
        // Entries of answered requests stay until their time. This bounds how many of them there are.
        if deadlines.count > 2 * requests.count + 1024 {
            deadlines = Heap(deadlines.unordered.filter { requests.contains($0.serial) })
        }
    }

    /// Removes silent and hung workers.
    ///
    /// Only `.deadline` leads here, which the driver reports after all messages that had arrived. After a pause of the
    /// router itself, the workers' heartbeats are still unread, and no worker may be blamed for that.
    mutating func checkWorkers(_ now: Instant) {
        guard let check = roster.nextCheck, check <= now else { return }
        let silence = configuration.heartbeat * configuration.missedHeartbeats
        let lost = roster.lost(silentFor: silence, hungFor: configuration.hangTimeout, at: now)
        for (peer, _) in lost { actions.append(.send(peer, .resync)) }
        lose(lost, now)
        roster.scheduleCheck(
            silentFor: silence, hungFor: configuration.hangTimeout, within: configuration.heartbeat, from: now)
    }

    /// Stops admission.
    mutating func drain(_ now: Instant) {
        if !isDraining { log.note(.draining, at: now) }
        isDraining = true
        endShadows()
    }

    /// Answers every remaining job with 503. Durable jobs stay in the journal for the next run.
    mutating func abandon(_ now: Instant) {
        drain(now)
        isAbandoned = true
        let error = WireError(.unavailable, code: "draining", "the router stopped before the job was done")
        for serial in requests.serials where requests.contains(serial) { end(serial, .failed(error), now) }
        abandonJournal(now)
    }

    // MARK: Ending

    /// Fails a step. A failed locating step also fails every step that waits for its crops.
    mutating func fail(_ serial: UInt64, _ index: Int, _ error: WireError) {
        let request = requests[serial]
        request.settle(index, .failed(error))
        guard index == Request.locating else { return }
        for index in request.scoring where request.steps[index].isHeld { request.settle(index, .failed(error)) }
    }

    /// Ends the request if all of its models' steps are settled and it need not wait for evidence.
    mutating func endIfSettled(_ serial: UInt64, _ now: Instant) {
        guard requests.contains(serial) else { return }
        let request = requests[serial]
        if request.unsettled == 0 { endIfExamined(serial, now) } else { releaseOutdated(request) }
    }

    /// Ends a request. Nothing else removes requests from the table.
    ///
    /// A durable job's result goes to the journal before the client gets it. Requests that wait for it under the same
    /// idempotency key get it too.
    mutating func end(_ serial: UInt64, _ ending: Ending, _ now: Instant) {
        let request = requests.remove(serial)
        if request.shadow != nil { return endShadow(request) }
        let cut = cutForShadows(of: request)
        let freed = withdraw(request, keepingCrops: cut != nil)
        noteDrift(of: request)
        var outcome = outcome(of: request, ending, now)
        if !configuration.keepsJournal || isAbandoned { outcome.decision = nil }
        outcome.document.decision = outcome.decision?.id ?? outcome.document.decision
        if request.header.verb == .replay, let decision = outcome.decision {
            compare(decision, request, outcome.document)
        } else if let job = request.job, !isAbandoned, ending.isForJournal {
            record(job, serial, request, outcome.document, outcome.decision, now)
        } else if let decision = outcome.decision {
            decide(decision, serial, request, outcome.document, now)
        } else {
            answer(request, outcome.document, now)
            passOn(outcome.document, of: serial, request, now)
        }
        if let cut { startShadows(of: outcome.decision, request, cut, now) }
        while let next = deadlines.min, !requests.contains(next.serial) { deadlines.removeMin() }
        if requests.isEmpty { statistics.noteIdleness(at: now) }
        // Not at once: further requests may be about to end.
        dispatchDue += freed
    }

    /// Removes an ended request's steps from the queues and releases its crops.
    ///
    /// - Returns: the pools in which a worker may have been reserved for the request and may now take other jobs.
    mutating func withdraw(_ request: Request, keepingCrops: Bool = false) -> [Int] {
        let waiting = request.steps.filter(\.isWaiting)
        for step in waiting { noteStale(step) }
        // The request may have been waiting for more room than the next ones need.
        if request.steps[Request.locating].isWaiting { locatingIsDue = true }
        returnRoom(of: request)
        if let cut = request.cut, !keepingCrops { release(cut) }
        return waiting.filter(\.isSuspect).map(\.pool)
    }

    /// Returns the outcome of a request that ended like this.
    private func outcome(of request: Request, _ ending: Ending, _ now: Instant) -> Outcome {
        switch ending {
        case .settled:
            request.failUnexamined()
            return request.outcome(ensemble, policies, at: now)
        case .interrupted(let error):
            request.failUnsettled(error)
            request.failUnexamined()
            return request.outcome(ensemble, policies, at: now)
        case .failed(let error):
            request.failUnsettled(error)
            request.failUnexamined(error)
            return request.outcome(ensemble, policies, at: now, overriding: error)
        case .known(let document), .stored(let document):
            return Outcome(
                document: copy(document, for: request.header, request.principal, after: now - request.received))
        case .rejected(let error):
            return Outcome(document: ResultDocument(to: request.header, error: error))
        }
    }

    /// Ends the requests that follow this one if the result is final. Otherwise the first follower computes its own
    /// result.
    mutating func passOn(_ document: ResultDocument, of serial: UInt64, _ request: Request, _ now: Instant) {
        guard let key = request.key, let content = request.content, idempotency.isLeader(serial, of: key) else {
            return
        }
        if document.status.isFinal {
            for follower in idempotency.store(document, for: key, content, at: now) where requests.contains(follower) {
                end(follower, .known(document), now)
            }
        } else if let heir = idempotency.promote(key, requests) {
            promoted.append(heir)
        }
    }

    /// Sends the result to the client, unless the client was acknowledged before: then only releases the image.
    mutating func answer(_ request: Request, _ document: ResultDocument, _ now: Instant) {
        request.advance(to: .ended)
        statistics.count(document.verdict)
        if request.isAcknowledged {
            statistics.finished(after: now - request.received, at: now)
            actions.append(.release(request.token))
        } else {
            statistics.answered(document.status, after: now - request.received, at: now)
            actions.append(.reply(request.token, .result(document)))
        }
    }
}

extension Ending {
    /// Whether the journal still has to store the result of a durable job.
    fileprivate var isForJournal: Bool {
        switch self {
        case .settled, .interrupted, .failed, .known: true
        case .stored, .rejected: false
        }
    }
}

extension Request {
    /// Fails every model's step that is not settled.
    fileprivate func failUnsettled(_ error: WireError) {
        for index in scoring where !steps[index].isSettled { settle(index, .failed(error)) }
    }
}

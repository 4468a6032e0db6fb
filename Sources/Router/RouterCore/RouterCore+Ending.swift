internal import BifronsWire
internal import HeapModule

/// The ends of jobs: time that is up, results, and who gets them.
extension RouterCore {
    mutating func endOverdue(_ now: Instant) {
        while let next = deadlines.min, next.instant <= now {
            deadlines.removeMin()
            guard ledger.contains(next.serial) else { continue }
            endWait(next.serial, now)
            guard ledger.contains(next.serial), ledger[next.serial].deadline <= now else { continue }
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
    mutating func checkWorkers(_ now: Instant) {
        guard let check = roster.nextCheck, check <= now else { return }
        let silence = configuration.heartbeat * configuration.missedHeartbeats
        let lost = roster.lost(silentFor: silence, hungFor: configuration.hangTimeout, at: now)
        for (peer, _) in lost { actions.append(.send(peer, .resync)) }
        lose(lost, now)
        roster.scheduleCheck(
            silentFor: silence, hungFor: configuration.hangTimeout, within: configuration.heartbeat, from: now)
    }

    mutating func abandon(_ now: Instant) {
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

    /// A step has failed, and with the locating one all that wait for its crops.
    mutating func settle(_ serial: UInt64, _ index: Int, _ error: WireError) {
        let request = ledger[serial]
        request.settle(index, .failed(error))
        guard index == Request.locating else { return }
        for index in request.scoring where request.steps[index].isHeld { request.settle(index, .failed(error)) }
    }

    mutating func endIfSettled(_ serial: UInt64, _ now: Instant) {
        guard ledger.contains(serial) else { return }
        let request = ledger[serial]
        if request.unsettled == 0 { finish(serial, now) } else { releaseOutdated(request) }
    }

    /// Ends a request whose models have not all answered: what is missing is missing for this reason.
    ///
    /// - Parameter overriding: whether the reason is the answer even if some models gave a score.
    mutating func end(_ serial: UInt64, with error: WireError, overriding: Bool = false, _ now: Instant) {
        let request = ledger[serial]
        // A worker that was kept free for the job may take others.
        let freed = request.steps.filter { $0.isWaiting && $0.isSuspect }.map(\.pool)
        for index in request.scoring where !request.steps[index].isSettled {
            if request.steps[index].isWaiting { noteStale(request.steps[index]) }
            request.settle(index, .failed(error))
        }
        finish(serial, overriding: overriding ? error : nil, now)
        for pool in freed { dispatch(pool, now) }
    }

    mutating func finish(_ serial: UInt64, overriding error: WireError? = nil, _ now: Instant) {
        let request = ledger.remove(serial)
        if request.steps[Request.locating].isWaiting {
            noteStale(request.steps[Request.locating])
            // It may have been the one that waited for more room than others need.
            locatingIsDue = true
        }
        returnRoom(of: request)
        if let cut = request.cut { release(cut) }
        let document = request.result(ensemble, at: now, overriding: error)
        conclude(request, document, now)
        if let key = request.key, let content = request.content, idempotency.isLeader(serial, of: key) {
            if document.status.isFinal {
                let followers = idempotency.store(document, for: key, content, at: now)
                for follower in followers where ledger.contains(follower) {
                    let request = ledger.remove(follower)
                    conclude(request, copy(document, for: request.header, after: now - request.received), now)
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

internal import BifronsWire
internal import Decisions
internal import HeapModule

/// Evidence about an image besides the models' scores. It stays outside of the merge: a request never fails for lack of
/// it, and waits for it at most `evidenceWait` once its models are settled.
extension RouterCore {
    /// Enqueues the steps of evidence of a request that starts. Those without a worker fail at once.
    mutating func examine(_ serial: UInt64, _ now: Instant) {
        let request = requests[serial]
        for index in request.examining {
            let pool = request.steps[index].pool
            if roster.hasWorker(of: pool) {
                enqueue(serial, index)
                dispatch(pool, now)
            } else {
                fail(serial, index, noWorker(for: [pool]))
            }
        }
    }

    /// Ends a request whose models are settled if its evidence is settled, too, or its share of time is over. Otherwise
    /// the request waits. A request for evidence alone waits for its whole budget.
    mutating func endIfExamined(_ serial: UInt64, _ now: Instant) {
        let request = requests[serial]
        let share = request.scoring.isEmpty ? request.deadline : min(now + configuration.evidenceWait, request.deadline)
        let end = request.evidenceBy ?? share
        guard request.unexamined > 0, now < end else { return self.end(serial, .settled, now) }
        guard request.evidenceBy == nil else { return }
        request.evidenceBy = end
        deadlines.insert(Deadline(instant: end, serial: serial))
        withdrawCutting(request)
    }

    /// Frees what only the models' steps needed: the crops, and a locating step that is not settled.
    private mutating func withdrawCutting(_ request: Request) {
        let step = request.steps[Request.locating]
        if step.isWaiting { noteStale(step) }
        if !step.isSettled {
            returnRoom(of: request)
            request.settle(Request.locating, .cut)
            locatingIsDue = true
        }
        if let cut = request.cut, cut.isKept {
            requests.forgetCut(of: request)
            release(cut)
        }
    }

    /// Processes a worker's evidence.
    mutating func receive(_ evidence: WorkerMessage.Evidence, _ slot: Roster.Slot, _ now: Instant) {
        let computing = Duration.microseconds(Int64(evidence.timings.computeMicroseconds))
        guard let job = take(evidence.job, epoch: evidence.epoch, from: slot, computing: computing, now) else { return }
        let request = requests[job.serial]
        guard request.examining.contains(job.step),
            evidence.report.kind == ensemble.evidence(of: request.steps[job.step].pool)
        else { return retry(job, answerMalformed(slot), slot, now) }
        noteComputed(slot, evidence.timings, after: now - request.received)
        request.settle(job.step, .examined(evidence.report))
        endIfSettled(job.serial, now)
        dispatch(roster[slot].pool, now)
    }

    /// Fails a step of evidence with which two workers died. Unlike a job's own quarantine, it does not wait for the
    /// workers to come back: the request would be answered by then.
    mutating func quarantineEvidence(_ serial: UInt64, _ index: Int, _ now: Instant) {
        let step = requests[serial].steps[index]
        statistics.counters.quarantined += 1
        log.note(.quarantined, ensemble.pools[step.pool], at: now)
        let message =
            "\(step.deaths.count) workers of \(ensemble.pools[step.pool]) died with this image in their hands; "
            + "it is not tried again"
        fail(serial, index, WireError(.unprocessable, code: "quarantined", message))
    }
}

extension Request {
    /// Returns the evidence of a request that has ended.
    func evidence(_ ensemble: Ensemble) -> [ResultDocument.Evidence] {
        steps[examining].map { step in
            switch step.state {
            case .examined(let report): ResultDocument.Evidence(report)
            case .failed(let error): ResultDocument.Evidence(ensemble.evidence(of: step.pool), failed: error)
            case .held, .waiting, .running, .confirming, .cut, .scored:
                preconditionFailure("a request ended with an unsettled step")
            }
        }
    }

    /// Fails every step of evidence that is not settled.
    ///
    /// - Parameter error: the reason; nil if the evidence is only late.
    func failUnexamined(_ error: WireError? = nil) {
        let late = WireError(
            .timeout, code: "evidence_late", "the verdict did not wait any longer for this evidence")
        for index in examining where !steps[index].isSettled { settle(index, .failed(error ?? late)) }
    }
}

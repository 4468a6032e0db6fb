internal import BifronsWire
internal import Decisions
internal import HeapModule

/// The messages of workers, and what happens to the jobs of lost workers.
extension RouterCore {
    /// Processes a worker's message.
    mutating func receive(_ message: WorkerMessage, from peer: Peer, _ now: Instant) {
        if case .hello(let hello) = message { return register(hello, peer, now) }
        guard let slot = known(peer, saying: message, now) else { return }
        switch message {
        case .hello: break
        // CROPS with frames come as an event of their own.
        case .crops: statistics.counters.malformedMessages += 1
        case .score(let score): receive(score, slot, now)
        case .evidence(let evidence): receive(evidence, slot, now)
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
            dispatch(roster[slot].pool, now)
        case .drain(let epoch):
            guard epoch == roster[slot].epoch else { return }
            roster.drain(slot)
            locatingIsDue = true
            dispatch(roster[slot].pool, now)
        case .bye(let epoch):
            guard epoch == roster[slot].epoch else { return }
            log.note(.workerLeft, roster[slot].identity.name, at: now)
            remove(peer, now)
        }
    }

    /// Records the timings of a worker's good answer.
    ///
    /// - Parameter latency: the time from when the step could have begun to the answer.
    mutating func noteComputed(_ slot: Roster.Slot, _ timings: WorkerMessage.Timings, after latency: Duration) {
        roster[slot].scored += 1
        roster[slot].compute.record(Double(timings.computeMicroseconds) / 1000)
        roster.pools[roster[slot].pool].record(timings, after: latency)
    }

    /// Returns the slot of a worker and notes that it was heard of. Asks an unknown peer to register again and returns
    /// nil.
    mutating func known(_ peer: Peer, saying message: WorkerMessage? = nil, _ now: Instant) -> Roster.Slot? {
        guard let slot = roster.slot(of: peer) else {
            statistics.counters.strangers += 1
            if case .bye? = message { return nil }
            actions.append(.send(peer, .resync))
            return nil
        }
        // Retries and suspects wait for a worker that is heard of.
        if roster[slot].lastHeard < heardLately(now) { dispatchDue.append(roster[slot].pool) }
        roster[slot].lastHeard = now
        return slot
    }

    private mutating func receive(_ score: WorkerMessage.Score, _ slot: Roster.Slot, _ now: Instant) {
        let computing = Duration.microseconds(Int64(score.timings.computeMicroseconds))
        guard let job = take(score.job, epoch: score.epoch, from: slot, computing: computing, now) else { return }
        let request = requests[job.serial]
        guard let (cut, frame) = request.steps[job.step].given,
            score.crops.count == cut.crops.sets[frame].squares.count
        else { return retry(job, answerMalformed(slot), slot, now) }
        noteComputed(slot, score.timings, after: now - cut.at)
        request.settle(job.step, .scored(score, cut, frame: frame, worker: roster[slot].identity, at: now))
        endIfSettled(job.serial, now)
        dispatch(roster[slot].pool, now)
    }

    /// Registers a worker, or refuses it with BYE.
    mutating func register(_ hello: WorkerMessage.Hello, _ peer: Peer, _ now: Instant) {
        // A second HELLO, on the same or a new connection: the worker gave up the router and has dropped its jobs.
        remove(peer, now)
        if let earlier = roster.peer(ofLife: hello.bootID) { remove(earlier, now) }
        acquit(jobsOf: hello.bootID, now)
        let pool: Int
        switch self.pool(for: hello) {
        case .success(let known): pool = known
        case .failure(let refusal):
            return actions.append(.send(peer, .bye(reason: refusal.reason, isFinal: refusal.isFinal)))
        }
        if isDrained {
            actions.append(.send(peer, .bye(reason: "the router is stopping", isFinal: false)))
            return
        }
        let isFirst = ensemble.models.indices.contains(pool) && roster.pools[pool].specifications.isEmpty
        let epoch = roster.add(hello, peer: peer, pool: pool, at: now, checkEvery: configuration.heartbeat)
        log.note(.workerJoined, hello.worker, at: now)
        actions.append(
            .send(
                peer,
                .welcome(
                    epoch: epoch, heartbeatMilliseconds: UInt32(clamping: Int(configuration.heartbeat.milliseconds)))
            ))
        if isFirst { locateHeld(now) }
        // A new or leaving worker may change which crops are cut, and for which jobs there is room.
        locatingIsDue = true
        dispatch(pool, now)
    }

    /// The reason why a worker is refused.
    private struct Refusal: Error {
        var reason: String
        var isFinal = false
    }

    /// The pool that a new worker belongs to.
    private func pool(for hello: WorkerMessage.Hello) -> Result<Int, Refusal> {
        let specification: CropSpecification
        switch hello.role {
        case .locator: return .success(ensemble.locator)
        case .evidence: return examiners(of: hello.model)
        case .network(let wanted): specification = wanted
        }
        let shadow = ensemble.shadowPools.first { ensemble.pools[$0] == hello.model }
        guard let model = ensemble.models.firstIndex(of: hello.model) ?? shadow else {
            let known = (ensemble.models + ensemble.shadows.map(\.model)).joined(separator: ", ")
            return .failure(Refusal(reason: "the ensemble does not name the model '\(hello.model)'; it names \(known)"))
        }
        guard specification.mostBytes <= Limits.cropSetBytes else {
            let reason =
                "the model '\(hello.model)' scores crops of \(specification.width) × \(specification.height) pixels, of "
                + "which those of one image may take \(specification.mostBytes) bytes, more than "
                + "\(Limits.cropSetBytes); give it a smaller input"
            return .failure(Refusal(reason: reason, isFinal: true))
        }
        return .success(model)
    }

    /// The pool of the workers for one kind of evidence.
    private func examiners(of kind: String) -> Result<Int, Refusal> {
        if let pool = ensemble.examiners.first(where: { ensemble.pools[$0] == kind }) { return .success(pool) }
        let known = ensemble.evidence.map(\.rawValue).joined(separator: ", ")
        let named = known.isEmpty ? "none" : known
        return .failure(Refusal(reason: "the ensemble does not name the evidence '\(kind)'; it names \(named)"))
    }

    /// Removes the answered job from the worker's jobs in flight and returns it. Returns nil if the answer is dropped,
    /// because it is unknown or nothing waits for it any more.
    mutating func take(
        _ rawJob: UInt64, epoch: UInt64, from slot: Roster.Slot, computing: Duration? = nil, _ now: Instant
    ) -> JobID? {
        let job = JobID(rawValue: rawJob)
        guard epoch == roster[slot].epoch, roster.release(job, from: slot, at: now) else {
            statistics.counters.unknown += 1
            return nil
        }
        let pool = roster[slot].pool
        roster.pools[pool].noteAnswer(computing: computing, at: now)
        guard isAwaited(job) else {
            statistics.counters.late += 1
            dispatch(pool, now)
            return nil
        }
        return job
    }

    /// Whether a worker's answer to a job that it has in flight is still of use.
    private func isAwaited(_ job: JobID) -> Bool {
        requests.contains(job.serial) && requests[job.serial].steps[job.step].isRunning
    }

    /// Processes a worker's failure of a job.
    mutating func fail(_ failure: WorkerMessage.Failure, _ slot: Roster.Slot, _ now: Instant) {
        guard let job = take(failure.job, epoch: failure.epoch, from: slot, now) else { return }
        retry(job, failure.error, slot, now)
    }

    /// Retries a step at which a worker failed if another worker may succeed; otherwise the step fails.
    mutating func retry(_ job: JobID, _ error: WireError, _ slot: Roster.Slot, _ now: Instant) {
        roster[slot].failed += 1
        let request = requests[job.serial]
        if job.step == Request.locating { returnRoom(of: request) }
        let step = request.steps[job.step]
        var error = error
        // Clients are promised only the statuses of the protocol's table.
        if error.status != .timeout, !error.status.isFinal || error.status.isSuccess { error.status = .unavailable }
        if error.status == .unavailable, step.attempts < Step.maxAttempts {
            statistics.counters.redispatched += 1
            request.steps[job.step].avoids = roster[slot].peer
            enqueue(job.serial, job.step)
        } else {
            fail(job.serial, job.step, error)
            endIfSettled(job.serial, now)
        }
        dispatch(roster[slot].pool, now)
    }

    /// Removes lost workers from the roster. All are removed before any of their jobs is dispatched again, so that none
    /// goes to another lost worker.
    mutating func lose(_ lost: [(peer: Peer, loss: Loss)], _ now: Instant) {
        let gone = lost.compactMap { entry in roster.remove(entry.peer).map { (worker: $0, loss: entry.loss) } }
        if !gone.isEmpty { locatingIsDue = true }
        statistics.counters.workersLost += gone.count
        for (worker, _) in gone { log.note(.workerLost, worker.identity.name, at: now) }
        for (worker, loss) in gone { takeBack(from: worker, loss, now) }
        // Jobs may have avoided a lost worker while it was registered.
        for pool in Set(gone.map(\.worker.pool)).sorted() { dispatch(pool, now) }
    }

    /// Removes a worker that has left or has dropped its jobs.
    mutating func remove(_ peer: Peer, _ now: Instant) {
        guard let worker = roster.remove(peer) else { return }
        locatingIsDue = true
        takeBack(from: worker, nil, now)
        dispatch(worker.pool, now)
    }

    /// Enqueues the jobs that a removed worker had in flight for another worker, or ends them if they have no attempt
    /// left.
    private mutating func takeBack(from worker: Worker, _ loss: Loss?, _ now: Instant) {
        for job in worker.inFlight.sorted() where isAwaited(job) {
            let request = requests[job.serial]
            if job.step == Request.locating { returnRoom(of: request) }
            if let loss { request.steps[job.step].losses.append(loss) }
            if loss == .connectionEnded { request.steps[job.step].deaths.append(worker.bootID) }
            let step = request.steps[job.step]
            if step.attempts < Step.maxAttempts {
                statistics.counters.redispatched += 1
                let end = step.deaths.isEmpty ? min(now + configuration.rejoinWait, request.deadline) : nil
                request.steps[job.step].workerBy = end
                if let end { deadlines.insert(Deadline(instant: end, serial: job.serial)) }
                enqueue(job.serial, job.step)
            } else if step.deaths.count >= Step.maxAttempts, request.examining.contains(job.step) {
                quarantineEvidence(job.serial, job.step, now)
                endIfSettled(job.serial, now)
            } else if step.deaths.count >= Step.maxAttempts,
                request.deadline >= now + configuration.deathConfirmation
            {
                let end = now + configuration.deathConfirmation
                request.steps[job.step].state = .confirming(until: end)
                deadlines.insert(Deadline(instant: end, serial: job.serial))
            } else {
                fail(job.serial, job.step, workerLost(step))
                endIfSettled(job.serial, now)
            }
        }
    }

    /// Returns the error of a step whose workers were all lost.
    func workerLost(_ step: Step) -> WireError {
        let losses = step.losses.isEmpty ? "" : " (\(step.losses.map(\.rawValue).joined(separator: ", ")))"
        let workers = step.attempts == 1 ? "a worker" : "\(step.attempts) workers"
        return WireError(
            .unavailable, code: "worker_lost",
            "the job was lost by \(workers) of \(ensemble.pools[step.pool])\(losses); send it again")
    }

    /// Clears the steps that are blamed for a worker's death: the worker has come back, so no job killed it.
    private mutating func acquit(jobsOf bootID: UInt64, _ now: Instant) {
        for serial in requests.serials where requests.contains(serial) {
            let request = requests[serial]
            for index in request.steps.indices where request.steps[index].deaths.contains(bootID) {
                request.steps[index].deaths.removeAll { $0 == bootID }
                if case .confirming = request.steps[index].state {
                    fail(serial, index, workerLost(request.steps[index]))
                }
            }
            endIfSettled(serial, now)
        }
    }

    /// Ends the request of a step with which two workers died.
    mutating func quarantine(_ serial: UInt64, _ index: Int, _ now: Instant) {
        let step = requests[serial].steps[index]
        statistics.counters.quarantined += 1
        let name = ensemble.pools[step.pool]
        log.note(.quarantined, name, at: now)
        let what = index == Request.locating ? "this image" : "this image's crops"
        let message = "\(step.deaths.count) workers of \(name) died with \(what) in their hands; it is not tried again"
        end(serial, .failed(WireError(.unprocessable, code: "quarantined", message)), now)
    }
}

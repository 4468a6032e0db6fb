internal import Wire

/// What workers say, and what becomes of the jobs of those that are gone.
extension RouterCore {
    mutating func receive(_ message: WorkerMessage, from peer: Peer, _ now: Instant) {
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

    mutating func register(_ hello: WorkerMessage.Hello, _ peer: Peer, _ now: Instant) {
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
    mutating func take(
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

    mutating func fail(_ failure: WorkerMessage.Failure, _ slot: Roster.Slot, _ now: Instant) {
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
    mutating func lose(_ peer: Peer, _ now: Instant) {
        guard roster.slot(of: peer) != nil else { return }
        statistics.counters.workersLost += 1
        remove(peer, died: true, now)
    }

    mutating func remove(_ peer: Peer, died: Bool, _ now: Instant) {
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
}

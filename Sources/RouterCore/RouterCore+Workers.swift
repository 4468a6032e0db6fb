internal import HeapModule
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
        let wasSilent = roster[slot].lastHeard < heardLately(now)
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
            // Second tries wait for a worker that is heard of.
            if wasSilent { dispatch(roster[slot].model, now) }
        case .credit(let epoch, let jobs):
            guard epoch == roster[slot].epoch else { return }
            roster[slot].credit = Roster.credit(jobs)
            dispatch(roster[slot].model, now)
        case .drain(let epoch):
            guard epoch == roster[slot].epoch else { return }
            roster.drain(slot)
            dispatch(roster[slot].model, now)
        case .bye(let epoch):
            if epoch == roster[slot].epoch { remove(peer, now) }
        }
    }

    mutating func register(_ hello: WorkerMessage.Hello, _ peer: Peer, _ now: Instant) {
        // A second HELLO, on its connection or on a new one: the worker took us for gone and has forgotten its jobs.
        remove(peer, now)
        if let earlier = roster.peer(ofLife: hello.bootID) { remove(earlier, now) }
        acquit(jobsOf: hello.bootID, now)
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
            enqueue(job.serial, job.task)
        } else {
            settle(job.serial, job.task, error)
            endIfSettled(job.serial, now)
        }
        dispatch(roster[slot].model, now)
    }

    /// Takes lost workers out of the roster, all of them before the jobs of any are handed on: these must not go to a worker
    /// that is lost too.
    mutating func lose(_ lost: [(peer: Peer, loss: Loss)], _ now: Instant) {
        let gone = lost.compactMap { entry in roster.remove(entry.peer).map { (worker: $0, loss: entry.loss) } }
        statistics.counters.workersLost += gone.count
        for (worker, loss) in gone { takeBack(from: worker, loss, now) }
        // Also jobs that avoided a lost worker as long as it was there.
        for model in Set(gone.map(\.worker.model)).sorted() { dispatch(model, now) }
    }

    /// The worker has left, or forgot its jobs.
    mutating func remove(_ peer: Peer, _ now: Instant) {
        guard let worker = roster.remove(peer) else { return }
        takeBack(from: worker, nil, now)
        dispatch(worker.model, now)
    }

    /// Jobs that were in a worker's hands wait for another one, or end if that was their last.
    private mutating func takeBack(from worker: Worker, _ loss: Loss?, _ now: Instant) {
        for job in worker.inFlight.sorted() where ledger.contains(job.serial) {
            let request = ledger[job.serial]
            if let loss { request.tasks[job.task].losses.append(loss) }
            if loss == .connectionEnded { request.tasks[job.task].deaths.append(worker.bootID) }
            let task = request.tasks[job.task]
            if task.attempts < Limits.executionsPerModel {
                statistics.counters.redispatched += 1
                let end = task.deaths.isEmpty ? min(now + configuration.rejoinWait, request.deadline) : nil
                request.tasks[job.task].workerBy = end
                if let end { deadlines.insert(Deadline(instant: end, serial: job.serial)) }
                enqueue(job.serial, job.task)
            } else if task.deaths.count >= Limits.executionsPerModel,
                request.deadline >= now + configuration.deathConfirmation.lowerBound
            {
                let end = min(now + configuration.deathConfirmation.upperBound, request.deadline)
                request.tasks[job.task].state = .confirming(until: end)
                deadlines.insert(Deadline(instant: end, serial: job.serial))
            } else {
                settle(job.serial, job.task, workerLost(task))
                endIfSettled(job.serial, now)
            }
        }
    }

    func workerLost(_ task: Task) -> WireError {
        let losses = task.losses.isEmpty ? "" : " (\(task.losses.map(\.rawValue).joined(separator: ", ")))"
        let workers = task.attempts == 1 ? "a worker" : "\(task.attempts) workers"
        return WireError(
            .unavailable, code: "worker_lost",
            "the job was lost by \(workers) of \(ensemble.models[task.model])\(losses); send it again")
    }

    /// A worker that was taken for dead has come back: no job killed it.
    private mutating func acquit(jobsOf bootID: UInt64, _ now: Instant) {
        for serial in ledger.serials where ledger.contains(serial) {
            let request = ledger[serial]
            for index in request.tasks.indices where request.tasks[index].deaths.contains(bootID) {
                request.tasks[index].deaths.removeAll { $0 == bootID }
                if case .confirming = request.tasks[index].state {
                    settle(serial, index, workerLost(request.tasks[index]))
                }
            }
            endIfSettled(serial, now)
        }
    }

    /// The request of a job with which two workers died ends.
    mutating func quarantine(_ serial: UInt64, _ index: Int, _ now: Instant) {
        let task = ledger[serial].tasks[index]
        statistics.counters.quarantined += 1
        let name = ensemble.models[task.model]
        end(
            serial,
            with: WireError(
                .unprocessable, code: "quarantined",
                "\(task.deaths.count) workers of \(name) died with this job in their hands; it is not tried again"),
            overriding: true, now)
    }
}

internal import HeapModule
internal import Wire

/// From a job in the ledger to a worker that computes it.
extension RouterCore {
    /// Queues the request for each of its models. One that has no worker fails when the wait for its first one is over: at
    /// once, unless the configuration says otherwise, instead of holding up the others.
    mutating func start(_ serial: UInt64, _ now: Instant) {
        let request = ledger[serial]
        // A durable job may have been acknowledged: it is not to fail because all workers have left since it came in.
        let isPatient =
            request.isRecovered
            || (request.isJournalled && !request.tasks.contains { roster.hasWorker(of: $0.model) })
        let waitEnds = isPatient ? request.deadline : request.received + configuration.workerWait
        for index in request.tasks.indices {
            let model = request.tasks[index].model
            if roster.hasWorker(of: model) {
                enqueue(serial, index, now)
            } else if waitEnds > now {
                request.tasks[index].firstWorkerBy = waitEnds
                enqueue(serial, index, now)
            } else {
                settle(serial, index, noWorker(for: model))
            }
        }
        if waitEnds < request.deadline, request.tasks.contains(where: { $0.firstWorkerBy != nil }) {
            deadlines.insert(Deadline(instant: waitEnds, serial: serial))
        }
        endIfSettled(serial, now)
    }

    /// The wait for a first worker is over: models that still have none fail.
    mutating func endWait(_ serial: UInt64, _ now: Instant) {
        for (index, task) in ledger[serial].tasks.enumerated() {
            guard case .waiting = task.state, let end = task.firstWorkerBy, end <= now,
                !roster.hasWorker(of: task.model)
            else { continue }
            waiting[task.model].noteStale()
            settle(serial, index, noWorker(for: task.model))
        }
        endIfSettled(serial, now)
    }

    func noWorker(for model: Int) -> WireError {
        WireError(.unavailable, code: "no_worker", "no worker serves \(ensemble.models[model])")
    }

    mutating func enqueue(_ serial: UInt64, _ index: Int, _ now: Instant) {
        let request = ledger[serial]
        let model = request.tasks[index].model
        request.tasks[index].state = .waiting
        // A virtual time: the moment of receipt, later for each step of lower priority. Ordering by it needs no ageing.
        let steps = Int64(Limits.priorities.upperBound - request.header.priority)
        let turn = request.received.nanoseconds + steps * configuration.priorityStep.nanoseconds
        waiting[model].add(WaitingQueue.Entry(turn: turn, job: JobID(serial: serial, task: index)), ledger)
        dispatch(model, now)
    }

    /// Hands waiting jobs of a model to its workers, as long as one has credit.
    mutating func dispatch(_ model: Int, _ now: Instant) {
        var passedOver: [WaitingQueue.Entry] = []
        // A heart beats late now and then.
        let lately = now - configuration.heartbeat * 1.5
        while !waiting[model].isEmpty, let free = roster.leastLoaded(of: model, heardSince: lately),
            let entry = waiting[model].next(ledger)
        {
            let task = ledger[entry.job.serial].tasks[entry.job.task]
            if task.attempts == 0 {
                hand(entry.job, to: free, now)
            } else if let other = roster.leastLoaded(of: model, heardSince: lately, avoiding: task.avoids) {
                hand(entry.job, to: other, now)
            } else {
                passedOver.append(entry)
            }
        }
        for entry in passedOver { waiting[model].add(entry, ledger) }
        drainRates[model].note(
            isBacklogged: roster.load(of: model).isBacklogged(waiting: waiting[model].count), at: now)
    }

    mutating func hand(_ job: JobID, to slot: Roster.Slot, _ now: Instant) {
        let request = ledger[job.serial]
        request.tasks[job.task].attempts += 1
        request.tasks[job.task].state = .running
        roster.assign(job, to: slot, at: now)
        let message = RouterMessage.Job(
            job: job.rawValue, attempt: UInt8(clamping: request.tasks[job.task].attempts),
            remainingMilliseconds: UInt32(clamping: (request.deadline - now).nanoseconds / 1_000_000))
        actions.append(.dispatch(roster[slot].peer, message, image: request.token))
    }
}

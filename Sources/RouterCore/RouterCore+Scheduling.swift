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
            let isServed = roster.hasWorker(of: model)
            guard isServed || waitEnds > now else {
                settle(serial, index, noWorker(for: model))
                continue
            }
            if !isServed { request.tasks[index].workerBy = waitEnds }
            enqueue(serial, index)
            dispatch(model, now)
        }
        if waitEnds < request.deadline, request.tasks.contains(where: { $0.workerBy != nil }) {
            deadlines.insert(Deadline(instant: waitEnds, serial: serial))
        }
        endIfSettled(serial, now)
    }

    /// A wait of the request is over: models without a worker fail, and a job that was suspected is judged.
    mutating func endWait(_ serial: UInt64, _ now: Instant) {
        let request = ledger[serial]
        for (index, task) in request.tasks.enumerated() {
            switch task.state {
            case .waiting:
                // What no worker has had yet ends with its budget like any other.
                guard let end = task.workerBy, end <= now, task.attempts > 0 || now < request.deadline,
                    !mayBeServed(task, now)
                else { continue }
                noteStale(task)
                settle(serial, index, task.attempts > 0 ? workerLost(task) : noWorker(for: task.model))
            case .confirming(let end) where end <= now: return quarantine(serial, index, now)
            default: continue
            }
        }
        endIfSettled(serial, now)
    }

    /// Whether there is a worker that will take the waiting job.
    private func mayBeServed(_ task: Task, _ now: Instant) -> Bool {
        task.attempts > 0
            ? roster.hasWorker(of: task.model, heardSince: heardLately(now)) : roster.hasWorker(of: task.model)
    }

    func noWorker(for model: Int) -> WireError {
        WireError(.unavailable, code: "no_worker", "no worker serves \(ensemble.models[model])")
    }

    mutating func enqueue(_ serial: UInt64, _ index: Int) {
        let request = ledger[serial]
        request.tasks[index].state = .waiting
        let task = request.tasks[index]
        // A virtual time: the moment of receipt, later for each step of lower priority. Ordering by it needs no ageing.
        let steps = Int64(Limits.priorities.upperBound - request.header.priority)
        let turn = request.received.nanoseconds + steps * configuration.priorityStep.nanoseconds
        let entry = WaitingQueue.Entry(turn: turn, job: JobID(serial: serial, task: index))
        if task.isSuspect {
            suspects[task.model].add(entry, ledger)
        } else {
            waiting[task.model].add(entry, ledger)
        }
    }

    /// A waiting job has ended without being handed out.
    mutating func noteStale(_ task: Task) {
        if task.isSuspect {
            suspects[task.model].noteStale()
        } else {
            waiting[task.model].noteStale()
        }
    }

    func waitingCount(of model: Int) -> Int {
        waiting[model].count + suspects[model].count
    }

    /// Workers that were heard of since then are not silent: a heartbeat may be late by half of its interval.
    func heardLately(_ now: Instant) -> Instant {
        now - configuration.heartbeat * 1.5
    }

    /// Hands waiting jobs of a model to its workers, as long as one has credit.
    mutating func dispatch(_ model: Int, _ now: Instant) {
        let lately = heardLately(now)
        dispatchSuspects(model, heardSince: lately, now)
        var passedOver: [WaitingQueue.Entry] = []
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
            isBacklogged: roster.load(of: model).isBacklogged(waiting: waitingCount(of: model)), at: now)
    }

    /// A job that may have killed its worker goes to an idle one, which gets no other job until it has answered: if it dies
    /// too, there is one culprit, and nobody else was in its hands. Where no worker is idle, some are kept free for it.
    private mutating func dispatchSuspects(_ model: Int, heardSince lately: Instant, _ now: Instant) {
        guard !suspects[model].isEmpty || roster.hasReservations else { return }
        while !suspects[model].isEmpty, let idle = roster.idle(of: model, heardSince: lately),
            let entry = suspects[model].next(ledger)
        {
            roster[idle].isOnTrial = true
            hand(entry.job, to: idle, now)
        }
        roster.reserve(of: model, for: suspects[model].count, heardSince: lately)
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

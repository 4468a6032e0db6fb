internal import BifronsWire
internal import Decisions
internal import HeapModule

/// The scheduling of admitted jobs, up to their dispatch to workers.
extension RouterCore {
    /// Starts a request: enqueues its image for a locator, whose crops are scored afterwards, and for the evidence
    /// workers.
    ///
    /// The step of a model's pool without workers fails when the wait for its first worker is over. By default that is
    /// at once, so that a missing model does not hold up the others.
    mutating func start(_ serial: UInt64, _ now: Instant) {
        let request = requests[serial]
        request.advance(to: .computing)
        // A durable job may have been acknowledged. It must not fail because all workers have left since its admission.
        let isPatient = request.isRecovered || (request.isJournalled && !isServed(request))
        let waitEnds = isPatient ? request.deadline : request.received + configuration.workerWait
        let needed = (0..<request.scoring.upperBound).filter { !request.steps[$0].isSettled }
        for index in needed where !roster.hasWorker(of: request.steps[index].pool) {
            if waitEnds > now {
                request.steps[index].workerBy = waitEnds
            } else if !request.steps[index].isSettled {
                fail(serial, index, noWorker(for: [request.steps[index].pool]))
            }
        }
        if waitEnds < request.deadline, request.steps.contains(where: { $0.workerBy != nil }) {
            deadlines.insert(Deadline(instant: waitEnds, serial: serial))
        }
        locate(serial, now)
        if request.steps[Request.locating].isHeld, now < request.patience, request.patience < waitEnds {
            deadlines.insert(Deadline(instant: request.patience, serial: serial))
        }
        examine(serial, now)
        endIfSettled(serial, now)
    }

    /// Whether workers for both stages are registered: a locator, and a network of at least one of the request's
    /// models.
    private func isServed(_ request: Request) -> Bool {
        roster.hasWorker(of: ensemble.locator)
            && request.scoring.contains { roster.hasWorker(of: request.steps[$0].pool) }
    }

    /// Ends the waits of the request that are over: steps whose pool has no worker fail, and a confirmed suspect is
    /// quarantined.
    mutating func endWait(_ serial: UInt64, _ now: Instant) {
        let request = requests[serial]
        for index in request.steps.indices {
            // A failure of the locating step may have changed the state of later steps.
            let step = request.steps[index]
            switch step.state {
            case .held, .waiting:
                // A step without an attempt ends with its budget like any other.
                guard let end = step.workerBy, end <= now, step.attempts > 0 || now < request.deadline,
                    !mayBeServed(step, now)
                else { continue }
                if step.isWaiting { noteStale(step) }
                fail(serial, index, step.attempts > 0 ? workerLost(step) : noWorker(for: [step.pool]))
            case .confirming(let end) where end <= now: return quarantine(serial, index, now)
            default: continue
            }
        }
        // The models that have failed may be those whose specifications were unknown, so the image may be cut now.
        locate(serial, now)
        endIfSettled(serial, now)
    }

    /// Whether a worker is registered that will take the waiting step.
    private func mayBeServed(_ step: Step, _ now: Instant) -> Bool {
        step.attempts > 0
            ? roster.hasWorker(of: step.pool, heardSince: heardLately(now)) : roster.hasWorker(of: step.pool)
    }

    /// Returns the error of a step whose pool has no worker.
    func noWorker(for pools: [Int]) -> WireError {
        let names = pools.map { ensemble.pools[$0] }.joined(separator: ", ")
        return WireError(.unavailable, code: "no_worker", "no worker serves \(names)")
    }

    /// Adds a step to its pool's waiting queue.
    mutating func enqueue(_ serial: UInt64, _ index: Int) {
        let request = requests[serial]
        request.steps[index].state = .waiting
        let step = request.steps[index]
        // The turn is a virtual time: the moment of receipt, later for each step of lower priority. So it needs no
        // ageing.
        let steps = Int64(Limits.priorities.upperBound - request.header.priority)
        let turn = request.received.nanoseconds + steps * configuration.priorityStep.nanoseconds
        let entry = WaitingQueue.Entry(turn: turn, job: JobID(serial: serial, step: index))
        roster.pools[step.pool].enqueue(entry, isSuspect: step.isSuspect, requests)
    }

    /// Notes that a waiting step has ended without a dispatch.
    mutating func noteStale(_ step: Step) {
        roster.pools[step.pool].noteStale(isSuspect: step.isSuspect)
    }

    /// Returns the time since which a worker must have been heard of not to count as silent: one and a half heartbeat
    /// intervals ago, since a heartbeat may be late by half of its interval.
    func heardLately(_ now: Instant) -> Instant {
        now - configuration.heartbeat * 1.5
    }

    // MARK: Dispatching

    /// The most steps that one dispatch skips because no worker with free credit is fit for them.
    private static let mostPassedOver = 64

    /// Dispatches waiting steps of a pool to its workers while one has free credit.
    mutating func dispatch(_ pool: Int, _ now: Instant) {
        let lately = heardLately(now)
        if dispatchSuspects(pool, heardSince: lately, now) {
            var passedOver: [WaitingQueue.Entry] = []
            while !roster.pools[pool].queue.isEmpty, passedOver.count < Self.mostPassedOver,
                let free = roster.leastLoaded(of: pool, heardSince: lately),
                let entry = roster.pools[pool].queue.next(requests)
            {
                guard isFeasible(entry.job, now) else { continue }
                guard let slot = worker(for: entry.job, of: pool, heardSince: lately, free: free) else {
                    passedOver.append(entry)
                    continue
                }
                guard hand(entry.job, to: slot, now) else {
                    passedOver.append(entry)
                    break
                }
            }
            for entry in passedOver { roster.pools[pool].queue.add(entry, requests) }
        }
        roster.pools[pool].noteBacklog(at: now)
    }

    /// Dispatches each suspect, a step that may have killed a worker, to an idle worker that gets no other job until it
    /// has answered. If that worker dies too, the culprit is known and no other job is lost with it. Without an idle
    /// worker, some workers are reserved.
    ///
    /// - Returns: false if there is no room for a suspect's crops. Other steps must then not take the room that becomes
    ///   free.
    private mutating func dispatchSuspects(_ pool: Int, heardSince lately: Instant, _ now: Instant) -> Bool {
        guard !roster.pools[pool].suspects.isEmpty || roster.hasReservations else { return true }
        var passedOver: [WaitingQueue.Entry] = []
        var unmet: [Fitness] = []
        var hasRoom = true
        search: while hasRoom, passedOver.count < Self.mostPassedOver, roster.hasWorker(of: pool),
            let entry = roster.pools[pool].suspects.next(requests)
        {
            guard isFeasible(entry.job, now) else { continue }
            let fit = fitness(for: entry.job)
            if let idle = roster.idle(of: pool, heardSince: lately, fit: fit) {
                hasRoom = hand(entry.job, to: idle, now)
                if hasRoom {
                    roster[idle].isOnTrial = true
                    continue
                }
            }
            passedOver.append(entry)
            unmet.append(fit)
            // Where all workers are fit, a suspect without a worker leaves none to the other suspects.
            if case .all = fit { break search }
        }
        for entry in passedOver { roster.pools[pool].suspects.add(entry, requests) }
        roster.reserve(of: pool, for: roster.pools[pool].suspects.count, fit: unmet, heardSince: lately)
        return hasRoom
    }

    /// Returns the worker with free credit for the step, or nil if none is fit now.
    ///
    /// - Parameter free: the worker that a step without special needs gets.
    private func worker(
        for job: JobID, of pool: Int, heardSince lately: Instant, free: Roster.Slot
    ) -> Roster.Slot? {
        let step = requests[job.serial].steps[job.step]
        let fit = fitness(for: job)
        if step.attempts > 0 {
            return roster.leastLoaded(of: pool, heardSince: lately, avoiding: step.avoids, fit: fit)
        }
        if case .all = fit { return free }
        return roster.leastLoaded(of: pool, heardSince: lately, fit: fit)
    }

    /// Returns which workers of its pool can do the step, which must be feasible.
    private func fitness(for job: JobID) -> Fitness {
        let request = requests[job.serial]
        if job.step == Request.locating {
            return roster.preprocessings.count == 1
                ? .all : .cutting(preprocessing: request.asked.first?.preprocessing ?? 0)
        }
        guard request.scoring.contains(job.step) else { return .all }
        guard let cut = request.cut, roster.pools[request.steps[job.step].pool].specifications.count > 1 else {
            return .all
        }
        return .scoring(cut)
    }

    /// Dispatches the step to the worker.
    ///
    /// - Returns: false if there is no room now for the crops of a locating step, or no frame that the worker can
    ///   score.
    private mutating func hand(_ job: JobID, to slot: Roster.Slot, _ now: Instant) -> Bool {
        let request = requests[job.serial]
        var given: (cut: KeptCrops, frame: Int)?
        if job.step == Request.locating {
            guard reserveRoom(for: request) else { return false }
        } else if request.scoring.contains(job.step) {
            guard let cut = request.cut, let frame = cut.frame(for: roster[slot]) else { return false }
            given = (cut, frame)
        }
        request.steps[job.step].given = given
        request.steps[job.step].attempts += 1
        request.steps[job.step].state = .running
        roster.assign(job, to: slot, at: now)
        let peer = roster[slot].peer
        let message = RouterMessage.Job(
            job: job.rawValue, attempt: UInt8(clamping: request.steps[job.step].attempts),
            remainingMilliseconds: UInt32(clamping: (request.deadline - now).nanoseconds / 1_000_000))
        if let (cut, frame) = given {
            actions.append(.score(peer, message, crops: cut.token, frame: frame))
        } else if request.examining.contains(job.step) {
            actions.append(.examine(peer, message, image: request.token))
        } else {
            actions.append(.locate(peer, message, request.asked, image: request.token))
        }
        return true
    }
}

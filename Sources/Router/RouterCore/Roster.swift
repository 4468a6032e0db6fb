internal import BifronsWire

/// The registered workers, by connection and by pool. A pool holds the workers of one model, the locators, or the
/// workers for one kind of evidence.
struct Roster {
    /// A worker's index in `workers`, valid until the next `add` or `remove`.
    typealias Slot = Int

    private(set) var workers: [Worker] = []
    private var slots: [RouterCore.Peer: Slot] = [:]
    /// One pool for each model of the ensemble, followed by the locators' pool and one for each kind of evidence.
    var pools: [ModelPool]
    /// The preprocessing versions by which the locators that are not draining cut. Without such a locator, the last
    /// known versions.
    private(set) var preprocessings: [UInt16] = []
    private var nextEpoch: UInt64
    /// The number of workers that are reserved for suspects.
    private var reservations = 0
    /// When to look for silent and hung workers next; nil without workers.
    private(set) var nextCheck: Instant?

    /// - Parameter pools: the names of the pools.
    init(pools: [String], epochSeed: UInt64) {
        self.pools = pools.map { ModelPool(name: $0) }
        nextEpoch = epochSeed
    }

    /// Accesses the worker in a slot. Every change of a worker's `load` goes through this subscript, which updates the
    /// pool's sum.
    subscript(slot: Slot) -> Worker {
        get { workers[slot] }
        _modify {
            pools[workers[slot].pool].load -= workers[slot].load
            defer { pools[workers[slot].pool].load += workers[slot].load }
            yield &workers[slot]
        }
    }

    /// Returns a worker's claimed credit in jobs, capped at `Limits.workerCredit`.
    static func credit(_ claimed: UInt32) -> Int {
        min(Int(claimed), Limits.workerCredit)
    }

    func slot(of peer: RouterCore.Peer) -> Slot? {
        slots[peer]
    }

    /// Returns the connection on which the worker process with this boot id is registered, or nil.
    func peer(ofLife bootID: UInt64) -> RouterCore.Peer? {
        workers.first { $0.bootID == bootID }?.peer
    }

    func workers(of pool: Int) -> [Worker] {
        pools[pool].slots.map { workers[$0] }
    }

    func hasWorker(of pool: Int) -> Bool {
        pools[pool].load.workers > 0
    }

    /// Returns the worker of the pool with free credit and the fewest jobs in flight, or nil if none has free credit.
    ///
    /// Workers that were heard of since `then` come first: what cuts off one worker's network usually cuts off its
    /// neighbours' too.
    func leastLoaded(of pool: Int, heardSince then: Instant, fit: Fitness = .all) -> Slot? {
        first(of: pool, heardSince: then) { fit.admits(workers[$0]) }
    }

    /// Returns the worker for a step's second and last attempt: the least loaded one that was heard of since `then`, or
    /// nil. The `avoided` worker is chosen only if the pool has no other fit worker.
    func leastLoaded(of pool: Int, heardSince then: Instant, avoiding avoided: RouterCore.Peer?, fit: Fitness) -> Slot?
    {
        let hasOthers = hasWorker(of: pool) { $0.peer != avoided && fit.admits($0) }
        return first(of: pool, heardSince: then) { slot in
            (!hasOthers || workers[slot].peer != avoided) && workers[slot].lastHeard >= then
                && fit.admits(workers[slot])
        }
    }

    /// Whether the pool has a worker that is not draining and was heard of since `then`.
    func hasWorker(of pool: Int, heardSince then: Instant) -> Bool {
        hasWorker(of: pool) { $0.lastHeard >= then }
    }

    private func hasWorker(of pool: Int, where isMeant: (Worker) -> Bool) -> Bool {
        pools[pool].slots.contains { !workers[$0].isDraining && isMeant(workers[$0]) }
    }

    // MARK: Suspects

    /// Whether any worker is reserved for a suspect.
    var hasReservations: Bool { reservations > 0 }

    /// Returns a worker of the pool without jobs in flight that is not draining, was heard of since `then` and is fit
    /// for the step; nil without one. A reserved worker comes first.
    func idle(of pool: Int, heardSince then: Instant, fit: Fitness) -> Slot? {
        let idle = able(of: pool, heardSince: then)
            .filter { workers[$0].inFlight.isEmpty && fit.admits(workers[$0]) }
        return idle.first { workers[$0].isReserved } ?? idle.first
    }

    /// Reserves workers of the pool for waiting suspects, those with the fewest jobs in flight first.
    ///
    /// It reserves one worker for each suspect. Together with the workers that try a suspect already, these are at most
    /// half of the pool's workers, and at least one. Without suspects it cancels all reservations.
    ///
    /// - Parameter fit: the fitness that each suspect needs. Workers that are fit for none of them are not reserved.
    mutating func reserve(of pool: Int, for waiting: Int, fit: [Fitness], heardSince then: Instant) {
        let able = able(of: pool, heardSince: then)
        let trying = able.count { workers[$0].isOnTrial }
        let wanted = max(0, min(waiting, max(1, able.count / 2) - trying))
        // Workers that were reserved before come first: the suspects have already waited for them to become idle.
        let order = able.filter { slot in !workers[slot].isOnTrial && fit.contains { $0.admits(workers[slot]) } }
            .sorted { left, right in
                workers[left].isReserved != workers[right].isReserved
                    ? workers[left].isReserved : workers[left].inFlight.count < workers[right].inFlight.count
            }
        for slot in pools[pool].slots where workers[slot].isReserved {
            workers[slot].isReserved = false
            reservations -= 1
        }
        for slot in order.prefix(wanted) {
            workers[slot].isReserved = true
            reservations += 1
        }
    }

    /// Returns the workers of the pool that may try suspects: those with credit that are not draining and were heard of
    /// since `then`.
    private func able(of pool: Int, heardSince then: Instant) -> [Slot] {
        pools[pool].slots.filter { !workers[$0].isDraining && workers[$0].credit > 0 && workers[$0].lastHeard >= then }
    }

    private func first(of pool: Int, heardSince then: Instant, where isFit: (Slot) -> Bool) -> Slot? {
        let candidates = pools[pool].slots
        var best: Slot?
        // Workers that were heard of come before silent ones.
        var lowest = (silent: 1, jobs: Int.max)
        for offset in candidates.indices {
            let slot = candidates[(pools[pool].turn + offset) % candidates.count]
            let rank = (silent: workers[slot].lastHeard < then ? 1 : 0, jobs: workers[slot].inFlight.count)
            guard rank < lowest, workers[slot].freeCredit > 0, isFit(slot) else { continue }
            best = slot
            lowest = rank
            if rank == (0, 0) { break }
        }
        return best
    }

    /// Adds a worker and returns the epoch of its registration.
    mutating func add(
        _ hello: WorkerMessage.Hello, peer: RouterCore.Peer, pool: Int, at now: Instant, checkEvery interval: Duration
    ) -> UInt64 {
        let epoch = nextEpoch
        nextEpoch &+= 1
        slots[peer] = workers.count
        workers.append(
            Worker(
                peer: peer, role: hello.role, pool: pool,
                identity: Worker.Identity(name: hello.worker, version: hello.version, digest: hello.digest),
                metrics: hello.metrics, sandbox: hello.sandbox, epoch: epoch, bootID: hello.bootID,
                credit: Self.credit(hello.credit), lastHeard: now, stuckSince: now))
        pools[pool].load += workers[workers.count - 1].load
        reindex()
        nextCheck = nextCheck ?? now + interval
        return epoch
    }

    /// Removes a worker and returns it, or nil if it was not registered.
    mutating func remove(_ peer: RouterCore.Peer) -> Worker? {
        guard let slot = slots.removeValue(forKey: peer) else { return nil }
        let worker = workers.remove(at: slot)
        pools[worker.pool].load -= worker.load
        if worker.isReserved { reservations -= 1 }
        reindex()
        if workers.isEmpty { nextCheck = nil }
        return worker
    }

    /// Marks a worker as draining: it gets no more jobs.
    mutating func drain(_ slot: Slot) {
        self[slot].isDraining = true
        noteRoles()
    }

    /// Adds a job to a worker's jobs in flight.
    mutating func assign(_ job: JobID, to slot: Slot, at now: Instant) {
        if workers[slot].inFlight.isEmpty { workers[slot].stuckSince = now }
        self[slot].inFlight.insert(job)
        let pool = workers[slot].pool
        pools[pool].turn = (pools[pool].slots.firstIndex(of: slot) ?? 0) + 1
    }

    /// Removes a job from a worker's jobs in flight. Returns false if it was not among them.
    mutating func release(_ job: JobID, from slot: Slot, at now: Instant) -> Bool {
        guard self[slot].inFlight.remove(job) != nil else { return false }
        if workers[slot].inFlight.isEmpty { workers[slot].isOnTrial = false }
        workers[slot].stuckSince = now
        return true
    }

    /// Notes the progress counter of a heartbeat. A changed counter shows that the worker is not hung.
    mutating func noteProgress(_ slot: Slot, _ progress: UInt64, at now: Instant) {
        guard progress != workers[slot].progress else { return }
        workers[slot].progress = progress
        workers[slot].stuckSince = now
    }

    /// Returns the workers that have been silent for `silence`, or had jobs in flight without progress for `hang`.
    func lost(
        silentFor silence: Duration, hungFor hang: Duration, at now: Instant
    ) -> [(peer: RouterCore.Peer, loss: RouterCore.Loss)] {
        workers.compactMap { worker in
            if now - worker.lastHeard >= silence { return (worker.peer, .silent) }
            if !worker.inFlight.isEmpty, now - worker.stuckSince >= hang { return (worker.peer, .hung) }
            return nil
        }
    }

    /// Schedules the next check for when the first worker would be lost if nothing were heard of it, and at the latest
    /// after `interval`, because workers may get jobs meanwhile.
    mutating func scheduleCheck(
        silentFor silence: Duration, hungFor hang: Duration, within interval: Duration, from now: Instant
    ) {
        let ends = workers.lazy.map { worker in
            let silent = worker.lastHeard + silence
            return worker.inFlight.isEmpty ? silent : min(silent, worker.stuckSince + hang)
        }
        nextCheck = ends.min().map { min($0, now + interval) }
    }

    private mutating func reindex() {
        for pool in pools.indices { pools[pool].slots.removeAll(keepingCapacity: true) }
        for (slot, worker) in workers.enumerated() {
            slots[worker.peer] = slot
            pools[worker.pool].slots.append(slot)
        }
        noteRoles()
    }

    private mutating func noteRoles() {
        var specifications = pools.map { _ in [CropSpecification]() }
        var preprocessings: [UInt16] = []
        for worker in workers where !worker.isDraining {
            switch worker.role {
            case .network(let specification):
                let isKnown = specifications[worker.pool].contains(specification)
                if !isKnown { specifications[worker.pool].append(specification) }
            case .locator(let preprocessing):
                if !preprocessings.contains(preprocessing) { preprocessings.append(preprocessing) }
            case .evidence: break
            }
        }
        for pool in specifications.indices where !specifications[pool].isEmpty {
            pools[pool].specifications = specifications[pool]
        }
        if !preprocessings.isEmpty { self.preprocessings = preprocessings }
    }
}

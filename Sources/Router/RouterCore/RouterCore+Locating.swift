internal import BifronsWire

/// The first stage: what is to be cut out of a picture, and what comes of it.
extension RouterCore {
    /// Queues the request for a locator, if it has not been and it is known what the networks want. Their workers say that, of
    /// which some may not have come yet: after half of its budget the picture is cut for those that have, and again if others
    /// come after all.
    mutating func locate(_ serial: UInt64, _ now: Instant) {
        let request = ledger[serial]
        guard request.phase == .computing, request.steps[Request.locating].isHeld else { return }
        var (known, unknown) = (0, 0)
        for index in request.scoring where !request.steps[index].isSettled {
            if roster.pools[request.steps[index].pool].specifications.isEmpty { unknown += 1 } else { known += 1 }
        }
        guard known > 0, unknown == 0 || now >= request.patience else { return }
        enqueue(serial, Request.locating)
        locatingIsDue = true
    }

    /// The first worker of a model has come: requests may have waited for it to say what it wants.
    mutating func locateHeld(_ now: Instant) {
        for serial in ledger.serials { locate(serial, now) }
    }

    // MARK: What to cut

    /// The version of preprocessing by which the request's picture is cut. There is more than one while workers are being
    /// replaced: then it is that for which the most of the request's networks were made, of these the latest.
    func preprocessing(for request: Request) -> UInt16 {
        let versions = roster.preprocessings
        guard versions.count > 1 else { return versions.first ?? 0 }
        func served(_ version: UInt16) -> Int {
            request.scoring.count { index in
                let step = request.steps[index]
                return !step.isSettled
                    && roster.pools[step.pool].specifications.contains { $0.preprocessing == version }
            }
        }
        return versions.max { (served($0), $0) < (served($1), $1) } ?? 0
    }

    /// Whether the step, which was taken from its queue, can be done by any worker that there is, busy or not. If not, it has
    /// ended, or waits for other crops.
    mutating func isFeasible(_ job: JobID, _ now: Instant) -> Bool {
        let request = ledger[job.serial]
        if job.step == Request.locating { return plan(job.serial, request, now) }
        // Almost always there is one specification, and it was cut.
        let wanted = roster.pools[request.steps[job.step].pool].specifications
        if let cut = request.cut, cut.isKept, wanted.contains(where: cut.specifications.contains) { return true }
        cutAgain(job, now)
        return false
    }

    /// Decides what is cut out of the request's picture: what the workers of its models want that have not answered. Models
    /// that wait for crops fail if none can be cut for them.
    ///
    /// - Returns: whether a model is to get crops; if not, the step is in no queue any more, and the request may have ended.
    private mutating func plan(_ serial: UInt64, _ request: Request, _ now: Instant) -> Bool {
        let version = preprocessing(for: request)
        request.asked.removeAll(keepingCapacity: true)
        var (isNeeded, hasFailed) = (false, false)
        for index in request.scoring where !request.steps[index].isSettled {
            let pool = request.steps[index].pool
            // The worker that says it may come yet.
            guard let first = roster.pools[pool].specifications.first else { continue }
            let isAsked = ask(forOneOf: pool, by: version, request)
            // Others have crops already, and may manage with them.
            guard request.steps[index].isHeld else { continue }
            if isAsked {
                isNeeded = true
                continue
            }
            hasFailed = true
            if let wanted = roster.pools[pool].specifications.first(where: { $0.preprocessing == version }) {
                fail(serial, index, cropsTooLarge(pool, wanted))
            } else {
                fail(serial, index, cropsUnavailable(pool, madeFor: first.preprocessing, cutBy: version))
            }
        }
        // Those that are left may want another version.
        if isNeeded, hasFailed, preprocessing(for: request) != version { return plan(serial, request, now) }
        guard isNeeded else {
            request.steps[Request.locating].state = request.cut == nil ? .held : .cut
            endIfSettled(serial, now)
            return false
        }
        // For workers that are being replaced, as far as there is room.
        for index in request.scoring where !request.steps[index].isSettled {
            let wanted = roster.pools[request.steps[index].pool].specifications
            guard wanted.count > 1 else { continue }
            for specification in wanted where specification.preprocessing == version { _ = ask(specification, request) }
        }
        return true
    }

    /// Adds what one of the pool's workers wants to what is to be cut.
    ///
    /// - Returns: whether that is cut, for this model or another one.
    private func ask(forOneOf pool: Int, by version: UInt16, _ request: Request) -> Bool {
        let wanted = roster.pools[pool].specifications
        if wanted.contains(where: { $0.preprocessing == version && request.asked.contains($0) }) { return true }
        return wanted.contains { $0.preprocessing == version && ask($0, request) }
    }

    /// Adds one specification, if it is not there and there is room for it.
    ///
    /// - Returns: whether it is there.
    private func ask(_ specification: CropSpecification, _ request: Request) -> Bool {
        if request.asked.contains(specification) { return true }
        guard request.asked.count < Limits.cropSets,
            request.askedBytes + specification.mostBytes <= configuration.maxCropBytes
        else { return false }
        request.asked.append(specification)
        return true
    }

    private func cropsUnavailable(_ pool: Int, madeFor made: UInt16, cutBy version: UInt16) -> WireError {
        WireError(
            .unavailable, code: "crops_unavailable",
            "no locator cuts crops for \(ensemble.pools[pool]), which was made for version \(made) of preprocessing; "
                + "the locators cut by version \(version): run workers of one release")
    }

    private func cropsTooLarge(_ pool: Int, _ wanted: CropSpecification) -> WireError {
        WireError(
            .unavailable, code: "crops_too_large",
            "the crops for \(ensemble.pools[pool]) may take \(wanted.mostBytes) bytes, of which the router has "
                + "\(configuration.maxCropBytes) for the crops of a job: raise max-crop-bytes, or ask for fewer models")
    }

    /// The model's workers want by now what was not cut. That is made good once; it is no execution of the model's step.
    private mutating func cutAgain(_ job: JobID, _ now: Instant) {
        let request = ledger[job.serial]
        request.steps[job.step].state = .held
        if request.steps[Request.locating].isSettled {
            guard !request.isCutAgain else {
                let pool = request.steps[job.step].pool
                let message =
                    "the workers of \(ensemble.pools[pool]) changed again and again what they score; send it again"
                fail(job.serial, job.step, WireError(.unavailable, code: "crops_unavailable", message))
                return endIfSettled(job.serial, now)
            }
            request.isCutAgain = true
            request.earlierAttempts = request.steps[Request.locating].attempts
            request.steps[Request.locating] = Step(pool: ensemble.locator)
            locate(job.serial, now)
        }
        releaseOutdated(request)
    }

    // MARK: Room

    /// Takes the room that the crops of the request may need, if there is so much; when none is taken there always is.
    mutating func reserveRoom(for request: Request) -> Bool {
        let bytes = request.askedBytes
        guard cropBytes + bytes <= configuration.maxCropBytes else { return false }
        request.reservedBytes = bytes
        cropBytes += bytes
        return true
    }

    /// No more crops will come of the step that a locator had in hand.
    mutating func returnRoom(of request: Request) {
        guard request.reservedBytes > 0 else { return }
        cropBytes -= request.reservedBytes
        request.reservedBytes = 0
        locatingIsDue = true
    }

    /// The crops are not needed any more.
    mutating func release(_ cut: KeptCrops) {
        guard cut.isKept else { return }
        cut.isKept = false
        cropBytes -= cut.bytes
        actions.append(.releaseCrops(cut.token))
        locatingIsDue = true
    }

    /// A picture is being cut again and nobody can do anything with its first crops: they are not to take the room of the
    /// second ones, for which all pictures would wait then.
    mutating func releaseOutdated(_ request: Request) {
        guard let cut = request.cut, cut.isKept, !request.steps[Request.locating].isSettled,
            request.scoring.allSatisfy({ request.steps[$0].isHeld || request.steps[$0].isSettled })
        else { return }
        ledger.forgetCut(of: request)
        release(cut)
    }

    // MARK: What was cut

    mutating func receive(
        _ crops: WorkerMessage.Crops, _ frames: [Int], _ token: CropsToken, from peer: Peer, _ now: Instant
    ) {
        guard let slot = known(peer, now) else { return actions.append(.releaseCrops(token)) }
        let computing = Duration.microseconds(Int64(crops.timings.computeMicroseconds))
        guard let job = take(crops.job, epoch: crops.epoch, from: slot, computing: computing, now) else {
            return actions.append(.releaseCrops(token))
        }
        let request = ledger[job.serial]
        guard job.step == Request.locating, Self.fits(crops, frames, request.asked) else {
            actions.append(.releaseCrops(token))
            return retry(job, answerMalformed(slot), slot, now)
        }
        noteComputed(slot, crops.timings, after: now - request.received)
        let cut = KeptCrops(
            token: token, specifications: request.asked, crops: crops, bytes: frames.reduce(0, +),
            worker: roster[slot].identity, at: now)
        returnRoom(of: request)
        cropBytes += cut.bytes
        let earlier = request.cut
        ledger.keep(cut, for: request)
        if let earlier { release(earlier) }
        request.settle(Request.locating, .cut)
        for index in request.scoring where request.steps[index].isHeld { enqueue(job.serial, index) }
        // Also those that waited with earlier crops: now another worker may be fit for them.
        for index in request.scoring where request.steps[index].isWaiting {
            dispatch(request.steps[index].pool, now)
        }
    }

    /// Whether an answer is what was asked for, in number and size.
    private static func fits(_ crops: WorkerMessage.Crops, _ frames: [Int], _ asked: [CropSpecification]) -> Bool {
        guard crops.sets.count == asked.count, frames.count == asked.count,
            (crops.facesFound != nil) == asked.contains(where: \.needsFaces),
            crops.faces.count <= min(Limits.faces, crops.facesFound ?? 0)
        else { return false }
        return asked.indices.allSatisfy { index in
            let count = asked[index].needsFaces ? max(1, crops.faces.count) : 1
            return crops.sets[index].squares.count == count && frames[index] == count * asked[index].cropBytes
        }
    }

    func answerMalformed(_ slot: Roster.Slot) -> WireError {
        let (name, pool) = (roster[slot].identity.name, ensemble.pools[roster[slot].pool])
        return WireError(
            .unavailable, code: "answer_malformed",
            "the worker \(name) of \(pool) gave an answer that does not fit its job; send it again")
    }
}

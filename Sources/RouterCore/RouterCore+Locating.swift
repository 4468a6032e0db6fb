internal import Wire

/// The first stage: what is to be cut out of a picture, and what comes of it.
extension RouterCore {
    /// Queues the request for a locator, if it has not been and it is known what the networks want: that is said by their
    /// workers, of which some may not have come yet.
    mutating func locate(_ serial: UInt64) {
        let request = ledger[serial]
        guard request.isStarted, request.steps[Request.locating].isHeld, request.unsettled > 0,
            request.scoring.allSatisfy({
                request.steps[$0].isSettled || !roster.specifications[request.steps[$0].pool].isEmpty
            })
        else { return }
        enqueue(serial, Request.locating)
        locatingIsDue = true
    }

    /// The first worker of a model has come: requests may have waited for it to say what it wants.
    mutating func locateHeld() {
        for serial in ledger.serials { locate(serial) }
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
                    && roster.specifications[step.pool].contains { $0.preprocessing == version }
            }
        }
        return versions.max { (served($0), $0) < (served($1), $1) } ?? 0
    }

    /// Whether the step, which was taken from its queue, can be done by any worker that there is, busy or not. If not, it has
    /// ended, or the picture is cut again.
    mutating func isFeasible(_ job: JobID, _ now: Instant) -> Bool {
        if job.step == Request.locating { return plan(job.serial, now) }
        let (request, pool) = (ledger[job.serial], ledger[job.serial].steps[job.step].pool)
        guard let cut = request.cut else { return true }
        // Almost always there is one specification, and it was cut.
        let wanted = roster.specifications[pool]
        if wanted.contains(where: cut.specifications.contains) { return true }
        cutAgain(job, now)
        return false
    }

    /// Decides what is cut out of the request's picture: what the workers of its models want that have not answered. Models
    /// for which nothing can be cut fail.
    ///
    /// - Returns: whether there is anything to cut; if not, the request has ended.
    private mutating func plan(_ serial: UInt64, _ now: Instant) -> Bool {
        let request = ledger[serial]
        let version = preprocessing(for: request)
        request.asked.removeAll(keepingCapacity: true)
        var bytes = 0
        for index in request.scoring where !request.steps[index].isSettled {
            let pool = request.steps[index].pool
            let wanted = roster.specifications[pool].filter { $0.preprocessing == version }
            guard !wanted.isEmpty else {
                settle(serial, index, cropsUnavailable(pool, cutBy: version))
                continue
            }
            // One of them will do; the rest is for workers that are being replaced, as far as there is room.
            var hasOne = false
            for specification in wanted {
                if request.asked.contains(specification) {
                    hasOne = true
                } else if request.asked.count < Limits.cropSets,
                    bytes + specification.mostBytes <= configuration.maxCropBytes
                {
                    request.asked.append(specification)
                    bytes += specification.mostBytes
                    hasOne = true
                }
            }
            if !hasOne { settle(serial, index, cropsTooLarge(pool, wanted[0])) }
        }
        guard request.unsettled == 0 else { return true }
        // It is in no queue any more.
        request.steps[Request.locating].state = .held
        finish(serial, now)
        return false
    }

    private func cropsUnavailable(_ pool: Int, cutBy version: UInt16) -> WireError {
        let made = roster.specifications[pool].first?.preprocessing ?? 0
        return WireError(
            .unavailable, code: "crops_unavailable",
            "no locator cuts crops for \(ensemble.pools[pool]), which was made for version \(made) of preprocessing; "
                + "the locators cut by version \(version): run workers of one release")
    }

    private func cropsTooLarge(_ pool: Int, _ wanted: CropSpecification) -> WireError {
        WireError(
            .unavailable, code: "crops_too_large",
            "the crops for \(ensemble.pools[pool]) may take \(wanted.mostBytes) bytes, of which the router has "
                + "\(configuration.maxCropBytes) for the crops of a job: raise crop-bytes, or ask for fewer models")
    }

    /// The model's workers want by now what was not cut. That is made good once; it is no execution of the model's step.
    private mutating func cutAgain(_ job: JobID, _ now: Instant) {
        let request = ledger[job.serial]
        guard !request.isCutAgain else {
            let pool = request.steps[job.step].pool
            let message =
                "the workers of \(ensemble.pools[pool]) changed again and again what they score; send it again"
            settle(job.serial, job.step, WireError(.unavailable, code: "crops_unavailable", message))
            return endIfSettled(job.serial, now)
        }
        request.steps[job.step].state = .held
        guard request.steps[Request.locating].isSettled else { return }
        request.isCutAgain = true
        request.steps[Request.locating] = Step(pool: ensemble.locator)
        locate(job.serial)
    }

    // MARK: Room

    /// Takes the room that the crops of the request may need, if there is so much; when none is taken there always is.
    mutating func reserveRoom(for request: Request) -> Bool {
        let bytes = request.asked.reduce(0) { $0 + $1.mostBytes }
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
    mutating func release(_ cut: Cut) {
        cropBytes -= cut.bytes
        actions.append(.releaseCrops(cut.token))
        locatingIsDue = true
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
        roster[slot].scored += 1
        roster[slot].compute.record(computing.milliseconds)
        statistics.computed(crops.timings, pool: roster[slot].pool, after: now - request.received)
        let cut = Cut(
            token: token, specifications: request.asked, crops: crops, bytes: frames.reduce(0, +),
            worker: roster[slot].identity, at: now)
        cropBytes += cut.bytes
        returnRoom(of: request)
        if let earlier = request.cut { release(earlier) }
        ledger.keep(cut, for: request)
        request.settle(Request.locating, .cut)
        for index in request.scoring where request.steps[index].isHeld {
            enqueue(job.serial, index)
            dispatch(request.steps[index].pool, now)
            // What cannot be done has ended.
            guard ledger.contains(job.serial) else { break }
        }
    }

    /// Whether an answer is what was asked for, in number and size.
    private static func fits(_ crops: WorkerMessage.Crops, _ frames: [Int], _ asked: [CropSpecification]) -> Bool {
        guard crops.sets.count == asked.count, frames.count == asked.count,
            (crops.facesFound != nil) == asked.contains(where: \.needsFaces)
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

internal import BifronsWire
internal import Decisions

/// The first stage: which crops are cut out of an image, and how they arrive.
extension RouterCore {
    /// Enqueues the request's image for a locator, unless that is done or the crops to cut are not known yet.
    ///
    /// The networks' workers say in their HELLOs which crops they want, and some models may not have had a worker yet.
    /// After half of its budget the image is cut for the known models, and again if workers of others register later.
    mutating func locate(_ serial: UInt64, _ now: Instant) {
        let request = requests[serial]
        guard request.phase == .computing, request.steps[Request.locating].isHeld else { return }
        var (known, unknown) = (0, 0)
        for index in request.scoring where !request.steps[index].isSettled {
            if roster.pools[request.steps[index].pool].specifications.isEmpty { unknown += 1 } else { known += 1 }
        }
        guard known > 0, unknown == 0 || now >= request.patience else { return }
        enqueue(serial, Request.locating)
        locatingIsDue = true
    }

    /// Enqueues held images after the first worker of a model has registered: they may have waited for its
    /// specification.
    mutating func locateHeld(_ now: Instant) {
        for serial in requests.serials { locate(serial, now) }
    }

    // MARK: Choosing crops

    /// Returns the preprocessing version by which the request's image is cut, or 0 without a locator.
    ///
    /// Several versions are in use while workers are being replaced. The version for which most of the request's
    /// networks were made wins, and the latest of equals.
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

    /// Whether any registered worker, busy or not, can do the step, which was taken from its queue. If not, the step
    /// has ended or waits for other crops.
    mutating func isFeasible(_ job: JobID, _ now: Instant) -> Bool {
        let request = requests[job.serial]
        if job.step == Request.locating { return plan(job.serial, request, now) }
        if request.examining.contains(job.step) { return true }
        // Almost always there is a single specification, and the image was cut for it.
        let wanted = roster.pools[request.steps[job.step].pool].specifications
        if let cut = request.cut, cut.isKept, wanted.contains(where: cut.specifications.contains) { return true }
        cutAgain(job, now)
        return false
    }

    /// Decides which crops are cut out of the request's image: those that the workers of its unsettled models want.
    /// Models for which none can be cut fail.
    ///
    /// - Returns: whether a model will get crops. If not, the step is in no queue any more, and the request may have
    ///   ended.
    private mutating func plan(_ serial: UInt64, _ request: Request, _ now: Instant) -> Bool {
        let version = preprocessing(for: request)
        request.asked.removeAll(keepingCapacity: true)
        var (isNeeded, hasFailed) = (false, false)
        for index in request.scoring where !request.steps[index].isSettled {
            let pool = request.steps[index].pool
            // A worker that names the specification may still register.
            guard let first = roster.pools[pool].specifications.first else { continue }
            let isAsked = ask(forOneOf: pool, by: version, request)
            // A model that is not held has crops already, and its workers may manage with them.
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
        // The remaining models may want another version.
        if isNeeded, hasFailed, preprocessing(for: request) != version { return plan(serial, request, now) }
        guard isNeeded else {
            request.steps[Request.locating].state = request.cut == nil ? .held : .cut
            endIfSettled(serial, now)
            return false
        }
        // While workers are being replaced, a pool wants several specifications: cut for them too, as far as there is
        // room.
        for index in request.scoring where !request.steps[index].isSettled {
            let wanted = roster.pools[request.steps[index].pool].specifications
            guard wanted.count > 1 else { continue }
            for specification in wanted where specification.preprocessing == version { _ = ask(specification, request) }
        }
        askForShadows(request, version)
        return true
    }

    /// Adds the crops that the request's shadows want, as far as there is room.
    private func askForShadows(_ request: Request, _ version: UInt16) {
        for pool in shadows(of: request) { _ = ask(forOneOf: pool, by: version, request) }
    }

    /// Adds a specification of one of the pool's workers to the crops to cut.
    ///
    /// - Returns: whether crops for the pool are now among them, possibly shared with another model.
    private func ask(forOneOf pool: Int, by version: UInt16, _ request: Request) -> Bool {
        let wanted = roster.pools[pool].specifications
        if wanted.contains(where: { $0.preprocessing == version && request.asked.contains($0) }) { return true }
        return wanted.contains { $0.preprocessing == version && ask($0, request) }
    }

    /// Adds a specification to the crops to cut, if there is room for it.
    ///
    /// - Returns: whether it is now among them.
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

    /// Cuts the image again because the model's workers want other crops by now. A request gets one such second cut,
    /// which does not count as an execution of the model's step.
    private mutating func cutAgain(_ job: JobID, _ now: Instant) {
        let request = requests[job.serial]
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

    // MARK: Room for crops

    /// Reserves the most bytes that the request's crops may take. Returns false if there is not enough room now; with
    /// nothing reserved or kept there always is.
    mutating func reserveRoom(for request: Request) -> Bool {
        let bytes = request.askedBytes
        guard cropBytes + bytes <= configuration.maxCropBytes else { return false }
        request.reservedBytes = bytes
        cropBytes += bytes
        return true
    }

    /// Returns the room that was reserved for a locating step: no more crops will come from it.
    mutating func returnRoom(of request: Request) {
        guard request.reservedBytes > 0 else { return }
        cropBytes -= request.reservedBytes
        request.reservedBytes = 0
        locatingIsDue = true
    }

    /// Releases crops that are not needed any more.
    mutating func release(_ cut: KeptCrops) {
        guard cut.isKept else { return }
        cut.isKept = false
        cropBytes -= cut.bytes
        actions.append(.releaseCrops(cut.token))
        locatingIsDue = true
    }

    /// Releases a request's first crops while its image is being cut again and no step can use them. Otherwise they
    /// could take the room that the second crops need, and every image would wait for that.
    mutating func releaseOutdated(_ request: Request) {
        guard let cut = request.cut, cut.isKept, !request.steps[Request.locating].isSettled,
            request.scoring.allSatisfy({ request.steps[$0].isHeld || request.steps[$0].isSettled })
        else { return }
        requests.forgetCut(of: request)
        release(cut)
    }

    // MARK: Receiving crops

    /// Processes a locator's crops: keeps them and enqueues the steps that wait for them.
    mutating func receive(
        _ crops: WorkerMessage.Crops, _ frames: [Int], _ token: CropsToken, from peer: Peer, _ now: Instant
    ) {
        guard let slot = known(peer, now) else { return actions.append(.releaseCrops(token)) }
        let computing = Duration.microseconds(Int64(crops.timings.computeMicroseconds))
        guard let job = take(crops.job, epoch: crops.epoch, from: slot, computing: computing, now) else {
            return actions.append(.releaseCrops(token))
        }
        let request = requests[job.serial]
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
        requests.keep(cut, for: request)
        if let earlier { release(earlier) }
        request.settle(Request.locating, .cut)
        for index in request.scoring where request.steps[index].isHeld { enqueue(job.serial, index) }
        // Steps that waited with earlier crops are dispatched too: another worker may be fit for them now.
        for index in request.scoring where request.steps[index].isWaiting {
            dispatch(request.steps[index].pool, now)
        }
    }

    /// Whether an answer matches the crops that were asked for, in number and size.
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

    /// Returns the error for an answer that does not match its job.
    func answerMalformed(_ slot: Roster.Slot) -> WireError {
        let (name, pool) = (roster[slot].identity.name, ensemble.pools[roster[slot].pool])
        return WireError(
            .unavailable, code: "answer_malformed",
            "the worker \(name) of \(pool) gave an answer that does not fit its job; send it again")
    }
}

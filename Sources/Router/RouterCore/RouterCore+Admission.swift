internal import BifronsWire

/// Which jobs may come in.
extension RouterCore {
    /// The part of its budget that a job may be expected to take when it is admitted: the rest is for what comes differently.
    private static let budgetShare = 0.75
    /// The same for a job whose turn it is: between the two there is room for it although answers, and with them places,
    /// come by the batch.
    private static let budgetShareInTurn = 0.95
    /// The part of the queue that is left to those whose turn will come, as far as they are so many.
    private static let reservedShare = 0.25

    /// The models that the request is for, if it may come in.
    func admit(
        _ header: RequestHeader, imageBytes: Int?, totalBytes: Int, _ identity: Principal.Identity, isTurn: Bool
    ) throws(WireError) -> [Int] {
        if isDraining { throw WireError(.unavailable, code: "draining", "the router is stopping; ask another") }
        if header.durable, !configuration.keepsJournal {
            throw WireError(
                .unavailable, code: "journal_unavailable",
                "this router keeps no journal; send the job without 'durable', or start the router with --journal")
        }
        guard let imageBytes else {
            throw WireError(.badRequest, code: "image_missing", "the image frame behind the header is missing")
        }
        guard imageBytes > 0 else {
            throw WireError(.unprocessable, code: "image_empty", "the image frame is empty")
        }
        guard imageBytes <= configuration.imageBytes else {
            throw WireError(
                .tooLarge, code: "image_too_large",
                "the image has \(imageBytes) bytes; at most \(configuration.imageBytes) are taken")
        }
        let models = try modelsAsked(header)
        let served = models.filter { roster.hasWorker(of: $0) }
        let canLocate = roster.hasWorker(of: ensemble.locator)
        let isEnough = header.requirement == .any ? !served.isEmpty : served.count == models.count
        guard canLocate && isEnough || configuration.workerWait > .zero else {
            let missing = (canLocate ? models.filter { !served.contains($0) } : [ensemble.locator])
                .map { ensemble.pools[$0] }
            throw WireError(.unavailable, code: "no_worker", "no worker serves \(missing.joined(separator: ", "))")
        }
        let bytes = ledger.bytes + recordingBytes
        let reserved =
            isTurn ? 0 : min(admission.placesHeld, Int(Double(configuration.maxJobs) * Self.reservedShare))
        guard jobsInHand < configuration.maxJobs - reserved, bytes + totalBytes <= configuration.maxBytes else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the queue is full with \(jobsInHand) jobs and \(bytes) bytes; try again later")
        }
        let load = ledger.load(of: identity)
        guard load.jobs < configuration.maxClientJobs, load.bytes + totalBytes <= configuration.maxClientBytes else {
            throw WireError(
                .tooManyRequests, code: "client_queue_full",
                "this client has \(load.jobs) jobs and \(load.bytes) bytes without an answer; wait for some first")
        }
        let wait = ([ensemble.locator] + served).map { expectedTime(header, $0) }.max() ?? .zero
        let share = isTurn ? Self.budgetShareInTurn : Self.budgetShare
        guard wait <= .milliseconds(header.budgetMilliseconds) * share else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the jobs ahead take about \(Int(wait.milliseconds)) ms, too much for a budget of \(header.budgetMilliseconds) ms; try again later"
            )
        }
        return models
    }

    /// How long it will take until one pool has done its step of a new job, if all goes on as it does: what waits and what is
    /// in hand goes first, there and with the locators, whose crops come before long.
    func expectedTime(_ header: RequestHeader, _ pool: Int) -> Duration {
        let locators = roster.pools[ensemble.locator]
        let others = pool == ensemble.locator ? 0 : locators.waiting + locators.load.inFlight
        let wait = roster.pools[pool].expectedTime(behind: others)
        // As in `enqueue`: each step of priority overtakes what came so much earlier.
        let steps = header.priority - Limits.defaultPriority
        return max(.zero, wait - configuration.priorityStep * steps)
    }

    /// Jobs a second that the slowest pool gets through; without a backlog to measure it by, those that were answered.
    func pace(at now: Instant) -> Double {
        roster.pools.compactMap(\.perSecond).min() ?? statistics.answersPerBusySecond(at: now)
    }

    /// The models by number, if they and the policy are of this ensemble.
    func modelsAsked(_ header: RequestHeader) throws(WireError) -> [Int] {
        guard ensemble.policies[header.policy] != nil else {
            let known = ensemble.policies.keys.sorted().joined(separator: ", ")
            throw WireError(
                .notFound, code: "unknown_policy",
                "there is no policy '\(header.policy.prefix(64))'; there are \(known)")
        }
        guard let names = header.models else { return Array(ensemble.models.indices) }
        var models: [Int] = []
        for name in names {
            guard let index = ensemble.models.firstIndex(of: name) else {
                throw WireError(
                    .notFound, code: "unknown_model",
                    "there is no model '\(name.prefix(64))'; there are \(ensemble.models.joined(separator: ", "))")
            }
            models.append(index)
        }
        return models.sorted()
    }
}

internal import BifronsWire
internal import Decisions

/// The admission of jobs.
extension RouterCore {
    /// The share of its budget that a job may be expected to wait when it is admitted. The rest is a margin for wrong
    /// estimates.
    private static let budgetShare = 0.75
    /// The same share for a job whose turn has come. It is larger, so that such a job still finds room although
    /// answers, and with them places, come in batches.
    private static let budgetShareInTurn = 0.95
    /// The largest share of the queue that is left free for jobs whose turn is still to come.
    private static let reservedShare = 0.25

    /// Returns the models that the request asks for if it is admitted, as indices into the ensemble.
    ///
    /// - Throws: the error to refuse the request with.
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
        let models = header.verb == .examine ? [] : try modelsAsked(header)
        let pools = header.verb == .examine ? try examinersServed() : try poolsServed(models, header)
        let bytes = requests.bytes + recordingBytes
        let reserved =
            isTurn ? 0 : min(admission.placesHeld, Int(Double(configuration.maxJobs) * Self.reservedShare))
        guard jobsInHand < configuration.maxJobs - reserved, bytes + totalBytes <= configuration.maxBytes else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the queue is full with \(jobsInHand) jobs and \(bytes) bytes; try again later")
        }
        let load = requests.load(of: identity)
        guard load.jobs < configuration.maxClientJobs, load.bytes + totalBytes <= configuration.maxClientBytes else {
            throw WireError(
                .tooManyRequests, code: "client_queue_full",
                "this client has \(load.jobs) jobs and \(load.bytes) bytes without an answer; wait for some first")
        }
        let wait = pools.map { expectedTime(header, $0) }.max() ?? .zero
        let share = isTurn ? Self.budgetShareInTurn : Self.budgetShare
        guard wait <= .milliseconds(header.budgetMilliseconds) * share else {
            throw WireError(
                .tooManyRequests, code: "queue_full",
                "the jobs ahead take about \(Int(wait.milliseconds)) ms, too much for a budget of \(header.budgetMilliseconds) ms; try again later"
            )
        }
        return models
    }

    /// Returns the pools with a worker that a verdict needs: the locators', and those of the requested models.
    ///
    /// - Throws: the error to refuse the request with if there are too few, and jobs do not wait for workers.
    private func poolsServed(_ models: [Int], _ header: RequestHeader) throws(WireError) -> [Int] {
        let served = models.filter { roster.hasWorker(of: $0) }
        let canLocate = roster.hasWorker(of: ensemble.locator)
        let isEnough = header.requirement == .any ? !served.isEmpty : served.count == models.count
        guard canLocate && isEnough || configuration.workerWait > .zero else {
            throw noWorker(for: canLocate ? models.filter { !served.contains($0) } : [ensemble.locator])
        }
        return [ensemble.locator] + served
    }

    /// Returns the pools of evidence that have a worker.
    ///
    /// - Throws: the error to refuse the request with if there are none.
    private func examinersServed() throws(WireError) -> [Int] {
        guard !ensemble.examiners.isEmpty else {
            throw WireError(
                .notFound, code: "no_evidence", "this ensemble names no evidence; name some in ensemble.json")
        }
        let served = ensemble.examiners.filter { roster.hasWorker(of: $0) }
        guard !served.isEmpty else { throw noWorker(for: Array(ensemble.examiners)) }
        return served
    }

    /// Returns the expected time until one pool has done its step of a new job: zero without a backlog. The jobs
    /// waiting and in flight there go first, and so do those of the locators, whose crops will arrive before long.
    func expectedTime(_ header: RequestHeader, _ pool: Int) -> Duration {
        let locators = roster.pools[ensemble.locator]
        let others = pool < ensemble.locator ? locators.waiting + locators.load.inFlight : 0
        let wait = roster.pools[pool].expectedTime(behind: others)
        // As in `enqueue`, each step of priority overtakes the jobs that came up to `priorityStep` earlier.
        let steps = header.priority - Limits.defaultPriority
        return max(.zero, wait - configuration.priorityStep * steps)
    }

    /// Returns the jobs per second of the slowest pool that verdicts wait for. Without a measured backlog it is the
    /// rate of answers while there was work.
    func pace(at now: Instant) -> Double {
        roster.pools[...ensemble.locator].compactMap(\.perSecond).min() ?? statistics.answersPerBusySecond(at: now)
    }

    /// Returns the indices of the requested models.
    ///
    /// - Throws: an error if the ensemble has no such model or policy.
    func modelsAsked(_ header: RequestHeader) throws(WireError) -> [Int] {
        guard policies.versions(of: header.policy) != nil else { throw policies.unknown(header.policy) }
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

internal import BifronsWire
internal import Decisions
internal import HeapModule

/// What a request scores for comparison.
struct ShadowTask {
    /// The number of the decision.
    var decision: UInt64
    /// The bounding box of each region of the decision; nil for the whole image.
    var boxes: [[Int]?]
}

/// Shadows: models that score a share of the images after the answer, for comparison with the decision.
///
/// They get the crops that the answer was computed from, so the image is not decoded again. They have workers of their
/// own, and what they say changes no answer. When the router is busy, they are left out.
extension RouterCore {
    /// The most requests that score for comparison: they take places in the queue.
    private static let mostShadows = 32
    /// The milliseconds that a shadow may take.
    private static let shadowBudget = 10_000

    /// Returns the pools of the shadows that are to score the request's image. The choice follows from the request's
    /// number alone.
    func shadows(of request: Request) -> [Int] {
        guard !ensemble.shadows.isEmpty, configuration.keepsJournal, request.header.verb == .classify else { return [] }
        return zip(ensemble.shadowPools, ensemble.shadows).compactMap { pool, shadow in
            let isDrawn = PolicyVersion.fraction(request.number, stream: 16 + UInt64(pool)) < shadow.sample
            return isDrawn && roster.hasWorker(of: pool) ? pool : nil
        }
    }

    /// Returns the request's crops if shadows are to score them, too, and there is room for that.
    func cutForShadows(of request: Request) -> KeptCrops? {
        guard !isDraining, shadowsInHand < Self.mostShadows, jobsInHand < configuration.maxJobs / 2,
            cropBytes <= configuration.maxCropBytes / 2, let cut = request.cut, cut.isKept,
            !shadows(of: request).isEmpty
        else { return nil }
        return cut
    }

    /// Lets the shadows score the crops that a decision was made from. Without a decision, the crops are released.
    mutating func startShadows(of decision: Decision?, _ request: Request, _ cut: KeptCrops, _ now: Instant) {
        guard let decision else { return release(cut) }
        var header = RequestHeader(verb: .classify)
        (header.priority, header.budgetMilliseconds) = (Limits.priorities.lowerBound, Self.shadowBudget)
        // It is nobody's: it counts towards no client's limits.
        let shadow = Request(
            token: -1, header: header, principal: Principal(.key(""), .none), bytes: 0, received: now,
            pools: [ensemble.locator] + shadows(of: request))
        shadow.shadow = ShadowTask(decision: decision.number, boxes: decision.personal.boxes)
        shadow.steps[Request.locating].state = .cut
        // There is no image for a second cut.
        shadow.isCutAgain = true
        let serial = enter(shadow)
        shadowsInHand += 1
        requests.keep(cut, for: shadow)
        shadow.advance(to: .computing)
        for index in shadow.scoring {
            enqueue(serial, index)
            dispatchDue.append(shadow.steps[index].pool)
        }
    }

    /// Records what the shadows said about a decision.
    mutating func endShadow(_ request: Request) {
        shadowsInHand -= 1
        dispatchDue += withdraw(request)
        while let next = deadlines.min, !requests.contains(next.serial) { deadlines.removeMin() }
        guard let task = request.shadow else { return }
        for step in request.steps[request.scoring] {
            guard case .scored(let score, let cut, let frame, let worker, _) = step.state else { continue }
            let needsFaces = cut.specifications[frame].needsFaces
            var logits = [FloatBits?](repeating: nil, count: task.boxes.count)
            for (number, crop) in score.crops.enumerated() {
                let box = needsFaces && !cut.crops.faces.isEmpty ? cut.crops.faces[number].box : nil
                let place = box.map { [$0.x, $0.y, $0.width, $0.height].map(Int.init) }
                if let region = task.boxes.firstIndex(of: place) { logits[region] = FloatBits(crop.logit) }
            }
            actions.append(
                .recordShadow(
                    ShadowScore(
                        decision: task.decision, model: ensemble.pools[step.pool], version: worker.version,
                        digest: worker.digest, logits: logits)))
        }
    }

    /// Ends all requests that score for comparison.
    mutating func endShadows() {
        guard shadowsInHand > 0 else { return }
        for serial in requests.serials where requests[serial].shadow != nil { endShadow(requests.remove(serial)) }
    }
}

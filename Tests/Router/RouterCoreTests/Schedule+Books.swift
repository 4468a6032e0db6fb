import BifronsWire
import Decisions
import TestKit

@testable import RouterCore

/// The invariants between any two events: of results, accounting and queues.
extension Schedule {
    mutating func checkResult(_ document: ResultDocument, _ request: Open) throws {
        try check(
            document.id == request.header.id, "\(request.header.id ?? "nil") is answered as \(document.id ?? "nil")")
        guard request.header.verb.isJob else { return }
        if request.header.verb == .examine { return try checkExamined(document, request) }
        try check(
            !document.status.isSuccess || !request.header.durable || request.isPersisted,
            "\(request.header.id ?? "nil") is answered and not on disk")
        try check(document.metadata == request.header.metadata, "the metadata are not echoed")
        let scored = document.models.filter { $0.status == .ok }
        try check(scored.allSatisfy { $0.aiProbability.map((0...1).contains) ?? false }, "a score is no probability")
        switch document.status {
        case .ok:
            try check(
                !document.degraded && scored.count == document.models.count && !scored.isEmpty, "200 lacks a score")
        case .partial: try check(document.degraded && !scored.isEmpty, "206 without any score")
        default: try check(document.error != nil, "\(document.status) without a reason")
        }
        try check((document.verdict != nil) == document.status.isSuccess, "\(document.status) and its verdict disagree")
        if request.cuts == 2, document.status.isSuccess { seen["scored from second crops", default: 0] += 1 }
        if let error = document.error, error.code == "quarantined" {
            seen[error.message.contains("image's crops") ? "quarantined crops" : "quarantined image", default: 0] +=
                1
        }
        if document.error?.code == "quarantined", request.header.idempotencyKey == nil {
            try check(request.deaths.values.contains { $0.count >= 2 }, "no two workers died of a quarantined job")
            let isOfCrops = document.error?.message.contains("image's crops") == true
            let culprit = request.deaths.first { $0.value.count >= 2 }?.key
            if case .cutting? = culprit {
                try check(!isOfCrops, "the crops are blamed for what the image did")
            } else {
                try check(isOfCrops, "the image is blamed for what its crops did")
            }
        }
        for code in Set(document.models.compactMap(\.error?.code) + [document.error?.code].compactMap { $0 }) {
            seen[code, default: 0] += 1
        }
        try check(document.image?.sha256 != Self.wrongDigest, "a result tells of crops that do not fit")
        try check((document.image == nil) == (document.locator == nil), "an image was cut by nobody")
        if let sha256 = request.sha256, let image = document.image {
            try check(image.sha256 == sha256, "the key is answered with another image's result")
        }
        if let verdict = document.verdict {
            let policy = core.policies.active(request.header.policy, for: request.header.owner)
            let decided = policy?.verdict(
                verdict.aiProbability, isDegraded: document.degraded,
                evidence: document.evidence.map(EvidenceFacts.init))
            try check(verdict == decided, "\(verdict) is not what the policy \(request.header.policy) says")
        }
        // A follower's result reports its leader's attempts, so only requests without a key can be checked.
        if request.header.idempotencyKey == nil, document.attempts > 0 {
            let executions = request.executions.filter { !$0.key.isOfEvidence }.values.max()
            try check(document.attempts == executions, "attempts is \(document.attempts)")
        }
        try checkEvidence(document, request)
    }

    private mutating func checkEvidence(_ document: ResultDocument, _ request: Open) throws {
        // Refusals, and results that the journal found, have none.
        guard !document.models.isEmpty else { return }
        try check(
            document.evidence.map(\.kind) == core.ensemble.evidence, "the evidence is \(document.evidence.map(\.kind))")
        for entry in document.evidence {
            try check((entry.report != nil) == (entry.status == .ok), "evidence of \(entry.status) without a report")
            try check((entry.report == nil) == (entry.error != nil), "evidence of \(entry.status) without a reason")
            try check(entry.report.map { $0.kind == entry.kind } ?? true, "evidence of another kind")
            seen["evidence " + (entry.error?.code ?? "found"), default: 0] += 1
            // A follower's result has its leader's evidence, and a quarantined job says nothing of its evidence.
            guard request.header.idempotencyKey == nil, document.error?.code != "quarantined" else { continue }
            try check(
                (entry.error?.code == "quarantined") == request.evidenceKilled.contains(entry.kind.rawValue),
                "workers of \(request.evidenceKilled) died, and \(entry.kind) is \(entry.error?.code ?? "found")")
        }
        for reason in document.verdict?.reasons ?? [] {
            seen[reason == "evidence_missing" ? reason : "decided by evidence", default: 0] += 1
        }
    }

    /// Checks the result of a request for evidence alone.
    private mutating func checkExamined(_ document: ResultDocument, _ request: Open) throws {
        let isFound = document.evidence.contains { $0.status == .ok }
        // Evidence that was found in time does not save a request that the client or the router gives up.
        let isGivenUp = ["cancelled", "draining"].contains(document.error?.code)
        try check((document.status == .ok) == (isFound && !isGivenUp), "\(document.status) and its evidence disagree")
        try check((document.error == nil) == (document.status == .ok), "\(document.status) and its error disagree")
        try check(document.verdict == nil && document.models.isEmpty, "evidence alone comes with a verdict")
        try check(document.image == nil && document.locator == nil, "an image was cut for evidence alone")
        try check(!request.executions.keys.contains { !$0.isOfEvidence }, "more than evidence was computed")
        seen[isFound ? "examined" : "examined in vain", default: 0] += 1
        try checkEvidence(document, request)
    }

    /// Checks that no job whose models are settled waits longer than its share for evidence, and that it waits for
    /// nothing else.
    mutating func checkWaits() throws {
        for serial in core.requests.serials {
            let request = core.requests[serial]
            guard request.phase == .computing, request.unsettled == 0 else { continue }
            let since = open[request.token]?.settledAt ?? now
            open[request.token]?.settledAt = since
            let share = request.scoring.isEmpty ? request.deadline : since + configuration.evidenceWait
            let end = min(share, request.deadline)
            try check(now < end, "\(request.token) waits for evidence since \(since)")
            try check(core.nextDeadline.map { $0 <= end } ?? false, "no timer ends the wait of \(request.token)")
            try check(request.unexamined > 0, "\(request.token) waits for nothing")
            try check(request.cutBytes == 0 && request.reservedBytes == 0, "\(request.token) keeps crops in vain")
            seen["waiting for evidence", default: 0] += 1
        }
    }

    func checkAccounting() throws {
        let jobs = open.values.filter(\.isJob)
        try check(core.requests.count == jobs.count, "\(core.requests.count) jobs, not \(jobs.count) without a result")
        try check(core.jobsInHand <= configuration.maxJobs, "more jobs than the queue holds")
        let bytes = jobs.reduce(0) { $0 + $1.bytes }
        try check(core.requests.bytes == bytes, "\(core.requests.bytes) bytes, not \(bytes)")
        let kept = open.values.filter(\.isRecording).reduce(0) { $0 + $1.bytes }
        try check(
            core.recordingBytes == kept && bytes + kept <= configuration.maxBytes,
            "\(core.recordingBytes) bytes of jobs with a result, not \(kept)")
        let first = jobs.lazy.map(\.deadline).min()
        if let first {
            try check(first > now, "a request outlives its budget")
            try check(core.nextDeadline.map { $0 <= first } ?? false, "the timer is behind a deadline")
        }
        if open.isEmpty, peers.isEmpty { try check(core.nextDeadline == nil, "a timer for nothing") }
    }

    /// Checks that crops are kept only for jobs without a result, and that they fit into their room.
    func checkCrops() throws {
        var bytes = 0
        for (crops, cut) in kept {
            let token = cut.token ?? -1
            try check(open[token]?.isJob == true, "the crops \(crops) are kept for \(token), which has its result")
            bytes += cut.bytes
        }
        try check(Set(kept.values.map(\.token)).count == kept.count, "an image has two sets of crops")
        var cutting: Set<Int> = []
        for serial in core.requests.serials where core.requests[serial].steps[Request.locating].isRunning {
            cutting.insert(core.requests[serial].token)
        }
        // The room for the crops of a job whose models are settled is free before its locator has answered.
        for held in peers.values.flatMap(\.held.values) where cutting.contains(held.token) {
            bytes += held.asked.reduce(0) { $0 + $1.cropBytes * ($1.needsFaces ? Limits.faces : 1) }
        }
        try check(core.cropBytes == bytes, "\(core.cropBytes) bytes of crops, not \(bytes)")
        try check(bytes <= configuration.maxCropBytes, "\(bytes) bytes of crops")
    }

    /// Checks that a client's bytes are those of its jobs' messages and crops.
    private func checkLoads() throws {
        for owner in [nil, "ann", "bob"] {
            let jobs = open.filter { $0.value.isJob && $0.value.header.owner == owner }
            let crops = kept.values.filter { $0.token.map { jobs[$0] != nil } ?? false }
            let load = core.requests.load(of: Principal.anybody.acting(for: owner).identity)
            let bytes = jobs.values.reduce(0) { $0 + $1.bytes } + crops.reduce(0) { $0 + $1.bytes }
            try check(load.jobs == jobs.count, "\(owner ?? "nobody") has \(load.jobs) jobs, not \(jobs.count)")
            try check(load.bytes == bytes, "\(owner ?? "nobody") has \(load.bytes) bytes, not \(bytes)")
        }
    }

    /// Checks that no step waits while a fit worker has free credit. Exceptions are a step that this worker failed and
    /// another may take, a retry while the worker is silent, a suspect, which needs an idle worker, and a step without
    /// room for its crops.
    private mutating func checkNoStepWaitsWithoutReason(_ pool: Int, _ waiting: [(request: Request, step: Step)]) throws
    {
        let name = core.ensemble.pools[pool]
        let ready = peers.values.filter { $0.worker.model == name && !$0.isDraining }
        let kept = Set(core.roster.workers(of: pool).filter { $0.isReserved || $0.isOnTrial }.map(\.peer))
        // The step whose turn it is waits for room, and so do those behind it.
        let isFull =
            pool == core.ensemble.locator
            && waiting.contains { $0.request.askedBytes + core.cropBytes > configuration.maxCropBytes }
        if isFull { seen["no room", default: 0] += 1 }
        for peer in ready where peer.held.count < peer.credit && !isFull {
            let isSilent = now - peer.lastHeard > .milliseconds(750)
            for (request, step) in waiting where isFit(peer, request, pool) {
                let others = ready.count { $0.id != peer.id && isFit($0, request, pool) }
                let mayWait =
                    step.isSuspect
                    ? isSilent || !peer.held.isEmpty
                    : step.avoids == peer.id && others > 0 || step.attempts > 0 && isSilent || kept.contains(peer.id)
                try check(
                    mayWait,
                    """
                    \(peer.worker.name) is free and \(request.token) waits for \(name): suspect \(step.isSuspect), attempts \
                    \(step.attempts), silent \(isSilent), holds \(peer.held.count) of \(peer.credit), others \(others), kept \
                    \(kept.contains(peer.id)), asks for \(request.askedBytes) beside \(core.cropBytes)
                    """)
            }
        }
        // No step waits for crops that none of the registered workers wants.
        for (request, _) in waiting where pool != core.ensemble.locator && !isFull {
            let isFree = ready.contains { $0.held.count < $0.credit && !kept.contains($0.id) }
            let canBe = ready.contains { isFit($0, request, pool) }
            try check(!isFree || canBe, "\(request.token) has crops that nobody of \(name) wants")
        }
    }

    /// Whether the worker can do the request's step in its pool.
    private func isFit(_ peer: Peer, _ request: Request, _ pool: Int) -> Bool {
        switch peer.worker.role {
        case .locator(let preprocessing): core.preprocessing(for: request) == preprocessing
        case .network(let specification): request.cut?.specifications.contains(specification) == true
        case .evidence: true
        }
    }

    /// Checks that a held step waits for crops, or for a worker to name its specification.
    private func checkHeld(_ request: Request) throws {
        guard request.phase == .computing else { return }
        let models = request.scoring.map { request.steps[$0] }
        let isUnderWay = !request.steps[Request.locating].isSettled
        try check(isUnderWay || !models.contains(where: \.isHeld), "\(request.token) waits for crops that do not come")
        guard request.steps[Request.locating].isHeld else { return }
        let open = models.filter { !$0.isSettled }
        let unknown = open.count { core.roster.pools[$0.pool].specifications.isEmpty }
        try check(
            unknown == open.count || unknown > 0 && now < request.patience, "\(request.token) could be cut and is not")
    }

    mutating func checkStatus() throws {
        let report = core.statusReport(id: nil, at: now)
        let counted = report.counters.repliesByStatus.values.reduce(report.counters.reports ?? 0, +)
        try check(counted == replies, "not all replies are counted")
        try check(report.workers.count == peers.count, "\(report.workers.count) workers, not \(peers.count)")
        try check(report.queue.cropBytes == core.cropBytes, "\(report.queue.cropBytes) bytes of crops")
        for worker in report.workers {
            let peer = peers.values.first { $0.worker.name == worker.name }
            try check(peer?.held.count == worker.inFlight, "\(worker.name) has \(worker.inFlight) in flight")
            try check(peer?.credit == worker.credit, "\(worker.name) has credit \(worker.credit)")
            try check(peer?.isDraining == (worker.state == "draining"), "\(worker.name) is \(worker.state)")
        }
        try checkLoads()
        // A request that follows another one follows one that is being computed.
        var leaders: [ScopedKey: Int] = [:]
        for serial in core.requests.serials {
            let request = core.requests[serial]
            try checkHeld(request)
            guard let key = request.key, request.job == nil || request.isJournalled else { continue }
            leaders[key, default: 0] += core.idempotency.isLeader(serial, of: key) ? 1 : 0
        }
        // While its leader's decision is being written, nobody computes a key.
        for key in core.heldContents.keys { leaders[key, default: 0] += 1 }
        try check(leaders.values.allSatisfy { $0 == 1 }, "keys and how many compute them: \(leaders)")
        for (pool, model) in report.models.enumerated() {
            var waiting: [(request: Request, step: Step)] = []
            for request in core.requests.serials.map({ core.requests[$0] }) {
                for step in request.steps where step.pool == pool && step.isWaiting { waiting.append((request, step)) }
            }
            // Held steps count as waiting only for a pool without workers.
            let isServed = peers.values.contains { $0.worker.model == model.name && !$0.isDraining }
            let held = core.requests.serials.count { serial in
                let request = core.requests[serial]
                return request.phase == .computing && request.steps.contains { $0.pool == pool && $0.isHeld }
            }
            let expected = waiting.count + (isServed ? 0 : held)
            try check(model.waiting == expected, "\(model.waiting) wait for \(model.name), not \(expected)")
            let inHand = peers.values.filter { $0.worker.model == model.name }.reduce(0) { $0 + $1.held.count }
            try check(model.inFlight == inHand, "\(model.inFlight) are in flight for \(model.name), not \(inHand)")
            try checkNoStepWaitsWithoutReason(pool, waiting)
        }
    }
}

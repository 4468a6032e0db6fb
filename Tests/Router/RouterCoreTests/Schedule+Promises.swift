import BifronsWire
import Decisions
import TestKit

@testable import RouterCore

/// The core's guarantees, checked at every action.
extension Schedule {
    func check(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
        guard !holds else { return }
        throw Violation(description: "seed \(seed), event \(events): \(promise())")
    }

    /// Returns a value that must exist, or throws a violation.
    private func demand<Value>(_ value: Value?, _ promise: @autoclosure () -> String) throws -> Value {
        try check(value != nil, promise())
        return value!
    }

    mutating func handle(_ event: RouterCore.Event) throws {
        events += 1
        let isRefused = try expect(event)
        wanted = core.roster.pools.map(\.specifications)
        let actions = core.handle(event, at: now)
        if core.roster.pools.map(\.specifications) != wanted { changes += 1 }
        for action in actions { try take(action, event) }
        try checkWaits()
        if case .crops(_, _, _, let crops) = event {
            try check(!isRefused || kept[crops] == nil, "the crops \(crops) do not fit and are kept")
        }
        try checkAccounting()
        try checkCrops()
        if events % 16 == 0 { try checkStatus() }
    }

    /// Updates the model by the event itself.
    ///
    /// - Returns: whether the event brings crops that the core must not keep.
    private mutating func expect(_ event: RouterCore.Event) throws -> Bool {
        switch event {
        case .request(let token, let header, _, let sha256, _, let bytes, _):
            nextToken += 1
            // The number of a request that is refused goes to the next one.
            numbers[core.jobSeed &+ core.requests.upcoming] = token
            open[token] = Open(
                header: header, bytes: bytes, sha256: sha256, deadline: now + .milliseconds(header.budgetMilliseconds))
        case .malformedRequest(let token, _, _):
            nextToken += 1
            open[token] = Open(header: RequestHeader(verb: .ping), bytes: 0, deadline: now)
        case .worker(let id, .hello(let hello)): expect(hello, id)
        case .crops(let id, let crops, let frames, let token): return expect(crops, frames, token, id)
        case .worker(let id, let message):
            guard var peer = peers[id] else { return false }
            peer.lastHeard = now
            switch message {
            case .score(let score) where score.epoch == peer.worker.epoch: _ = finish(score.job, &peer)
            case .evidence(let evidence) where evidence.epoch == peer.worker.epoch: _ = finish(evidence.job, &peer)
            case .fail(let failure) where failure.epoch == peer.worker.epoch: _ = finish(failure.job, &peer)
            case .ping(peer.worker.epoch, _, let progress) where progress != peer.toldProgress:
                peer.toldProgress = progress
                peer.lastProgress = now
            case .credit(peer.worker.epoch, let jobs): peer.credit = min(Int(jobs), Limits.workerCredit)
            case .drain(peer.worker.epoch): peer.isDraining = true
            case .bye(peer.worker.epoch):
                peers[id] = nil
                return false
            default: break
            }
            peers[id] = peer
        case .persisted(let job, .stored), .persisted(let job, .known):
            if let token = tokens[job] { open[token]?.isPersisted = true }
        case .policies, .answered, .keysRevoked: break
        case .recorded(let job, nil): unrecorded.remove(Decision.id(job))
        case .recovered(let token, let job, let header, _, let sha256, let bytes):
            nextToken += 1
            var request = Open(
                header: header, bytes: bytes, sha256: sha256,
                deadline: now + .milliseconds(header.budgetMilliseconds))
            (request.isPersisted, request.isAcknowledged) = (true, true)
            open[token] = request
            tokens[job] = token
        case .persisted, .recorded, .found: break
        case .lost(let id, let loss):
            guard let peer = peers.removeValue(forKey: id) else { return false }
            gone.append(peer.worker)
            guard loss == .connectionEnded else { return false }
            for held in peer.held.values {
                open[held.token]?.deaths[held.step, default: []].insert(peer.worker.bootID)
                open[held.token]?.suspectIn.insert(held.step)
                if case .examining(let kind) = held.step, open[held.token]?.isJob == true,
                    open[held.token]?.deaths[held.step]?.count == 2
                {
                    open[held.token]?.evidenceKilled.insert(kind)
                }
            }
        case .clientsGone, .malformedMessage, .deadline, .drain, .abandon: break
        }
        return false
    }

    private mutating func expect(_ hello: WorkerMessage.Hello, _ id: RouterCore.Peer) {
        // A worker that says HELLO again is unregistered for a moment, and with it its specification.
        changes += 1
        peers[id] = nil
        for peer in peers.values where peer.worker.bootID == hello.bootID {
            past += peer.held.keys
            peers[peer.id] = nil
        }
        // The core ends what is overdue before it hears that the worker is back.
        let overdue = core.requests.serials.map { core.requests[$0] }.filter { request in
            request.steps.contains { if case .confirming(let end) = $0.state { end <= now } else { false } }
        }.map(\.token)
        for token in open.keys where !overdue.contains(token) && open[token]?.isRecording == false {
            for step in open[token]!.deaths.keys { open[token]?.deaths[step]?.remove(hello.bootID) }
        }
        guard hello.model != "vgg", !isTooLarge(hello), !isDrained else { return }
        if hello.role == .evidence, !core.ensemble.pools.contains(hello.model) { return }
        var worker = ScriptedWorker(hello.worker, serving: hello.model, as: hello.role, credit: hello.credit)
        worker.bootID = hello.bootID
        peers[id] = Peer(
            id: id, worker: worker, credit: min(Int(hello.credit), Limits.workerCredit), lastHeard: now,
            lastProgress: now)
    }

    /// Whether a worker's crops for one image would exceed the limit.
    private func isTooLarge(_ hello: WorkerMessage.Hello) -> Bool {
        guard case .network(let specification) = hello.role, hello.model != "vgg" else { return false }
        return specification.width > 1000
    }

    private mutating func expect(
        _ crops: WorkerMessage.Crops, _ frames: [Int], _ token: RouterCore.CropsToken, _ id: RouterCore.Peer
    ) -> Bool {
        kept[token] = Kept(bytes: frames.reduce(0, +))
        guard var peer = peers[id] else { return true }
        peer.lastHeard = now
        defer { peers[id] = peer }
        guard crops.epoch == peer.worker.epoch, let held = finish(crops.job, &peer), open[held.token]?.isJob == true,
            case .cutting = held.step, isRight(crops, frames, held.asked)
        else { return true }
        open[held.token]?.cuts += 1
        kept[token] = Kept(
            token: held.token, specifications: held.asked, crops: crops.sets.map(\.squares.count),
            bytes: frames.reduce(0, +))
        return false
    }

    /// Whether an image was cut as asked: the right number and size of crops, and faces only if a specification asks
    /// for them.
    private func isRight(_ crops: WorkerMessage.Crops, _ frames: [Int], _ asked: [CropSpecification]) -> Bool {
        let looks = asked.contains { $0.needsFaces }
        let sizes = asked.map { specification in
            (specification.needsFaces && !crops.faces.isEmpty ? crops.faces.count : 1)
                * Int(specification.width) * Int(specification.height) * 3
        }
        let numbers = asked.map { $0.needsFaces && !crops.faces.isEmpty ? crops.faces.count : 1 }
        return frames == sizes && crops.sets.map(\.squares.count) == numbers && (crops.facesFound != nil) == looks
            && crops.faces.count <= Limits.faces && crops.faces.count <= crops.facesFound ?? 0
    }

    private mutating func finish(_ job: UInt64, _ peer: inout Peer) -> Held? {
        past.append(job)
        guard let held = peer.held.removeValue(forKey: job) else { return nil }
        peer.lastProgress = now
        return held
    }

    // MARK: Actions

    private mutating func take(_ action: RouterCore.Action, _ event: RouterCore.Event) throws {
        switch action {
        case .reply(let token, let reply):
            let request = try demand(open.removeValue(forKey: token), "\(token) has no open request to reply to")
            replies += 1
            try check(!request.isAcknowledged, "\(token) is answered twice")
            if case .result(let document) = reply {
                try checkResult(document, request)
                if document.verdict != nil, let id = document.decision {
                    try check(!unrecorded.contains(id), "\(token) learns of a decision that is not on disk")
                }
                if case .request(let asked, let header, _, _, _, _, _) = event, let owner = header.owner,
                    asked != token,
                    document.error?.code == "cancelled"
                {
                    try check(request.header.owner == owner, "\(owner) cancels the job of another")
                }
            }
        case .acknowledge(let token, let reply):
            guard let request = open[token], case .result(let document) = reply else {
                throw Violation(description: "seed \(seed), event \(events): \(token) is acknowledged too late")
            }
            replies += 1
            try check(request.isPersisted && !request.isAcknowledged, "\(token) is acknowledged and not on disk")
            try check(request.header.durable && !request.header.wait, "\(token) did not ask for a 202")
            try check(document.status == .accepted && document.id == request.header.id, "\(token): no 202 of its own")
            open[token]?.isAcknowledged = true
        case .release(let token):
            try check(open.removeValue(forKey: token)?.isAcknowledged == true, "\(token) is released and has no answer")
        case .persist(let token, let job, let header, _, let sha256):
            try check(open[token]?.header == header && header.durable, "\(token) is no durable job")
            try check(open[token]?.sha256 == sha256, "\(token) has another image")
            try check(tokens.updateValue(token, forKey: job) == nil, "\(job) is the number of two jobs")
            orders.append(.persist(job))
        case .decide(let decision, _):
            let token = try demand(numbers[decision.number], "\(decision.id) is no request's")
            if decision.body.policy == "audited" {
                unrecorded.insert(decision.id)
                open[token]?.isRecording = true
            }
            orders.append(.decide(decision.number))
        case .recordShadow: break
        case .ask(let token, _):
            try check(open[token]?.header.verb.isAboutDecisions == true, "\(token) did not ask about decisions")
            orders.append(.ask(token))
        case .record(let job, let document, let decision, _):
            if let decision, decision.body.policy == "audited" { unrecorded.insert(decision.id) }
            try check(recorded.insert(job).inserted, "\(job) has two results")
            guard let token = tokens[job], let request = open[token] else {
                throw Violation(description: "seed \(seed), event \(events): \(job) was answered before its result")
            }
            try checkResult(document, request)
            open[token]?.isRecording = true
            orders.append(.record(job))
        case .find(let token, let id, _):
            try check(open[token]?.header.id == id, "\(token) did not ask for \(id)")
            orders.append(.find(token))
        case .locate(let id, let job, let asked, let token):
            let request = try demand(open[token], "\(token) was replied to before this job")
            try check(request.cuts < 2, "\(token) is cut a third time")
            try checkAsked(asked, token, id)
            if request.cuts == 1, request.executions[.cutting(1)] == nil { seen["cut again", default: 0] += 1 }
            if request.cuts == 0 { open[token]?.cutAmong = changes }
            try handOut(job, Held(token: token, step: .cutting(request.cuts), asked: asked), to: id)
        case .score(let id, let job, let crops, let frame):
            let cut = try demand(kept[crops], "the crops \(crops) are not there any more")
            let token = try demand(cut.token, "the crops \(crops) are nobody's")
            let model = try demand(peers[id], "\(id) is no worker").worker.model
            try check(cut.specifications.indices.contains(frame), "the crops \(crops) have no frame \(frame)")
            try check(
                peers[id]?.worker.role == .network(cut.specifications[frame]),
                "\(id) gets crops of \(cut.specifications[frame])")
            let held = Held(token: token, step: .scoring(model), crops: cut.crops[frame])
            try handOut(job, held, to: id)
        case .examine(let id, let job, let token):
            let kind = try demand(peers[id], "\(id) is no worker").worker.model
            try check(peers[id]?.worker.role == .evidence, "\(id) is asked for evidence")
            let held = Held(token: token, step: .examining(kind))
            try handOut(job, held, to: id)
            if job.attempt > 1 { seen["evidence sent again", default: 0] += 1 }
        case .releaseCrops(let crops):
            try check(kept.removeValue(forKey: crops) != nil, "the crops \(crops) are let go twice")
        case .send(let id, .welcome(let epoch, _)): peers[id]?.worker.epoch = epoch
        case .send(_, .bye(_, let isFinal)):
            guard case .worker(_, .hello(let hello)) = event else { return }
            try check(isFinal == isTooLarge(hello), "whoever wants too much goes for good, and nobody else")
            if isFinal { seen["sent away for good", default: 0] += 1 }
        case .send(let id, .resync):
            // RESYNC goes to an unknown peer, after a stale ping, or to a worker that is given up. Only the last is
            // checked.
            guard case .deadline = event else { return }
            guard let peer = peers.removeValue(forKey: id) else { return }
            let silence = now - peer.lastHeard
            let standstill = peer.held.isEmpty ? .zero : now - peer.lastProgress
            try check(
                silence >= .milliseconds(1500) || standstill >= configuration.hangTimeout,
                "\(id) is given up after \(silence) of silence and \(standstill) of standstill")
            past += peer.held.keys
            gone.append(peer.worker)
        case .send: break
        case .drained:
            try check(!isDrained && open.isEmpty, "drained with \(open.count) requests open")
            isDrained = true
        }
    }

    private mutating func handOut(_ job: RouterMessage.Job, _ held: Held, to id: RouterCore.Peer) throws {
        let (token, step) = (held.token, held.step)
        var request = try demand(open[token], "\(token) was replied to before this job")
        var peer = try demand(peers[id], "\(id) is no worker")
        request.executions[step, default: 0] += 1
        let executions = request.executions[step]!
        try check(request.isJob, "\(token) has its result and is handed out")
        try check(!request.header.durable || request.isPersisted, "\(token) is handed out and not on disk")
        try check(executions <= 2, "\(token) goes to a third worker for \(step)")
        try check(Int(job.attempt) == executions, "attempt \(job.attempt) is the number \(executions)")
        if case .scoring(let model) = step {
            try check(request.header.models?.contains(model) ?? true, "\(token) did not ask for \(model)")
            if executions > 1 { seen["crops sent again", default: 0] += 1 }
        }
        try check(!peer.isDraining, "\(id) drains and gets a job")
        try check(request.deadline > now, "\(token) is handed out behind its deadline")
        try check(
            Int64(job.remainingMilliseconds) == (request.deadline - now).nanoseconds / 1_000_000,
            "the remaining budget is \(job.remainingMilliseconds)")
        try check(executions == 1 || now - peer.lastHeard <= .milliseconds(750), "a second try goes to a silent worker")
        try check(
            peer.held.isEmpty
                || !request.suspectIn.contains(step)
                    && peer.held.values.allSatisfy { open[$0.token]?.suspectIn.contains($0.step) != true },
            "\(token) and a job that \(id) holds are not both to be tried together")
        try check(
            !peers.values.contains { $0.held.values.contains { $0.token == token && $0.step == step } },
            "\(token) is in the hands of two workers for \(step)")
        if peer.held.isEmpty { peer.lastProgress = now }
        try check(peer.held.updateValue(held, forKey: job.job) == nil, "\(id) holds \(job.job) already")
        try check(peer.held.count <= peer.credit, "\(id) holds \(peer.held.count) with credit \(peer.credit)")
        open[token] = request
        peers[id] = peer
    }

    /// Checks that a locator is asked only for crops that its version cuts, each once, and that a worker of one of the
    /// job's models wants, wanted last, or wanted before the event: an event first ends what is overdue.
    private func checkAsked(_ asked: [CropSpecification], _ token: Int, _ id: RouterCore.Peer) throws {
        let request = try demand(open[token], "\(token) was replied to before this job")
        let peer = try demand(peers[id], "\(id) is no worker")
        try check(!asked.isEmpty && Set(asked).count == asked.count, "\(token) is to be cut for \(asked)")
        try check(
            asked.allSatisfy { peer.worker.role == .locator(preprocessing: $0.preprocessing) },
            "\(id) cannot cut \(asked)")
        try check(
            request.cuts == 0 || request.cutAmong != changes, "\(token) is cut again though the networks are the same")
        let models = request.header.models ?? core.ensemble.models
        for specification in asked {
            let isWanted = models.contains { model in
                let pool = core.ensemble.models.firstIndex(of: model)!
                return core.roster.pools[pool].specifications.contains(specification)
                    || wanted[pool].contains(specification)
            }
            try check(isWanted, "nobody wants \(specification)")
        }
    }
}

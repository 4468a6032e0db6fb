import BifronsWire
import Decisions
import TestKit

@testable import RouterCore

/// The actions of clients, journal and workers.
extension Schedule {
    /// Executes the journal's next order.
    mutating func performNextOrder() throws {
        guard !orders.isEmpty else { return }
        var failure = ResultDocument(id: "kept", error: WireError(.unprocessable, code: "c", "m"))
        failure.metadata = nil
        switch orders.removeFirst() {
        case .persist(let job):
            let fate = random.next() % 10
            try handle(
                .persisted(job: job, fate == 0 ? .failed("scripted") : fate == 1 ? .known(failure) : .stored))
        case .record(let job), .decide(let job):
            try handle(.recorded(job: job, failure: random.chance(0.1) ? "scripted" : nil))
        case .ask(let token):
            let answers: [LedgerAnswer] = [.members(Array("{}".utf8)), .unknown, .failed("scripted")]
            try handle(.answered(token, answers.randomElement(using: &random)!))
        case .find(let token):
            failure.id = open[token]?.header.id
            let findings: [JournalLookupResult] = [.result(failure), .running, .unknown, .failed("scripted")]
            try handle(.found(token, findings.randomElement(using: &random)!))
        }
    }

    mutating func recover() throws {
        // The jobs of an earlier run fitted into its limits, so they fit now.
        guard configuration.keepsJournal, core.jobsInHand < configuration.maxJobs,
            core.requests.bytes + core.recordingBytes + 100 <= configuration.maxBytes
        else { return }
        var header = RequestHeader(verb: .classify, id: anyID())
        header.durable = true
        header.budgetMilliseconds = Int.random(in: 1...1500, using: &random)
        if random.chance(0.3) { header.idempotencyKey = "k\(Int.random(in: 0...4, using: &random))" }
        if random.chance(0.1) { header.models = ["vgg"] }
        setOwner(&header)
        try handle(.recovered(nextToken, job: random.next(), header, key: nil, sha256: digest(header), bytes: 100))
    }

    mutating func setOwner(_ header: inout RequestHeader) {
        if random.chance(0.2) { header.owner = random.chance(0.5) ? "ann" : "bob" }
    }

    /// Returns the digest of one of two images, or nil without an idempotency key.
    private mutating func digest(_ header: RequestHeader) -> [UInt8]? {
        header.idempotencyKey == nil ? nil : Array(repeating: random.chance(0.1) ? 1 : 0, count: 32)
    }

    mutating func request() -> RouterCore.Event {
        var header = RequestHeader(verb: .classify, id: random.chance(0.9) ? anyID() : nil)
        header.budgetMilliseconds = Int.random(in: 1...(random.chance(0.5) ? 50 : 1500), using: &random)
        header.priority = Int.random(in: Limits.priorities, using: &random)
        header.models = [nil, nil, ["resnet"], ["inception"], ["inception", "resnet"]].randomElement(using: &random)!
        header.requirement = random.chance(0.7) ? .any : .all
        if random.chance(0.3) { header.idempotencyKey = "k\(Int.random(in: 0...4, using: &random))" }
        if random.chance(0.1) { header.metadata = Array("{}".utf8) }
        if random.chance(0.02) { header.models = ["vgg"] }
        header.policy =
            random.chance(0.02) ? "none" : ["default", "strict", "easy", "audited"].randomElement(using: &random)!
        setOwner(&header)
        let isExamined = random.chance(0.05)
        if isExamined { (header.verb, header.idempotencyKey) = (.examine, nil) }
        if !isExamined && random.chance(0.3) { header.durable = true }
        if random.chance(0.5) { header.wait = false }
        let bytes: Int? =
            random.chance(0.02) ? nil : Int.random(in: random.chance(0.9) ? 1...2000 : 0...6000, using: &random)
        return .request(
            nextToken, header, imageBytes: bytes, sha256: digest(header),
            totalBytes: (bytes ?? 0) + Int.random(in: 0...300, using: &random))
    }

    mutating func anyID() -> String {
        "id \(Int.random(in: 0...30, using: &random))"
    }

    private mutating func randomPeer() -> RouterCore.Peer? {
        // Sorted, so that the same seed plays the same schedule again.
        peers.keys.sorted { $0.routingID < $1.routingID }.randomElement(using: &random)
    }

    mutating func lose() throws {
        let onTrial = peers.values.filter { peer in
            peer.held.values.contains { open[$0.token]?.suspectIn.contains($0.step) == true }
        }
        let networks = onTrial.filter { $0.worker.model != "locator" && $0.worker.role != .evidence }
        let suspected = (networks.isEmpty || random.chance(0.25) ? onTrial : networks).map(\.id).min {
            $0.routingID < $1.routingID
        }
        let busiest = random.chance(0.5) ? busiest() : randomPeer()
        guard let peer = random.chance(0.9) ? suspected ?? busiest : busiest else { return }
        let others: [RouterCore.Loss] = [.unreachable, .revoked]
        try handle(.lost(peer, random.chance(0.7) ? .connectionEnded : others.randomElement(using: &random)!))
    }

    /// Silences all workers of a model, or of all models, for some time.
    mutating func pauseHost() {
        let model: String? = random.chance(0.5) ? core.ensemble.pools.randomElement(using: &random) : nil
        let end = now + .milliseconds(Int.random(in: 0...3000, using: &random))
        for peer in peers.values where model == nil || peer.worker.model == model { pausedUntil[peer.id] = end }
    }

    /// Reconnects a lost worker, either the same process or a restarted one.
    mutating func reconnectLostWorker() throws {
        guard var worker = gone.popLast() else { return }
        if random.chance(0.3) { worker.bootID = random.next() }
        let id = RouterCore.Peer(routingID: nextPeer)
        nextPeer += 1
        try handle(.worker(id, worker.hello))
    }

    private func isPaused(_ peer: RouterCore.Peer) -> Bool {
        pausedUntil[peer].map { $0 > now } ?? false
    }

    /// Returns the worker with the most jobs in flight.
    private func busiest() -> RouterCore.Peer? {
        peers.values.max { ($0.held.count, $0.id.routingID) < ($1.held.count, $1.id.routingID) }?.id
    }

    mutating func answer() throws {
        let busy = peers.values.filter { !$0.held.isEmpty && !isPaused($0.id) }.sorted {
            $0.id.routingID < $1.id.routingID
        }
        // Evidence would nearly always be late if it came as seldom as anything else.
        let examiners = busy.filter { $0.worker.role == .evidence }
        let chosen = examiners.isEmpty || random.chance(0.7) ? busy : examiners
        guard let peer = chosen.randomElement(using: &random) else { return }
        let job = peer.held.keys.sorted().randomElement(using: &random)!
        let failures: [Status] = [
            .unavailable, Status(rawValue: 500), .unprocessable, .tooLarge, .ok, Status(rawValue: 7),
        ]
        let right: UInt64 = peer.worker.role == .evidence ? 70 : 84
        switch random.next() % 100 {
        case 0..<right: try handle(rightAnswer(job, peer))
        case right..<88: try handle(wrongAnswer(job, peer))
        default: try handle(.worker(peer.id, peer.worker.fail(job, failures.randomElement(using: &random)!)))
        }
    }

    private mutating func rightAnswer(_ job: UInt64, _ peer: Peer) -> RouterCore.Event {
        switch peer.held[job]?.step {
        case .scoring?: return score(job, peer, crops: peer.held[job]?.crops ?? 0)
        case .examining(let kind)?: return evidence(job, peer, kind)
        case .cutting?, nil: return crops(job, peer)
        }
    }

    /// Returns evidence of this kind: a claim with any trust, or a match with any bank.
    private mutating func evidence(_ job: UInt64, _ peer: Peer, _ kind: String) -> RouterCore.Event {
        let report: EvidenceReport
        if kind == "provenance" {
            let claim = random.chance(0.7) ? .aiGenerated : ProvenanceEvidence.Claim.none
            report = .provenance(
                ProvenanceEvidence(claim: claim, trust: .allCases.randomElement(using: &random)!))
        } else {
            let match = KnownEvidence.Match(
                bank: random.chance(0.5) ? "PRESS" : "A", bankKind: .allCases.randomElement(using: &random)!,
                distance: 1, item: 1, sha256: false)
            report = .known(
                KnownEvidence(quality: 80, matches: random.chance(0.5) ? [match].compactMap(\.self) : []))
        }
        return .worker(peer.id, peer.worker.evidence(job, report))
    }

    /// Returns an answer of the wrong kind, or one that does not match the job.
    private mutating func wrongAnswer(_ job: UInt64, _ peer: Peer) -> RouterCore.Event {
        let isLocator = peer.worker.model == "locator"
        if random.chance(0.2) { return .worker(peer.id, peer.worker.evidence(job, wrongEvidence(peer))) }
        if random.chance(0.3) { return isLocator ? wrongScore(job, peer, crops: 1) : wrongCrops(job, peer) }
        if isLocator { return wrongCrops(job, peer) }
        let crops = peer.held[job]?.crops ?? 0
        return wrongScore(job, peer, crops: crops <= 1 || random.chance(0.5) ? crops + 1 : crops - 1)
    }

    /// Returns evidence of a kind that the worker does not find.
    private func wrongEvidence(_ peer: Peer) -> EvidenceReport {
        peer.worker.model == "provenance" ? .unknown : .silent
    }

    private mutating func score(_ job: UInt64, _ peer: Peer, crops: Int) -> RouterCore.Event {
        let logits = (0..<crops).map { _ in Float.random(in: -9...9, using: &random) }
        return .worker(peer.id, peer.worker.score(job, logits: logits))
    }

    /// Returns a score that the core must not use.
    private mutating func wrongScore(_ job: UInt64, _ peer: Peer, crops: Int) -> RouterCore.Event {
        return .worker(peer.id, peer.worker.score(job, logits: Array(repeating: .nan, count: crops)))
    }

    /// Returns the crops that a locator was asked for, of the job's image with some faces.
    private mutating func crops(_ job: UInt64, _ peer: Peer) -> RouterCore.Event {
        guard let held = peer.held[job] else { return wrongCrops(job, peer) }
        let count = [0, 0, 1, 1, 1, 2, 3, Limits.faces].randomElement(using: &random)!
        let looked = held.asked.contains(where: \.needsFaces)
        let faces = (0..<(looked ? count : 0)).map {
            WorkerMessage.Face(box: Box(x: Int32(50 * $0), y: 0, width: 40, height: 40))
        }
        let answer = peer.worker.crops(
            job, of: held.asked, faces: faces,
            facesFound: .some(looked ? faces.count + (random.chance(0.1) ? 5 : 0) : nil))
        guard case .crops(var crops) = answer.message else { preconditionFailure("no crops") }
        if let digest = open[held.token]?.sha256 { crops.image.sha256 = digest }
        return deliver(crops, answer.frames.map(\.count), from: peer.id)
    }

    /// Returns crops that do not match the job, or that belong to no job.
    private mutating func wrongCrops(_ job: UInt64, _ peer: Peer) -> RouterCore.Event {
        let asked = peer.held[job]?.asked ?? []
        let faces = [WorkerMessage.Face(box: .wholeSample)]
        let answer = peer.worker.crops(job, of: asked.isEmpty ? [.sample] : asked, faces: faces)
        guard case .crops(var crops) = answer.message else { preconditionFailure("no crops") }
        var frames = answer.frames.map(\.count)
        let looked = (asked.isEmpty ? [.sample] : asked).contains(where: \.needsFaces)
        if !looked { crops.faces = [] }
        switch random.next() % 8 {
        case 0: frames[0] -= 1
        case 1: frames[frames.count - 1] += 12
        case 2: _ = frames.popLast()
        case 3: frames.append(12)
        case 4:
            crops.sets.append(crops.sets[0])
            frames.append(frames[0])
        case 5: crops.sets[0].squares.append(.wholeSample)
        case 6: crops.facesFound = looked ? nil : 0
        default: crops.faces += Array(repeating: faces[0], count: Limits.faces)
        }
        crops.image.sha256 = Self.wrongDigest
        return deliver(crops, frames, from: peer.id)
    }

    /// The digest of images that must not appear in any result.
    static let wrongDigest = [UInt8](repeating: 0xEE, count: 32)

    private mutating func deliver(
        _ crops: WorkerMessage.Crops, _ frames: [Int], from peer: RouterCore.Peer
    ) -> RouterCore.Event {
        nextCrops += 1
        return .crops(peer, crops, frames: frames, nextCrops - 1)
    }

    mutating func pass(_ duration: Duration) throws {
        let end = now + duration
        // Sometimes the driver is late.
        if random.chance(0.9) {
            while let deadline = core.nextDeadline, deadline <= end {
                now = max(now, deadline)
                for peer in peers.keys.sorted(by: { $0.routingID < $1.routingID })
                where !isPaused(peer) && random.chance(0.6) {
                    try handle(.worker(peer, ping(from: peer)))
                }
                try handle(.deadline)
                try check(core.nextDeadline.map { $0 > now } ?? true, "a timer that has rung is set to \(now) again")
            }
        }
        now = end
    }

    private mutating func ping(from peer: RouterCore.Peer) -> WorkerMessage {
        if random.chance(0.5) { peers[peer]?.progress += 1 }
        return peers[peer]!.worker.ping(progress: peers[peer]!.progress)
    }

    mutating func ping() throws {
        if let peer = randomPeer(), !isPaused(peer) { try handle(.worker(peer, ping(from: peer))) }
    }

    /// Registers a new worker.
    mutating func join(_ worker: ScriptedWorker) throws {
        let id = RouterCore.Peer(routingID: nextPeer)
        nextPeer += 1
        try handle(.worker(id, worker.hello))
    }

    mutating func join() throws {
        if peers.count < 14 || random.chance(0.3) {
            let id = RouterCore.Peer(routingID: nextPeer)
            nextPeer += 1
            try handle(.worker(id, newWorker("w\(id.routingID)").hello))
        } else if let peer = randomPeer() {
            var id = peer
            if random.chance(0.5) {
                id = RouterCore.Peer(routingID: nextPeer)
                nextPeer += 1
            }
            try handle(.worker(id, peers[peer]!.worker.hello))
        }
    }

    /// Returns a new worker. In every second run of the router some workers have another version of preprocessing, and
    /// in all runs some want other crops.
    private mutating func newWorker(_ name: String) -> ScriptedWorker {
        let credit: UInt32 = random.chance(0.1) ? 300 : UInt32.random(in: 0...4, using: &random)
        let version: UInt16 = runs % 2 == 0 && random.chance(0.4) ? 4 : 3
        var specification = [
            CropSpecification.sample, .sample, .centralSample,
            CropSpecification(kind: .face(margin: 2), width: 3, height: 2, preprocessing: 3),
        ].randomElement(using: &random)!
        specification.preprocessing = version
        var worker = ScriptedWorker(name, serving: "resnet", as: .network(specification), credit: credit)
        switch random.next() % 20 {
        case 0: worker.model = "vgg"
        case 1:
            (specification.width, specification.height) = (1 << 15, 1 << 10)
            worker.role = .network(specification)
        case 2..<7: worker.model = "inception"
        case 7..<14:
            worker.model = "locator"
            worker.role = .locator(preprocessing: version)
        case 14..<16: worker = .examiner(random.chance(0.7) ? .provenance : .known, name, credit: credit)
        default: break
        }
        return worker
    }

    mutating func changeCredit() throws {
        let credit: UInt32 = random.chance(0.1) ? .max : UInt32.random(in: 0...5, using: &random)
        try say { $0.credit(credit) }
    }

    mutating func say(_ message: (ScriptedWorker) -> WorkerMessage) throws {
        guard let peer = randomPeer() else { return }
        var worker = peers[peer]!.worker
        if random.chance(0.1) { worker.epoch &-= 1 }
        try handle(.worker(peer, message(worker)))
    }

    /// Sends an answer that the core must drop: a second one, one to another worker's job or an unknown job, one with
    /// an old epoch, or one from an unknown peer.
    mutating func sendInvalidAnswer() throws {
        let everything: [UInt64] =
            Array(past.suffix(50)) + peers.values.flatMap(\.held.keys).sorted() + [0, .max, 8, 16]
        let job = everything.randomElement(using: &random)!
        let nowhere = Peer(
            id: RouterCore.Peer(routingID: 0), worker: ScriptedWorker("stranger", serving: "resnet"), credit: 0,
            lastHeard: now, lastProgress: now)
        var peer = randomPeer().flatMap { peers[$0] } ?? nowhere
        if random.chance(0.1) { peer = nowhere }
        if random.chance(0.3) { peer.worker.epoch &-= 1 }
        switch random.next() % 10 {
        case 0..<4: try handle(wrongScore(job, peer, crops: (peer.held[job]?.crops ?? 0) + 1))
        case 4..<7: try handle(wrongCrops(job, peer))
        case 7:
            // CROPS without frames.
            guard case .crops(_, let crops, _, _) = wrongCrops(job, peer) else { preconditionFailure("no crops") }
            try handle(.worker(peer.id, .crops(crops)))
        case 8: try handle(.worker(peer.id, peer.worker.evidence(job, wrongEvidence(peer))))
        default: try handle(.worker(peer.id, peer.worker.fail(job, .unavailable)))
        }
    }
}

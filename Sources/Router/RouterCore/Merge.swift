internal import BifronsWire
internal import Decisions
internal import Hexadecimal

/// The result of a request, and the decision that its verdict is; nil without a verdict.
struct Outcome {
    var document: ResultDocument
    var decision: Decision?
}

extension Request {
    /// Returns the outcome of an ended request: the models' scores merged face by face, or the error that stands for
    /// them, and the evidence.
    ///
    /// - Parameters:
    ///   - policies: the policies, of which the active version of the requested one decides.
    ///   - overriding: an error that is the result whatever the models have answered.
    func outcome(
        _ ensemble: Ensemble, _ policies: PolicyBook, at now: Instant, overriding error: WireError? = nil
    ) -> Outcome {
        var document = ResultDocument(to: header, status: .ok)
        document.totalMilliseconds = (now - received).milliseconds
        document.image = cut?.crops.image
        document.locator = cut.map(locatorResult)
        document.attempts = max(earlierAttempts, steps[..<scoring.upperBound].map(\.attempts).max() ?? 0)
        document.evidence = evidence(ensemble)
        let steps = steps[scoring]
        let scores = FaceScores(steps, ensemble, explain: header.explain)
        document.models = steps.map { modelResult($0, ensemble, scores.decisive) }
        let failures = steps.compactMap(\.error)
        if let error = error ?? decidingError(failures) {
            document.status = error.status
            document.error = ResultDocument.Problem(error)
            return Outcome(document: document)
        }
        guard !scoring.isEmpty, let policy = policies.active(header.policy, for: principal.jobOwner.tenant) else {
            document.failWithoutEvidence()
            return Outcome(document: document)
        }
        document.status = failures.isEmpty ? .ok : .partial
        document.degraded = !failures.isEmpty
        if let found = scores.facesFound {
            let faces = scores.faces(ensemble)
            document.faces = faces
            document.facesFound = max(found, faces.count)
        }
        if document.faces?.isEmpty != false { document.maps = scores.squareMaps }
        let evidence = document.evidence.map(EvidenceFacts.init)
        let verdict = policy.verdict(
            scores.decisive?.probability, isDegraded: document.degraded, evidence: evidence)
        document.verdict = verdict
        var decision = decision(verdict, scores, evidence, document, ensemble)
        decision.body.shadow = policy.policy.shadow.compactMap { policies[$0] }.map { shadow in
            Decision.Body.Shadow(
                shadow.reference,
                shadow.verdict(scores.decisive?.probability, isDegraded: document.degraded, evidence: evidence))
        }
        return Outcome(document: document, decision: decision)
    }

    /// Returns the decision for the ledger, without the shadow policies.
    private func decision(
        _ verdict: ResultDocument.Verdict, _ scores: FaceScores, _ evidence: [EvidenceFacts],
        _ document: ResultDocument, _ ensemble: Ensemble
    ) -> Decision {
        let body = Decision.Body(
            document, verdict,
            regions: scores.regions.map {
                Decision.Body.Region(isFace: $0.box != nil, turned: $0.turned, logits: $0.logits)
            }, merge: ensemble.merge.digest, evidence: evidence)
        let boxes = scores.regions.map { $0.box.map { [$0.x, $0.y, $0.width, $0.height].map(Int.init) } }
        let personal = Decision.Personal(
            subject: header.subject, request: document.id, sha256: document.image?.sha256.hexadecimal, boxes: boxes,
            evidence: document.evidence.map(\.text))
        return Decision(number: number, tenant: principal.jobOwner.tenant, body: body, personal: personal)
    }

    /// Returns the error that stands for the whole request, or nil if the scores suffice for a verdict.
    private func decidingError(_ failures: [WireError]) -> WireError? {
        if failures.isEmpty || (header.requirement == .any && failures.count < scoring.count) { return nil }
        // An error of the image itself comes first, because a retry would not change it.
        return failures.first { $0.status.isFinal } ?? failures.first
    }

    private func locatorResult(_ cut: KeptCrops) -> ResultDocument.LocatorResult {
        let compute = Double(cut.crops.timings.computeMicroseconds) / 1000
        return ResultDocument.LocatorResult(
            version: cut.worker.version, digest: cut.worker.digest,
            queueMilliseconds: max(0, (cut.at - received).milliseconds - compute), computeMilliseconds: compute,
            worker: cut.worker.name)
    }

    private func modelResult(
        _ step: Step, _ ensemble: Ensemble, _ decisive: FaceScores.Region?
    ) -> ResultDocument.ModelResult {
        let name = ensemble.pools[step.pool]
        guard case .scored(let score, let cut, _, let worker, let answered) = step.state else {
            guard let error = step.error else { preconditionFailure("a request ended with an unsettled step") }
            var result = ResultDocument.ModelResult(name: name, status: error.status)
            result.error = ResultDocument.Problem(error)
            return result
        }
        var result = ResultDocument.ModelResult(name: name, status: .ok)
        result.version = worker.version
        result.digest = worker.digest
        result.worker = worker.name
        let logit = decisive?.logits[step.pool] ?? score.crops.map(\.logit).max()
        result.aiProbability = logit.map { Merge.sigmoid(Double($0)) }
        // All time that was not spent computing was waiting: in the router, on the way or in the worker.
        let compute = Double(score.timings.computeMicroseconds) / 1000
        result.computeMilliseconds = compute
        result.queueMilliseconds = max(0, (answered - cut.at).milliseconds - compute)
        return result
    }
}

extension ResultDocument {
    /// Takes over the first error of the evidence if no evidence has been found.
    fileprivate mutating func failWithoutEvidence() {
        guard !evidence.contains(where: { $0.status == .ok }), let failed = evidence.first(where: { $0.error != nil })
        else { return }
        status = failed.status
        error = failed.error
    }
}

extension Step {
    var error: WireError? {
        if case .failed(let error) = state { error } else { nil }
    }
}

/// The models' scores, face by face.
///
/// A model that looks for faces says nothing about an image without any. Its score of the central square is reported
/// with the model's own result and takes no part in the verdict. A model that looks at whole images always takes part.
private struct FaceScores {
    /// One face, or the central square, with its scores.
    struct Region {
        /// The face's bounding box; nil for the central square.
        var box: Box?
        /// The degrees by which the face is turned; nil if that is not known.
        var turned: Double?
        /// The calibrated logit of each model of the ensemble; nil without a score.
        var logits: [Float?]
        var probability: Double
        /// Each model's heat map by the model's name; empty unless maps were asked for.
        var maps: [String: HeatMap] = [:]
    }

    let regions: [Region]
    /// The most faces found in the image; nil if no model looked for any.
    let facesFound: Int?
    /// Each model's heat map of the central square by the model's name; empty unless maps were asked for.
    let squareMaps: [String: HeatMap]

    /// Groups the scores by face. Faces of different crops are matched by their bounding boxes.
    ///
    /// These are equal unless the image was cut a second time. Then another kind of processor may have placed a border
    /// elsewhere, so boxes that overlap by more than half (intersection over union) count as one face. A face that only
    /// some models have seen is merged from their scores.
    init(_ steps: ArraySlice<Step>, _ ensemble: Ensemble, explain: Bool) {
        var regions: [Region] = []
        var facesFound: Int?
        var squareMaps: [String: HeatMap] = [:]
        for step in steps {
            guard case .scored(let score, let cut, let frame, _, _) = step.state else { continue }
            let looksForFaces = cut.specifications[frame].needsFaces
            if looksForFaces, let found = cut.crops.facesFound { facesFound = max(found, facesFound ?? 0) }
            for (number, crop) in score.crops.enumerated() {
                let face = looksForFaces && !cut.crops.faces.isEmpty ? cut.crops.faces[number] : nil
                let square = cut.crops.sets[frame].squares[number]
                let map = explain ? crop.map.map { HeatMap(square: square, evidence: $0) } : nil
                if face == nil { squareMaps[ensemble.models[step.pool]] = map }
                if face == nil, looksForFaces { continue }
                let same = regions.indices
                    .filter { regions[$0].logits[step.pool] == nil }
                    .map { (index: $0, overlap: Self.overlap(regions[$0].box, face?.box)) }
                    .max { $0.overlap < $1.overlap }
                let index: Int
                if let same, same.overlap > 0.5 {
                    index = same.index
                } else {
                    index = regions.count
                    let logits = [Float?](repeating: nil, count: ensemble.models.count)
                    regions.append(Region(box: face?.box, turned: face?.turned, logits: logits, probability: 0))
                }
                regions[index].logits[step.pool] = crop.logit
                regions[index].maps[ensemble.models[step.pool]] = map
            }
        }
        for index in regions.indices {
            regions[index].probability = ensemble.merge.probability(regions[index].logits)
        }
        self.regions = regions
        self.facesFound = facesFound
        self.squareMaps = squareMaps
    }

    /// Returns the intersection over union of two boxes; 1 for two central squares.
    private static func overlap(_ first: Box?, _ second: Box?) -> Double {
        guard let first, let second else { return first == second ? 1 : 0 }
        return first.overlap(with: second)
    }

    /// The region with the highest probability, which decides the verdict; nil if no region has a score.
    var decisive: Region? { regions.max { $0.probability < $1.probability } }

    func faces(_ ensemble: Ensemble) -> [ResultDocument.Face] {
        regions.compactMap { region in
            region.box.map { box in
                let models = zip(ensemble.models, region.logits).compactMap { name, logit in
                    logit.map { (name: name, aiProbability: Merge.sigmoid(Double($0))) }
                }
                return ResultDocument.Face(
                    box: box, turned: region.turned, aiProbability: region.probability, models: models,
                    maps: region.maps)
            }
        }
    }
}

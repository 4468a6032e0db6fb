internal import BifronsWire

extension Request {
    /// The result of a request that has ended: the models' scores merged face by face, or the error that stands for them.
    ///
    /// - Parameter overriding: an error that is the answer whatever the models said.
    func result(_ ensemble: Ensemble, at now: Instant, overriding error: WireError? = nil) -> ResultDocument {
        var document = ResultDocument(id: header.id, status: .ok)
        document.metadata = header.metadata
        document.totalMilliseconds = (now - received).milliseconds
        document.image = cut?.crops.image
        document.locator = cut.map(locatorResult)
        document.attempts = max(earlierAttempts, steps.map(\.attempts).max() ?? 0)
        let steps = steps[scoring]
        let evidence = Evidence(steps, ensemble, explain: header.explain)
        document.models = steps.map { modelResult($0, ensemble, evidence.decisive) }
        let failures = steps.compactMap(\.error)
        if let error = error ?? decidingError(failures) {
            document.status = error.status
            document.error = ResultDocument.Problem(error)
            return document
        }
        document.status = failures.isEmpty ? .ok : .partial
        document.degraded = !failures.isEmpty
        if let found = evidence.facesFound {
            let faces = evidence.faces(ensemble)
            document.faces = faces
            document.facesFound = max(found, faces.count)
        }
        if document.faces?.isEmpty != false { document.maps = evidence.squareMaps }
        document.verdict = ensemble.verdict(evidence.decisive?.probability, policy: header.policy)
        return document
    }

    /// The error that stands for the whole request, if what was scored is not enough for a verdict.
    private func decidingError(_ failures: [WireError]) -> WireError? {
        if failures.isEmpty || (header.requirement == .any && failures.count < scoring.count) { return nil }
        // The picture's own fault first: it is the one thing that another try would not change.
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
        _ step: Step, _ ensemble: Ensemble, _ decisive: Evidence.Region?
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
        result.aiProbability = logit.map { Ensemble.sigmoid(Double($0)) }
        // Everything that was not computing was waiting, in the router, on the way or in the worker.
        let compute = Double(score.timings.computeMicroseconds) / 1000
        result.computeMilliseconds = compute
        result.queueMilliseconds = max(0, (answered - cut.at).milliseconds - compute)
        return result
    }
}

extension Step {
    var error: WireError? {
        if case .failed(let error) = state { error } else { nil }
    }
}

/// What the models saw, face by face.
///
/// A model that looks for faces says nothing of a picture in which it found none: what it makes of the central square is told
/// with the model's own results and takes no part in the verdict. A model that looks at whole pictures always does.
private struct Evidence {
    struct Region {
        /// Nil for the central square.
        var box: Box?
        var turned: Double?
        /// For each model of the ensemble its calibrated logit.
        var logits: [Float?]
        var probability: Double
        /// Each model's map by its name, where maps are asked for.
        var maps: [String: HeatMap] = [:]
    }

    private let regions: [Region]
    /// The most faces that one of the models found; nil if none of them looked for any.
    let facesFound: Int?
    /// Each model's map of the central square by its name, where maps are asked for.
    let squareMaps: [String: HeatMap]

    /// Faces are matched by their boxes. They are the same unless the picture was cut a second time; then another kind of
    /// processor may have put a border elsewhere, so boxes that mostly overlap are one face. A face that only some models
    /// have seen is merged from those.
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
        for index in regions.indices { regions[index].probability = ensemble.probability(regions[index].logits) }
        self.regions = regions
        self.facesFound = facesFound
        self.squareMaps = squareMaps
    }

    /// Intersection over union; 1 of two central squares.
    private static func overlap(_ first: Box?, _ second: Box?) -> Double {
        guard let first, let second else { return first == second ? 1 : 0 }
        func shared(_ start: Int32, _ length: Int32, _ otherStart: Int32, _ otherLength: Int32) -> Double {
            let end = min(Double(start) + Double(length), Double(otherStart) + Double(otherLength))
            return max(0, end - Double(max(start, otherStart)))
        }
        let intersection =
            shared(first.x, first.width, second.x, second.width)
            * shared(first.y, first.height, second.y, second.height)
        func area(_ box: Box) -> Double { Double(box.width) * Double(box.height) }
        let union = area(first) + area(second) - intersection
        return union > 0 ? intersection / union : first == second ? 1 : 0
    }

    /// The most suspicious region, which the verdict is about; nil if there is none that says anything.
    var decisive: Region? { regions.max { $0.probability < $1.probability } }

    func faces(_ ensemble: Ensemble) -> [ResultDocument.Face] {
        regions.compactMap { region in
            region.box.map { box in
                let models = zip(ensemble.models, region.logits).compactMap { name, logit in
                    logit.map { (name: name, aiProbability: Ensemble.sigmoid(Double($0))) }
                }
                return ResultDocument.Face(
                    box: box, turned: region.turned, aiProbability: region.probability, models: models,
                    maps: region.maps)
            }
        }
    }
}

internal import Wire

extension Request {
    /// The result of a request that has ended: the models' scores merged face by face, or the error that stands for them.
    ///
    /// - Parameter overriding: an error that is the answer whatever the models said.
    func result(_ ensemble: Ensemble, at now: Instant, overriding error: WireError?) -> ResultDocument {
        var document = ResultDocument(id: header.id, status: .ok)
        document.metadata = header.metadata
        document.totalMilliseconds = (now - received).milliseconds
        document.image = image
        document.attempts = tasks.map(\.attempts).max() ?? 0
        let evidence = Evidence(tasks, ensemble, explain: header.explain)
        document.models = tasks.map { modelResult($0, ensemble, evidence.decisive) }
        let failures = tasks.compactMap(\.error)
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
        if failures.isEmpty || (header.requirement == .any && failures.count < tasks.count) { return nil }
        // The picture's own fault first: it is the one thing that another try would not change.
        return failures.first { $0.status.isFinal } ?? failures.first
    }

    private func modelResult(
        _ task: Task, _ ensemble: Ensemble, _ decisive: Evidence.Region?
    ) -> ResultDocument.ModelResult {
        let name = ensemble.models[task.model]
        guard case .scored(let score, let worker, let answered) = task.state else {
            guard let error = task.error else { preconditionFailure("a request ended with an unsettled task") }
            var result = ResultDocument.ModelResult(name: name, status: error.status)
            result.error = ResultDocument.Problem(error)
            return result
        }
        var result = ResultDocument.ModelResult(name: name, status: .ok)
        result.version = worker.version
        result.digest = worker.digest
        result.worker = worker.name
        let logit = decisive?.logits[task.model] ?? score.regions.map(\.logit).max()
        result.aiProbability = logit.map { Ensemble.sigmoid(Double($0)) }
        // Everything that was not computing was waiting, in the router, on the way or in the worker.
        let compute = Double(score.timings.computeMicroseconds) / 1000
        result.computeMilliseconds = compute
        result.queueMilliseconds = max(0, (answered - received).milliseconds - compute)
        return result
    }
}

extension Task {
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

    /// Faces are matched by their boxes. They agree to the bit between workers of one release and one kind of processor;
    /// where processors differ, their last bits and with them a border may, so boxes that mostly overlap are one face. A
    /// face that only some models report is merged from those.
    init(_ tasks: [Task], _ ensemble: Ensemble, explain: Bool) {
        var regions: [Region] = []
        var facesFound: Int?
        var squareMaps: [String: HeatMap] = [:]
        for task in tasks {
            guard case .scored(let score, _, _) = task.state else { continue }
            if let found = score.facesFound { facesFound = max(found, facesFound ?? 0) }
            for seen in score.regions {
                if seen.box == nil, explain { squareMaps[ensemble.models[task.model]] = seen.map }
                if seen.box == nil, score.facesFound != nil { continue }
                let same = regions.indices
                    .filter { regions[$0].logits[task.model] == nil }
                    .map { (index: $0, overlap: Self.overlap(regions[$0].box, seen.box)) }
                    .max { $0.overlap < $1.overlap }
                let index: Int
                if let same, same.overlap > 0.5 {
                    index = same.index
                } else {
                    index = regions.count
                    let logits = [Float?](repeating: nil, count: ensemble.models.count)
                    regions.append(Region(box: seen.box, turned: seen.turned, logits: logits, probability: 0))
                }
                regions[index].logits[task.model] = seen.logit
                if explain { regions[index].maps[ensemble.models[task.model]] = seen.map }
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

package import BifronsWire

/// Builds a worker's messages as values, for tests that need neither a socket nor a network.
package struct ScriptedWorker: Sendable {
    package var role: WorkerMessage.Role
    package var model: String
    package var name: String
    package var credit: UInt32
    package var version = "1.0.0"
    package var digest = "sha256:00ff"
    package var metrics: [String: Double] = [:]
    package var sandbox: WorkerMessage.Sandbox?
    package var bootID = UInt64.random(in: .min ... .max)
    /// The epoch of the latest WELCOME.
    package var epoch: UInt64 = 0

    package init(
        _ name: String, serving model: String, as role: WorkerMessage.Role = .network(.sample), credit: UInt32 = 4
    ) {
        self.role = role
        self.model = model
        self.name = name
        self.credit = credit
    }

    /// Returns a worker of the first stage.
    package static func locator(_ name: String = "locator-1", credit: UInt32 = 4) -> ScriptedWorker {
        ScriptedWorker(
            name, serving: "locator", as: .locator(preprocessing: CropSpecification.sample.preprocessing),
            credit: credit)
    }

    /// Returns a worker that finds evidence.
    package static func examiner(
        _ kind: EvidenceKind, _ name: String? = nil, credit: UInt32 = 4
    ) -> ScriptedWorker {
        ScriptedWorker(name ?? "\(kind.rawValue)-1", serving: kind.rawValue, as: .evidence, credit: credit)
    }

    package var hello: WorkerMessage {
        .hello(
            WorkerMessage.Hello(
                role: role, model: model, version: version, digest: digest, worker: name, credit: credit,
                bootID: bootID, metrics: metrics, sandbox: sandbox))
    }

    /// Returns a CROPS with the frames after it.
    ///
    /// - Parameter facesFound: the number of faces found. By default the number of `faces`, or nil when no
    ///   specification asks for faces.
    package func crops(
        _ job: UInt64, of specifications: [CropSpecification] = [.sample], faces: [WorkerMessage.Face] = [],
        facesFound: Int?? = nil
    ) -> (message: WorkerMessage, frames: [[UInt8]]) {
        let sets = specifications.map { specification in
            let boxes = specification.needsFaces ? faces.map(\.box) : []
            return WorkerMessage.CropSet(squares: boxes.isEmpty ? [.wholeSample] : boxes)
        }
        let frames = zip(specifications, sets).map { [UInt8](repeating: 7, count: $0.cropBytes * $1.squares.count) }
        let looked = specifications.contains(where: \.needsFaces) ? faces.count : nil
        let crops = WorkerMessage.Crops(
            epoch: epoch, job: job, faces: faces, facesFound: facesFound ?? looked, image: .sample, sets: sets,
            timings: .sample)
        return (.crops(crops), frames)
    }

    /// Returns a SCORE with one logit for each crop.
    package func score(_ job: UInt64, logits: [Float] = [0], maps: [EvidenceMap?]? = nil) -> WorkerMessage {
        let crops = logits.indices.map { WorkerMessage.CropScore(logit: logits[$0], map: maps?[$0]) }
        return .score(WorkerMessage.Score(epoch: epoch, job: job, crops: crops, timings: .sample))
    }

    /// Returns an EVIDENCE.
    package func evidence(_ job: UInt64, _ report: EvidenceReport) -> WorkerMessage {
        .evidence(WorkerMessage.Evidence(epoch: epoch, job: job, report: report, timings: .sample))
    }

    package func fail(_ job: UInt64, _ status: Status, code: String = "scripted") -> WorkerMessage {
        .fail(WorkerMessage.Failure(epoch: epoch, job: job, error: WireError(status, code: code, "as the script says")))
    }

    package func ping(inFlight: UInt32 = 0, progress: UInt64 = 0) -> WorkerMessage {
        .ping(epoch: epoch, inFlight: inFlight, progress: progress)
    }

    package func credit(_ jobs: UInt32) -> WorkerMessage { .credit(epoch: epoch, jobs: jobs) }
    package var drain: WorkerMessage { .drain(epoch: epoch) }
    package var bye: WorkerMessage { .bye(epoch: epoch) }
}

extension ImageInformation {
    /// An image that exists only as its description.
    package static let sample = ImageInformation(
        format: .jpeg, width: 640, height: 480, sha256: (0..<32).map { UInt8($0 * 8) })
}

extension EvidenceReport {
    /// An image that says of itself, in a signed manifest, that a model made it.
    package static let generated = EvidenceReport.provenance(
        ProvenanceEvidence(
            claim: .aiGenerated, trust: .trusted, source: .c2pa, generator: "a model", signer: "its maker",
            validation: ["claimSignature.validated"], digest: Array(repeating: 7, count: 32)))
    /// An image that says nothing of itself.
    package static let silent = EvidenceReport.provenance(ProvenanceEvidence(claim: .none, trust: .unsigned))
    /// An image that no bank has.
    package static let unknown = EvidenceReport.known(KnownEvidence(quality: 97, matches: []))
}

extension CropSpecification {
    /// Small crops of faces.
    package static let sample = CropSpecification(kind: .face(margin: 1.6), width: 2, height: 2, preprocessing: 3)
    /// Small crops of the central square.
    package static let centralSample = CropSpecification(kind: .centralSquare, width: 3, height: 2, preprocessing: 3)
}

extension Box {
    /// The central square of the sample image.
    package static let wholeSample = Box(x: 80, y: 0, width: 480, height: 480)
}

extension WorkerMessage.Timings {
    package static let sample = Self(queueMicroseconds: 300, computeMicroseconds: 2000, batch: 1)
}

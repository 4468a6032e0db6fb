/// The result frame: the answer to a request, whether it succeeded or failed.
///
/// The router encodes it with `encoded()`, and clients decode it with any `Decoder`. A test checks that the two agree.
public struct ResultDocument: Equatable, Sendable {
    /// The request's id; nil if the request had none that could be read.
    public var id: String?
    /// The outcome of the request.
    public var status: Status
    /// The verdict on the image. Present only with ``Status/ok`` and ``Status/partial``.
    public var verdict: Verdict?
    /// One result for each requested model, in the ensemble's order.
    public var models: [ModelResult] = []
    /// The result of the first stage; nil if no locator cut crops out of the image.
    public var locator: LocatorResult?
    /// One entry for each kind of evidence that the ensemble names, in its order.
    public var evidence: [Evidence] = []
    /// Whether the verdict lacks a requested model.
    public var degraded = false
    /// The most workers of one model, or of the locator, that the job was dispatched to.
    public var attempts = 0
    /// The milliseconds from the router's receipt of the request to this result.
    public var totalMilliseconds: Double?
    /// The scored faces, the largest first. Nil when no model looks for faces; empty when none was found.
    public var faces: [Face]?
    /// The number of faces found, of which only the largest are scored. Present together with `faces`.
    public var facesFound: Int?
    /// Each model's heat map of the central square, by the model's name. Only with `explain`, and only when no face was
    /// scored.
    public var maps: [String: HeatMap] = [:]
    /// The properties of the image file; nil if no worker decoded it.
    public var image: ImageInformation?
    /// The JSON text of the request's `metadata`. Decoding does not read it.
    public var metadata: [UInt8]?
    /// The reason why the request failed; nil after a success.
    public var error: Problem?
    /// The id of the decision in the router's decision ledger; nil if it keeps none.
    public var decision: String?
    /// False if the decision could not be recorded and the policy allows an answer without that; nil otherwise.
    public var isRecorded: Bool?
    /// With status 429: the milliseconds after which a retry is likely to be admitted.
    public var retryAfterMilliseconds: Int?

    /// Creates a result of an id and a status, without the other fields.
    public init(id: String?, status: Status) {
        self.id = id
        self.status = status
    }

    /// Creates the result of a request that failed.
    public init(id: String?, error: WireError) {
        self.init(id: id, status: error.status)
        self.error = Problem(error)
    }

    /// A verdict on an image.
    public enum Label: String, Codable, CaseIterable, Sendable {
        /// The image is a photograph: the probability is below 0.5.
        case real
        /// The image is AI-generated: the probability is at least 0.5.
        case aiGenerated = "ai_generated"
        /// No face was found, so there is no verdict on the image.
        case noFace = "no_face"
    }

    /// The action that a policy decides on for an image.
    public enum PolicyAction: String, Codable, CaseIterable, Comparable, Sendable {
        /// The image may pass.
        case allow
        /// A person should look at the image.
        case review
        /// The image must not pass.
        case block

        /// Returns whether the left action is milder than the right one.
        public static func < (left: PolicyAction, right: PolicyAction) -> Bool {
            allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
        }
    }

    /// The verdict of a policy on an image.
    public struct Verdict: Equatable, Decodable, Sendable {
        /// The label of the image.
        public var label: Label
        /// The calibrated probability that the image is AI-generated, from 0 to 1; nil with the label `noFace`.
        public var aiProbability: Double?
        /// The action that the policy decides on.
        public var action: PolicyAction
        /// The name of the policy.
        public var policy: String
        /// The number of the policy's version, from 1; nil from routers of earlier releases.
        public var policyVersion: Int?
        /// `sha256:` and the hexadecimal digest of the policy's version; nil from routers of earlier releases.
        public var policyDigest: String?
        /// The reasons of the policy's clauses on evidence that changed the action, in the order in which they did.
        /// ``evidenceMissing`` says that a clause could not be decided.
        public var reasons: [String]

        /// The reason of a clause that needs evidence which the result does not have.
        public static let evidenceMissing = "evidence_missing"

        /// The reason of an action that is stricter because the verdict lacks a requested model.
        public static let degraded = "degraded"

        /// Creates a verdict. The probability is nil with the label `noFace`.
        public init(
            label: Label, aiProbability: Double?, action: PolicyAction, policy: String, reasons: [String] = []
        ) {
            self.label = label
            self.aiProbability = aiProbability
            self.action = action
            self.policy = policy
            self.reasons = reasons
        }

        private enum CodingKeys: String, CodingKey {
            case label, action, policy, reasons
            case aiProbability = "ai_probability"
            case policyVersion = "policy_version"
            case policyDigest = "policy_digest"
        }

        /// Decodes a verdict.
        /// - Throws: `DecodingError` if a field is missing, has another type or an unknown value.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            label = try fields.decode(Label.self, forKey: .label)
            aiProbability = try fields.decodeIfPresent(Double.self, forKey: .aiProbability)
            action = try fields.decode(PolicyAction.self, forKey: .action)
            policy = try fields.decode(String.self, forKey: .policy)
            policyVersion = try fields.decodeIfPresent(Int.self, forKey: .policyVersion)
            policyDigest = try fields.decodeIfPresent(String.self, forKey: .policyDigest)
            reasons = try fields.decodeIfPresent([String].self, forKey: .reasons) ?? []
        }
    }

    /// The evidence of one kind, or the reason why there is none.
    public struct Evidence: Equatable, Sendable {
        /// The kind of evidence.
        public var kind: EvidenceKind
        /// ``Status/ok`` with a report; otherwise the status of the failure.
        public var status: Status
        /// The evidence; nil after a failure.
        public var report: EvidenceReport?
        /// The reason why there is no report; nil with a report.
        public var error: Problem?

        /// Creates the entry of a report.
        public init(_ report: EvidenceReport) {
            kind = report.kind
            status = .ok
            self.report = report
        }

        /// The entry as JSON text.
        package var text: String {
            var json = JSONWriter(capacity: 256)
            json.object { ResultDocument.write(self, &$0) }
            return String(decoding: json.bytes, as: UTF8.self)
        }

        /// Creates the entry of a failure.
        public init(_ kind: EvidenceKind, failed error: WireError) {
            self.kind = kind
            status = error.status
            self.error = Problem(error)
        }
    }

    /// An error, as a code for programs and a message for people.
    public struct Problem: Equatable, Codable, Sendable {
        /// A code for programs, such as `image_truncated`. Any release may add codes.
        public var code: String
        /// One sentence for people. Any release may change it.
        public var message: String

        /// Creates a problem from the code and the message of an error.
        public init(_ error: WireError) {
            code = error.code
            message = error.message
        }
    }

    /// The result of one model.
    public struct ModelResult: Equatable, Decodable, Sendable {
        /// The model's name.
        public var name: String
        /// The model's version according to its manifest; nil without a score.
        public var version: String?
        /// `sha256:` and the hexadecimal digest of the weights; nil without a score.
        public var digest: String?
        /// ``Status/ok`` if the model gave a score; otherwise the status of its failure.
        public var status: Status
        /// The calibrated probability, from 0 to 1, that the image is AI-generated; nil without a score.
        public var aiProbability: Double?
        /// The milliseconds that the crops waited in the router, on the way and in the worker.
        public var queueMilliseconds: Double?
        /// The milliseconds from the start of the crops' first batch to the score.
        public var computeMilliseconds: Double?
        /// The name of the worker that scored the crops.
        public var worker: String?
        /// The reason why the model gave no score; nil with a score.
        public var error: Problem?

        /// Creates a model's result of a name and a status, without the other fields.
        public init(name: String, status: Status) {
            self.name = name
            self.status = status
        }

        private enum CodingKeys: String, CodingKey {
            case name, version, digest, status, worker, error
            case aiProbability = "ai_probability"
            case queueMilliseconds = "queue_ms"
            case computeMilliseconds = "compute_ms"
        }
    }

    /// The result of the first stage: decoding, finding faces and cutting crops.
    public struct LocatorResult: Equatable, Decodable, Sendable {
        /// The locator's version according to its manifest.
        public var version: String
        /// `sha256:` and the hexadecimal digest of the locator's weights.
        public var digest: String
        /// The milliseconds that the image waited in the router, on the way and in the worker.
        public var queueMilliseconds: Double
        /// The milliseconds from the start of decoding to the crops.
        public var computeMilliseconds: Double
        /// The name of the worker that decoded the image.
        public var worker: String

        /// Creates the result of the first stage. Times are in milliseconds.
        public init(
            version: String, digest: String, queueMilliseconds: Double, computeMilliseconds: Double, worker: String
        ) {
            self.version = version
            self.digest = digest
            self.queueMilliseconds = queueMilliseconds
            self.computeMilliseconds = computeMilliseconds
            self.worker = worker
        }

        private enum CodingKeys: String, CodingKey {
            case version, digest, worker
            case queueMilliseconds = "queue_ms"
            case computeMilliseconds = "compute_ms"
        }
    }

    /// One scored face.
    public struct Face: Equatable, Sendable {
        /// The bounding box in pixels of the upright image.
        public var box: Box
        /// The degrees clockwise, more than -180 and at most 180, by which the face is turned in the upright image. The
        /// face was turned upright before scoring. Nil if it was not turned.
        public var turned: Double?
        /// The merged, calibrated probability, from 0 to 1, that the face is AI-generated.
        public var aiProbability: Double
        /// Each model's calibrated probability, in the ensemble's order.
        public var models: [(name: String, aiProbability: Double)]
        /// Each model's heat map by the model's name; empty without `explain`.
        public var maps: [String: HeatMap]

        /// Creates a scored face, with its heat maps if the request asked for them (`explain`).
        public init(
            box: Box, turned: Double? = nil, aiProbability: Double, models: [(name: String, aiProbability: Double)],
            maps: [String: HeatMap] = [:]
        ) {
            self.box = box
            self.turned = turned
            self.aiProbability = aiProbability
            self.models = models
            self.maps = maps
        }

        /// Returns whether all fields are equal, including the order of the models.
        public static func == (left: Face, right: Face) -> Bool {
            left.box == right.box && left.turned == right.turned && left.aiProbability == right.aiProbability
                && left.models.elementsEqual(right.models, by: ==) && left.maps == right.maps
        }
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("id", id)
            json.member("status", status.rawValue)
            if let verdict { json.member("verdict") { Self.write(verdict, &$0) } }
            if !models.isEmpty {
                json.member("models", models) { json, model in json.object { Self.write(model, &$0) } }
                json.member("degraded", degraded)
                json.member("attempts", attempts)
            }
            if let locator { json.member("locator") { Self.write(locator, &$0) } }
            if !evidence.isEmpty {
                json.member("evidence", evidence) { json, entry in json.object { Self.write(entry, &$0) } }
            }
            json.member("total_ms", totalMilliseconds, decimals: 3)
            json.member("faces", faces) { json, face in json.object { Self.write(face, &$0) } }
            json.member("faces_found", facesFound)
            Self.write(maps, &json)
            if let image { json.member("image") { Self.write(image, &$0) } }
            json.member("decision", decision)
            if let isRecorded { json.member("recorded", isRecorded) }
            json.member("metadata", raw: metadata)
            Self.write(error, &json)
            json.member("retry_after_ms", retryAfterMilliseconds)
        }
        return json.bytes
    }

    private static func write(_ verdict: Verdict, _ json: inout JSONWriter) {
        json.member("label", verdict.label.rawValue)
        json.member("ai_probability", verdict.aiProbability)
        json.member("action", verdict.action.rawValue)
        json.member("policy", verdict.policy)
        json.member("policy_version", verdict.policyVersion)
        json.member("policy_digest", verdict.policyDigest)
        if !verdict.reasons.isEmpty { json.member("reasons", verdict.reasons) { json, reason in json.string(reason) } }
    }

    fileprivate static func write(_ evidence: Evidence, _ json: inout JSONWriter) {
        json.member("kind", evidence.kind.rawValue)
        json.member("status", evidence.status.rawValue)
        evidence.report?.write(&json)
        write(evidence.error, &json)
    }

    private static func write(_ model: ModelResult, _ json: inout JSONWriter) {
        json.member("name", model.name)
        json.member("version", model.version)
        json.member("digest", model.digest)
        json.member("status", model.status.rawValue)
        json.member("ai_probability", model.aiProbability)
        json.member("queue_ms", model.queueMilliseconds, decimals: 3)
        json.member("compute_ms", model.computeMilliseconds, decimals: 3)
        json.member("worker", model.worker)
        write(model.error, &json)
    }

    private static func write(_ locator: LocatorResult, _ json: inout JSONWriter) {
        json.member("version", locator.version)
        json.member("digest", locator.digest)
        json.member("queue_ms", locator.queueMilliseconds, decimals: 3)
        json.member("compute_ms", locator.computeMilliseconds, decimals: 3)
        json.member("worker", locator.worker)
    }

    private static func write(_ face: Face, _ json: inout JSONWriter) {
        json.key("box")
        json.box(face.box)
        json.member("turned", face.turned, decimals: 1)
        json.member("ai_probability", face.aiProbability)
        json.member("models") { json in
            for model in face.models {
                json.key(escaping: model.name)
                json.number(model.aiProbability)
            }
        }
        write(face.maps, &json)
    }

    private static func write(_ maps: [String: HeatMap], _ json: inout JSONWriter) {
        guard !maps.isEmpty else { return }
        json.member("maps") { json in
            for (name, map) in maps.sorted(by: { $0.key < $1.key }) {
                json.key(escaping: name)
                json.object { json in
                    json.key("square")
                    json.box(map.square)
                    json.member("width", map.evidence.width)
                    json.member("height", map.evidence.height)
                    json.key("data")
                    json.base64(map.evidence.cells)
                }
            }
        }
    }

    private static func write(_ image: ImageInformation, _ json: inout JSONWriter) {
        json.member("format", image.format.rawValue)
        if image.isAnimated { json.member("animated", true) }
        json.member("width", Int(image.width))
        json.member("height", Int(image.height))
        json.key("sha256")
        json.hexadecimal(image.sha256)
    }

    private static func write(_ error: Problem?, _ json: inout JSONWriter) {
        guard let error else { return }
        json.member("error") { json in
            json.member("code", error.code)
            json.member("message", error.message)
        }
    }
}

/// The result frame: the answer to a request, whether it succeeded or failed.
///
/// The router encodes it with `encoded()`, and clients decode it with any `Decoder`. A test checks that the two agree.
public struct ResultDocument: Equatable, Sendable {
    /// The request's id; nil if the request had none that could be read.
    public var id: String?
    public var status: Status
    public var verdict: Verdict?
    /// One result for each requested model, in the ensemble's order.
    public var models: [ModelResult] = []
    /// The result of the first stage; nil if the image was not cut.
    public var locator: LocatorResult?
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
    public var image: ImageInformation?
    /// The JSON text of the request's `metadata`. Decoding does not read it.
    public var metadata: [UInt8]?
    /// Why the request failed; nil after a success.
    public var error: Problem?
    /// With status 429: the milliseconds after which a retry is likely to be admitted.
    public var retryAfterMilliseconds: Int?

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
        case real
        case aiGenerated = "ai_generated"
        /// Faces were looked for and none was found, so nothing is said about the image.
        case noFace = "no_face"
    }

    /// The action that a policy decides on for an image.
    public enum PolicyAction: String, Codable, CaseIterable, Comparable, Sendable {
        case allow, review, block

        /// Returns whether the left action is the milder one.
        public static func < (left: PolicyAction, right: PolicyAction) -> Bool {
            allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
        }
    }

    /// The verdict of a policy on an image.
    public struct Verdict: Equatable, Decodable, Sendable {
        public var label: Label
        /// The calibrated probability that the image is AI-generated, from 0 to 1; nil with the label `noFace`.
        public var aiProbability: Double?
        public var action: PolicyAction
        /// The name of the policy.
        public var policy: String

        public init(label: Label, aiProbability: Double?, action: PolicyAction, policy: String) {
            self.label = label
            self.aiProbability = aiProbability
            self.action = action
            self.policy = policy
        }

        private enum CodingKeys: String, CodingKey {
            case label, action, policy
            case aiProbability = "ai_probability"
        }
    }

    /// An error, as a code for programs and a message for people.
    public struct Problem: Equatable, Codable, Sendable {
        public var code: String
        public var message: String

        public init(_ error: WireError) {
            code = error.code
            message = error.message
        }
    }

    /// The result of one model.
    public struct ModelResult: Equatable, Decodable, Sendable {
        public var name: String
        public var version: String?
        /// `sha256:` and the hexadecimal digest of the weights; nil without a score.
        public var digest: String?
        public var status: Status
        /// The calibrated probability, from 0 to 1, that the image is AI-generated; nil without a score.
        public var aiProbability: Double?
        /// The milliseconds that the crops waited in the router, on the way and in the worker.
        public var queueMilliseconds: Double?
        /// The milliseconds from the start of the crops' first batch to the score.
        public var computeMilliseconds: Double?
        /// The name of the worker that scored the crops.
        public var worker: String?
        public var error: Problem?

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
        public var version: String
        public var digest: String
        /// The milliseconds that the image waited in the router, on the way and in the worker.
        public var queueMilliseconds: Double
        /// The milliseconds from the start of decoding to the crops.
        public var computeMilliseconds: Double
        public var worker: String

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

        public static func == (left: Face, right: Face) -> Bool {
            left.box == right.box && left.turned == right.turned && left.aiProbability == right.aiProbability
                && left.models.elementsEqual(right.models, by: ==) && left.maps == right.maps
        }
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            if let id {
                json.key("id")
                json.string(id)
            }
            json.key("status")
            json.integer(status.rawValue)
            if let verdict { Self.write(verdict, &json) }
            if !models.isEmpty {
                json.key("models")
                json.array(models) { Self.write($1, &$0) }
                json.key("degraded")
                json.boolean(degraded)
                json.key("attempts")
                json.integer(attempts)
            }
            if let locator { Self.write(locator, &json) }
            if let totalMilliseconds {
                json.key("total_ms")
                json.number(totalMilliseconds, decimals: 3)
            }
            if let faces {
                json.key("faces")
                json.array(faces) { Self.write($1, &$0) }
            }
            if let facesFound {
                json.key("faces_found")
                json.integer(facesFound)
            }
            if !maps.isEmpty { Self.write(maps, &json) }
            if let image { Self.write(image, &json) }
            if let metadata {
                json.key("metadata")
                json.raw(metadata)
            }
            if let error { Self.write(error, &json) }
            if let retryAfterMilliseconds {
                json.key("retry_after_ms")
                json.integer(retryAfterMilliseconds)
            }
        }
        return json.bytes
    }

    private static func write(_ verdict: Verdict, _ json: inout JSONWriter) {
        json.key("verdict")
        json.object { json in
            json.key("label")
            json.string(verdict.label.rawValue)
            if let probability = verdict.aiProbability {
                json.key("ai_probability")
                json.number(probability)
            }
            json.key("action")
            json.string(verdict.action.rawValue)
            json.key("policy")
            json.string(verdict.policy)
        }
    }

    private static func write(_ model: ModelResult, _ json: inout JSONWriter) {
        json.object { json in
            json.key("name")
            json.string(model.name)
            if let version = model.version {
                json.key("version")
                json.string(version)
            }
            if let digest = model.digest {
                json.key("digest")
                json.string(digest)
            }
            json.key("status")
            json.integer(model.status.rawValue)
            if let probability = model.aiProbability {
                json.key("ai_probability")
                json.number(probability)
            }
            if let queue = model.queueMilliseconds {
                json.key("queue_ms")
                json.number(queue, decimals: 3)
            }
            if let compute = model.computeMilliseconds {
                json.key("compute_ms")
                json.number(compute, decimals: 3)
            }
            if let worker = model.worker {
                json.key("worker")
                json.string(worker)
            }
            if let error = model.error { write(error, &json) }
        }
    }

    private static func write(_ locator: LocatorResult, _ json: inout JSONWriter) {
        json.key("locator")
        json.object { json in
            json.key("version")
            json.string(locator.version)
            json.key("digest")
            json.string(locator.digest)
            json.key("queue_ms")
            json.number(locator.queueMilliseconds, decimals: 3)
            json.key("compute_ms")
            json.number(locator.computeMilliseconds, decimals: 3)
            json.key("worker")
            json.string(locator.worker)
        }
    }

    private static func write(_ face: Face, _ json: inout JSONWriter) {
        json.object { json in
            json.key("box")
            json.box(face.box)
            if let turned = face.turned {
                json.key("turned")
                json.number(turned, decimals: 1)
            }
            json.key("ai_probability")
            json.number(face.aiProbability)
            json.key("models")
            json.object { json in
                for model in face.models {
                    json.key(escaping: model.name)
                    json.number(model.aiProbability)
                }
            }
            if !face.maps.isEmpty { write(face.maps, &json) }
        }
    }

    private static func write(_ maps: [String: HeatMap], _ json: inout JSONWriter) {
        json.key("maps")
        json.object { json in
            for (name, map) in maps.sorted(by: { $0.key < $1.key }) {
                json.key(escaping: name)
                json.object { json in
                    json.key("square")
                    json.box(map.square)
                    json.key("width")
                    json.integer(map.evidence.width)
                    json.key("height")
                    json.integer(map.evidence.height)
                    json.key("data")
                    json.base64(map.evidence.cells)
                }
            }
        }
    }

    private static func write(_ image: ImageInformation, _ json: inout JSONWriter) {
        json.key("image")
        json.object { json in
            json.key("format")
            json.string(image.format.rawValue)
            json.key("width")
            json.integer(Int(image.width))
            json.key("height")
            json.integer(Int(image.height))
            json.key("sha256")
            json.hexadecimal(image.sha256)
        }
    }

    private static func write(_ error: Problem, _ json: inout JSONWriter) {
        json.key("error")
        json.object { json in
            json.key("code")
            json.string(error.code)
            json.key("message")
            json.string(error.message)
        }
    }
}

/// The answer to the `models` verb: the ensemble's models and policies, and the workers that serve them.
public struct ModelsReport: Codable, Equatable, Sendable {
    /// The request's id.
    public var id: String?
    /// The status of the answer, which is always 200 in a report.
    public var status = Status.ok
    /// The ensemble's models, in its order.
    public var models: [Model]
    /// The locator; nil from routers of earlier releases.
    public var locator: Model?
    /// The kinds of evidence that the ensemble names, in its order; nil if it names none.
    public var evidence: [Model]?
    /// The models that score a share of the images for comparison; nil if there are none.
    public var shadow: [Model]?
    /// The policies that a request may name.
    public var policies: [Policy]

    /// Creates a report.
    public init(
        id: String?, models: [Model], locator: Model?, evidence: [Model]? = nil, shadow: [Model]? = nil,
        policies: [Policy]
    ) {
        self.id = id
        self.models = models
        self.locator = locator
        self.evidence = evidence
        self.shadow = shadow
        self.policies = policies
    }

    /// The models, followed by the locator.
    public var modelsAndLocator: [Model] { models + [locator].compactMap(\.self) }

    /// The names of the models without workers. The locator comes first, because no model is of use without it.
    /// Evidence is not among them, because images are judged without it.
    public var namesWithoutWorkers: [String] {
        ((locator.map { [$0] } ?? []) + models).filter { $0.workers == 0 }.map(\.name)
    }

    /// One model, the locator, or one kind of evidence.
    public struct Model: Codable, Equatable, Sendable {
        /// The model's name; `locator` for the locator, and for evidence its kind.
        public var name: String
        /// The number of workers that serve the model.
        public var workers: Int
        /// One entry for each set of weights that workers serve under this name.
        public var served: [Served]

        /// Creates a model's entry.
        public init(name: String, workers: Int, served: [Served]) {
            self.name = name
            self.workers = workers
            self.served = served
        }
    }

    /// One set of weights and the number of workers that serve it.
    public struct Served: Codable, Equatable, Sendable {
        /// The model's version according to its manifest.
        public var version: String
        /// `sha256:` and the hexadecimal digest of the weights.
        public var digest: String
        /// The model's metrics from its manifest, by name.
        public var metrics: [String: Double]
        /// The number of workers that serve these weights.
        public var workers: Int

        /// Creates the entry of a set of weights.
        public init(version: String, digest: String, metrics: [String: Double], workers: Int) {
            self.version = version
            self.digest = digest
            self.metrics = metrics
            self.workers = workers
        }
    }

    /// One policy: its thresholds on the probability, and its action for images without a face.
    public struct Policy: Codable, Equatable, Sendable {
        /// The policy's name.
        public var name: String
        /// The number of the version that decides for tenants without one of their own; nil from routers of earlier
        /// releases.
        public var version: Int?
        /// The probability from which on a person should look at an image, from 0 to 1.
        public var review: Double
        /// The probability from which on an image must not pass, from 0 to 1 and at least ``review``.
        public var block: Double
        /// The action for an image without a face.
        public var noFace: ResultDocument.PolicyAction

        /// Creates a policy from its name, its two thresholds and its action for images without a face.
        public init(
            name: String, version: Int? = nil, review: Double, block: Double, noFace: ResultDocument.PolicyAction
        ) {
            self.name = name
            self.version = version
            self.review = review
            self.block = block
            self.noFace = noFace
        }
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] {
        StatusReport.encode(self)
    }

    /// Decodes a result frame.
    ///
    /// - Throws: `DecodingError` if the bytes are not a report.
    public static func decode(_ bytes: [UInt8]) throws -> ModelsReport {
        try StatusReport.decode(bytes, as: ModelsReport.self)
    }
}

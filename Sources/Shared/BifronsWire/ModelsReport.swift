/// The answer to the `models` verb: the ensemble's models and policies, and the workers that serve them.
public struct ModelsReport: Codable, Equatable, Sendable {
    /// The request's id.
    public var id: String?
    /// Always 200 of a report that was given.
    public var status = Status.ok
    /// Those that the ensemble names, in its order.
    public var models: [Model]
    /// The locator; nil from routers of earlier releases.
    public var locator: Model?
    /// What a request may name as its policy.
    public var policies: [Policy]

    /// What is named, and what serves it.
    public init(id: String?, models: [Model], locator: Model?, policies: [Policy]) {
        self.id = id
        self.models = models
        self.locator = locator
        self.policies = policies
    }

    /// The models, followed by the locator.
    public var modelsAndLocator: [Model] { models + [locator].compactMap(\.self) }

    /// The names of the models without workers. The locator comes first, because no model is of use without it.
    public var namesWithoutWorkers: [String] {
        ((locator.map { [$0] } ?? []) + models).filter { $0.workers == 0 }.map(\.name)
    }

    /// One model, or the locator.
    public struct Model: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// How many workers serve it.
        public var workers: Int
        /// One entry for each set of weights that workers serve under this name.
        public var served: [Served]

        /// A model, and what is served under its name.
        public init(name: String, workers: Int, served: [Served]) {
            self.name = name
            self.workers = workers
            self.served = served
        }
    }

    /// One set of weights and the number of workers that serve it.
    public struct Served: Codable, Equatable, Sendable {
        /// The version that its manifest tells.
        public var version: String
        /// "sha256:" and the hexadecimal digest of the weights.
        public var digest: String
        /// What the manifest says that it reaches, by the metric's name.
        public var metrics: [String: Double]
        /// How many workers serve it.
        public var workers: Int

        /// A set of weights and its workers.
        public init(version: String, digest: String, metrics: [String: Double], workers: Int) {
            self.version = version
            self.digest = digest
            self.metrics = metrics
            self.workers = workers
        }
    }

    /// One policy: its thresholds on the probability, and its action for images without a face.
    public struct Policy: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// From this probability on an image is to be looked at, in 0...1.
        public var review: Double
        /// From this probability on an image must not pass, in 0...1, not below ``review``.
        public var block: Double
        /// What is to be done with an image without a face.
        public var noFace: ResultDocument.PolicyAction

        /// A policy by its name, its two thresholds and what it says of images without a face.
        public init(name: String, review: Double, block: Double, noFace: ResultDocument.PolicyAction) {
            self.name = name
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

/// The answer to the `drift` verb: how what the router sees now differs from what the models were calibrated on.
///
/// It covers the last 24 hours. The window moves by the hour, so that it has between 23 and 24 hours.
public struct DriftReport: Codable, Equatable, Sendable {
    /// The request's id.
    public var id: String?
    /// The status of the answer, which is always 200 in a report.
    public var status = Status.ok
    /// The seconds that the window has at most.
    public var windowS: Int
    /// The fewest faces of which a ``Model/psi`` is given.
    public var minimumFaces: Int
    /// One entry for each model, version and tenant that gave a score within the window.
    public var models: [Model]
    /// One entry for each tenant that sent an image within the window.
    public var images: [Images]
    /// One entry for each tenant whose decisions were reviewed within the window; nil from earlier releases.
    public var reviews: [Reviews]?

    /// Creates a report.
    public init(
        id: String?, windowS: Int, minimumFaces: Int, models: [Model], images: [Images], reviews: [Reviews]? = nil
    ) {
        self.id = id
        self.windowS = windowS
        self.minimumFaces = minimumFaces
        self.models = models
        self.images = images
        self.reviews = reviews
    }

    /// The logits of one version of a model, of one tenant's images.
    public struct Model: Codable, Equatable, Sendable {
        /// The model's name.
        public var model: String
        /// The version of the model, which is that of the reference.
        public var version: String
        /// The tenant; nil for the clients without a name.
        public var tenant: String?
        /// The number of faces with a score. For a model that looks at whole images, it is the number of images.
        public var faces: Int
        /// The share of logits in each bin of the reference, from the lowest. Each share was the same at the
        /// calibration. Nil below ``DriftReport/minimumFaces``.
        public var shares: [Double]?
        /// The population stability index against the reference; nil below ``DriftReport/minimumFaces``.
        public var psi: Double?

        /// Creates an entry.
        public init(model: String, version: String, tenant: String?, faces: Int, shares: [Double]?, psi: Double?) {
            self.model = model
            self.version = version
            self.tenant = tenant
            self.faces = faces
            self.shares = shares
            self.psi = psi
        }
    }

    /// The images of one tenant.
    public struct Images: Codable, Equatable, Sendable {
        /// The tenant; nil for the clients without a name.
        public var tenant: String?
        /// The number of images that a locator could decode.
        public var count: Int
        /// The number of images in which it found no face.
        public var withoutFace: Int
        /// The number of images by their format.
        public var formats: [String: Int]

        /// Creates an entry.
        public init(tenant: String?, count: Int, withoutFace: Int, formats: [String: Int]) {
            self.tenant = tenant
            self.count = count
            self.withoutFace = withoutFace
            self.formats = formats
        }
    }

    /// What reviewers said about one tenant's decisions.
    public struct Reviews: Codable, Equatable, Sendable {
        /// The tenant; nil for the clients without a name.
        public var tenant: String?
        /// The number of answers that name a label, about decisions that do.
        public var count: Int
        /// The number of those with the verdict's label.
        public var agreed: Int

        /// Creates an entry.
        public init(tenant: String?, count: Int, agreed: Int) {
            self.tenant = tenant
            self.count = count
            self.agreed = agreed
        }
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] { StatusReport.encode(self) }

    /// Decodes a result frame.
    ///
    /// - Throws: `DecodingError` if the bytes are not a report.
    public static func decode(_ bytes: [UInt8]) throws -> DriftReport {
        try StatusReport.decode(bytes, as: DriftReport.self)
    }
}

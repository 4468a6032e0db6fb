/// The status of a result, a subset of HTTP's codes with the same meanings.
public struct Status: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// Every model asked for gave a score.
    public static let ok = Status(rawValue: 200)
    /// A durable job was journalled.
    public static let accepted = Status(rawValue: 202)
    /// Some models gave a score, some did not.
    public static let partial = Status(rawValue: 206)
    /// Malformed frames or header.
    public static let badRequest = Status(rawValue: 400)
    /// Unknown model, policy, verb or job id.
    public static let notFound = Status(rawValue: 404)
    /// The budget was spent, or the job was cancelled.
    public static let timeout = Status(rawValue: 408)
    /// The image is larger than the byte or pixel limit.
    public static let tooLarge = Status(rawValue: 413)
    /// Not an image format that we read.
    public static let unsupportedMedia = Status(rawValue: 415)
    /// A known format with broken content, or a job that killed its workers.
    public static let unprocessable = Status(rawValue: 422)
    /// The queue is full.
    public static let tooManyRequests = Status(rawValue: 429)
    /// No worker for any model asked for, or a failure that is not the picture's fault, or draining.
    public static let unavailable = Status(rawValue: 503)

    public var isSuccess: Bool { (200...299).contains(rawValue) }

    /// Whether another try with the same image would end alike: the verdict on the picture itself is final.
    public var isFinal: Bool {
        switch self {
        case .ok, .partial, .tooLarge, .unsupportedMedia, .unprocessable: true
        default: false
        }
    }
}

/// Why a request was refused or failed: the status, a code for programs and one sentence for people.
public struct WireError: Error, Hashable, Sendable {
    public var status: Status
    public var code: String
    public var message: String

    public init(_ status: Status, code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }
}

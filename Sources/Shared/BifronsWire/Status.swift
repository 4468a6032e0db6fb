/// The status of a result: a subset of HTTP's status codes, with the same meanings.
public struct Status: RawRepresentable, Hashable, Sendable {
    /// The code, with the meaning that it has in HTTP.
    public let rawValue: Int

    /// Creates a status from its code.
    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// Every requested model gave a score.
    public static let ok = Status(rawValue: 200)
    /// A version of a policy was stored.
    public static let created = Status(rawValue: 201)
    /// A durable job is in the journal.
    public static let accepted = Status(rawValue: 202)
    /// Some of the requested models gave a score, but not all.
    public static let partial = Status(rawValue: 206)
    /// The frames or the header are malformed.
    public static let badRequest = Status(rawValue: 400)
    /// The model, policy, verb, job or decision is unknown.
    public static let notFound = Status(rawValue: 404)
    /// The budget ended, or the job was cancelled.
    public static let timeout = Status(rawValue: 408)
    /// The request contradicts what has happened meanwhile: a review that has an answer, or that somebody else has.
    public static let conflict = Status(rawValue: 409)
    /// The policy has changed since the client read it.
    public static let preconditionFailed = Status(rawValue: 412)
    /// The image exceeds the limit of bytes or pixels.
    public static let tooLarge = Status(rawValue: 413)
    /// The image's format is not supported.
    public static let unsupportedMedia = Status(rawValue: 415)
    /// The image's format is known but its content is broken, or the job killed its workers.
    public static let unprocessable = Status(rawValue: 422)
    /// The queue is full.
    public static let tooManyRequests = Status(rawValue: 429)
    /// No worker serves the requested models, the failure is not the image's fault, or the router is draining.
    public static let unavailable = Status(rawValue: 503)

    /// Whether the code is from 200 to 299.
    public var isSuccess: Bool { (200...299).contains(rawValue) }

    /// Whether a retry with the same image would have the same outcome.
    public var isFinal: Bool {
        switch self {
        case .ok, .partial, .tooLarge, .unsupportedMedia, .unprocessable: true
        default: false
        }
    }
}

/// The reason why a request was refused or failed: the status, a code for programs, and one sentence for people.
public struct WireError: Error, Hashable, Sendable {
    /// The status of the result.
    public var status: Status
    /// A code for programs, such as `malformed_header`.
    public var code: String
    /// One sentence for people.
    public var message: String

    /// Creates an error from its status, its code and its sentence.
    public init(_ status: Status, code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }
}

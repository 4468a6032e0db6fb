/// The answer to the `history` verb: what the router did in each minute of the last 24 hours.
///
/// Every array has one value per minute, the oldest first. The last minute is still in progress. All arrays have the
/// same length, at most 1440.
public struct HistoryReport: Codable, Equatable, Sendable {
    /// The kinds of errors that are counted.
    public enum ErrorKind: String, CaseIterable, Sendable {
        /// The request is wrong: status 400, 404 or 412.
        case malformed
        /// The image cannot be judged: status 413, 415 or 422.
        case unreadable
        /// The router is full: status 429.
        case refused
        /// The budget was spent, or the job was cancelled: status 408.
        case timeout
        /// No worker or no router could answer: status 503 and every other.
        case unavailable

        /// Creates the kind of a status; nil for a success.
        public init?(_ status: Status) {
            switch status {
            case _ where status.isSuccess: return nil
            case .badRequest, .notFound, .preconditionFailed: self = .malformed
            case .tooLarge, .unsupportedMedia, .unprocessable: self = .unreadable
            case .tooManyRequests: self = .refused
            case .timeout: self = .timeout
            default: self = .unavailable
            }
        }
    }

    /// The request's id.
    public var id: String?
    /// The status of the answer, which is always 200 in a report.
    public var status = Status.ok
    /// The milliseconds from 1970 to the start of the first minute, by the router's wall clock.
    public var fromMs: Int
    /// The seconds between two values.
    public var intervalS = 60
    /// The number of verdicts by the policy's action.
    public var actions: [String: [Int]]
    /// The number of errors by ``ErrorKind``. Answers to polls, such as `status`, are not among them.
    public var errors: [String: [Int]]
    /// The median of the milliseconds from receipt to result; nil for a minute without a result.
    public var p50Ms: [Double?]
    /// The 99th percentile of the same times.
    public var p99Ms: [Double?]
    /// The most unanswered jobs at a time.
    public var queueJobs: [Int]
    /// The fewest workers at a time, by the name of the model, of the locator or of the kind of evidence.
    public var workers: [String: [Int]]

    /// Creates a report.
    public init(
        id: String?, fromMs: Int, actions: [String: [Int]], errors: [String: [Int]], p50Ms: [Double?],
        p99Ms: [Double?], queueJobs: [Int], workers: [String: [Int]]
    ) {
        self.id = id
        self.fromMs = fromMs
        self.actions = actions
        self.errors = errors
        self.p50Ms = p50Ms
        self.p99Ms = p99Ms
        self.queueJobs = queueJobs
        self.workers = workers
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] { StatusReport.encode(self) }

    /// Decodes a result frame.
    ///
    /// - Throws: `DecodingError` if the bytes are not a report.
    public static func decode(_ bytes: [UInt8]) throws -> HistoryReport {
        try StatusReport.decode(bytes, as: HistoryReport.self)
    }
}

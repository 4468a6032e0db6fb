/// The answer to the `events` verb: the last events that an operator should know of, the oldest first.
public struct EventsReport: Codable, Equatable, Sendable {
    /// The most events that are kept. The oldest is dropped first.
    public static let mostEvents = 200

    /// Returns the name of a run: the eight hexadecimal digits of a random number.
    package static func run(_ random: UInt32) -> String {
        let digits = String(random, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// What happened.
    public enum Kind: String, Codable, CaseIterable, Sendable {
        /// A worker registered. The subject is its name.
        case workerJoined = "worker_joined"
        /// A worker left in order. The subject is its name.
        case workerLeft = "worker_left"
        /// A worker died, hung, fell silent or lost its key. The subject is its name.
        case workerLost = "worker_lost"
        /// A picture killed two workers. The subject is the name of their model.
        case quarantined
        /// A version of a policy decides from now on. The subject is the policy with its version.
        case policyActivated = "policy_activated"
        /// A key was removed from the router's allow-list. The subject is the key's role.
        case keyRevoked = "key_revoked"
        /// A token was removed from the gateway's list. There is no subject.
        case tokenRevoked = "token_revoked"
        /// The router takes no more jobs. There is no subject.
        case draining
    }

    /// One event.
    public struct Event: Codable, Equatable, Sendable {
        /// The run of the program, a dash, and the event's number in the run, which counts from 1.
        public var id: String
        /// The milliseconds from 1970 to the event, by the wall clock of the machine.
        public var atMs: Int
        /// What happened.
        public var kind: Kind
        /// To what it happened; nil if that needs no name. It never tells of a client, a tenant or an image.
        public var subject: String?

        /// Creates an event.
        public init(run: String, number: Int, atMs: Int, kind: Kind, subject: String?) {
            id = "\(run)-\(number)"
            self.atMs = atMs
            self.kind = kind
            self.subject = subject
        }
    }

    /// The request's id.
    public var id: String?
    /// The status of the answer, which is always 200 in a report.
    public var status = Status.ok
    /// The events, the oldest first.
    public var events: [Event]

    /// Creates a report.
    public init(id: String?, events: [Event]) {
        self.id = id
        self.events = events
    }

    /// Returns the result frame.
    public func encoded() -> [UInt8] { StatusReport.encode(self) }

    /// Decodes a result frame.
    ///
    /// - Throws: `DecodingError` if the bytes are not a report.
    public static func decode(_ bytes: [UInt8]) throws -> EventsReport {
        try StatusReport.decode(bytes, as: EventsReport.self)
    }
}

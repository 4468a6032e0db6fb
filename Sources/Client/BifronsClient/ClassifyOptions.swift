public import BifronsWire

/// What is asked of an image, and how: the fields that the header of a `classify` request can carry, defaults filled in.
///
/// A value that every router would refuse cannot be made: the initialiser throws the error that a router would answer with.
/// Whether there is a model or a policy of a name only the router knows.
public struct ClassifyOptions: Equatable, Sendable {
    /// Whether a job outlives the connection that it came by, and what its submission is answered with.
    public enum Durability: Equatable, Sendable {
        /// The router keeps the job in its memory, and cancels it when the connection ends.
        case volatile
        /// The router writes the job to its journal before it begins, and computes it even if it is started again meanwhile.
        /// The call waits for the result, which ``BifronsClient/fetch(_:owner:)`` finds too.
        case durable
        /// As ``durable``, and the call ends with status 202 as soon as the job is journalled: the result is to be fetched.
        case detached
    }

    /// The request's header. Its verb is `classify`, and a router can read it.
    let header: RequestHeader

    /// The job's name, echoed in the result; nil: one is made.
    public var id: String? { header.id }
    /// The models asked for; nil: all of the ensemble.
    public var models: [String]? { header.models }
    /// Whether a missing model spoils the result.
    public var requirement: RequestHeader.Requirement { header.requirement }
    /// The name of the policy that decides on the action.
    public var policy: String { header.policy }
    /// Whether the result has each model's heat map of each face.
    public var explain: Bool { header.explain }
    /// The time for everything, from the call to the answer, in whole milliseconds.
    public var budget: Duration { .milliseconds(header.budgetMilliseconds) }
    /// From 0 to 9; the highest goes first.
    public var priority: Int { header.priority }
    /// Jobs with the same key are computed once; nil: this one has none.
    public var idempotencyKey: String? { header.idempotencyKey }
    /// Whether the job outlives its connection.
    public var durability: Durability { header.durable ? header.wait ? .durable : .detached : .volatile }
    /// On whose behalf a gateway asks; nil: on nobody's.
    public var owner: String? { header.owner }
    /// The JSON text that the result echoes; nil: none.
    public var metadata: String? { header.metadata.map { String(decoding: $0, as: UTF8.self) } }

    /// All of the ensemble's models, the policy `default`, a budget of 5 s.
    public init() {
        header = RequestHeader(verb: .classify)
    }

    /// - Parameters:
    ///   - id: the job's name, of 1 to 128 bytes in UTF-8. It need not be unique, but fetching and cancelling find the latest
    ///     job of a name. Nil: one is made that is unique.
    ///   - models: the names of the models to ask, 1 to 16 of them; nil: all of the ensemble.
    ///   - requirement: whether one model's score is enough (status 206), or a missing one spoils the result.
    ///   - policy: the name of the policy that turns the probability into an action.
    ///   - explain: whether the result is to have each model's heat map of each face.
    ///   - budget: the time for everything, from the call to the answer: 1 ms to 600 s. A fraction of a millisecond counts as
    ///     a whole one.
    ///   - priority: from 0 to 9; the highest goes first.
    ///   - idempotencyKey: of 1 to 128 bytes in UTF-8: jobs with the same key are computed once. Nil: none.
    ///   - durability: whether the job outlives its connection, for which the router must keep a journal.
    ///   - owner: of 1 to 128 bytes in UTF-8: on whose behalf a gateway asks; routers refuse it from anybody else.
    ///   - metadata: the text of one JSON object, from brace to brace, of at most 4096 bytes: the result echoes it.
    /// - Throws: the error that a router would answer with, whose message names the field and its range.
    public init(
        id: String? = nil, models: [String]? = nil, requirement: RequestHeader.Requirement = .any,
        policy: String = Limits.defaultPolicy, explain: Bool = false,
        budget: Duration = .milliseconds(Limits.defaultBudgetMilliseconds), priority: Int = Limits.defaultPriority,
        idempotencyKey: String? = nil, durability: Durability = .volatile, owner: String? = nil, metadata: String? = nil
    ) throws(WireError) {
        var header = RequestHeader(verb: .classify, id: id)
        header.models = models
        header.requirement = requirement
        header.policy = policy
        header.explain = explain
        header.budgetMilliseconds = Self.milliseconds(budget)
        header.priority = priority
        header.idempotencyKey = idempotencyKey
        (header.durable, header.wait) = (durability != .volatile, durability != .detached)
        header.owner = owner
        header.metadata = metadata.map { Array($0.utf8) }
        let read: RequestHeader
        do {
            read = try RequestHeader.decode(header.encoded())
        } catch {
            throw error.error
        }
        // The text goes into the header as it is: what is more than one object would be further fields.
        guard read.metadata == header.metadata else {
            throw WireError(.badRequest, code: "malformed_header", "the field 'metadata' must be an object")
        }
        self.header = header
    }

    /// Whole milliseconds, rounded up; a time beyond every budget stays beyond.
    private static func milliseconds(_ budget: Duration) -> Int {
        let (seconds, attoseconds) = budget.components
        let longest = Int64(Limits.budgetMilliseconds.upperBound) + 1
        guard (-longest...longest).contains(seconds) else { return Int(seconds < 0 ? 0 : longest) }
        return Int(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

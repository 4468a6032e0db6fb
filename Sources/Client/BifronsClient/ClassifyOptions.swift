public import BifronsWire
import BifronsZeroMQ

/// What to ask about an image, and how: the fields of the header of a `classify` request, with their defaults.
///
/// Values that every router would refuse cannot be created: the initialiser throws the error with which a router would
/// answer. Only the router knows whether a model or policy of a name exists.
public struct ClassifyOptions: Equatable, Sendable {
    /// Whether a job survives the end of its connection, and what answers its submission.
    public enum Durability: Equatable, Sendable {
        /// The router keeps the job in memory, and cancels it when the connection ends.
        case volatile
        /// The router writes the job to its journal before it starts, and completes it even after a restart. The call
        /// waits for the result, which ``BifronsClient/fetch(_:owner:)`` returns as well.
        case durable
        /// Like ``durable``, but the call ends with status 202 as soon as the job is journalled. Fetch the result
        /// later.
        case detached
    }

    /// The request's header. Its verb is `classify`, and its values are valid.
    let header: RequestHeader

    /// The job's id, echoed in the result; nil to generate one.
    public var id: String? { header.id }
    /// The names of the models to ask; nil for the whole ensemble.
    public var models: [String]? { header.models }
    /// Whether every model must give a score, or one is enough.
    public var requirement: RequestHeader.Requirement { header.requirement }
    /// The name of the policy that selects the action.
    public var policy: String { header.policy }
    /// Whether the result contains each model's heat map of each face.
    public var explain: Bool { header.explain }
    /// The time from the call to the answer, in whole milliseconds.
    public var budget: Duration { .milliseconds(header.budgetMilliseconds) }
    /// The priority, from 0 to 9; the highest goes first.
    public var priority: Int { header.priority }
    /// The idempotency key: jobs with the same key are computed once. Nil for none.
    public var idempotencyKey: String? { header.idempotencyKey }
    /// Whether the job survives the end of its connection.
    public var durability: Durability { header.durable ? header.wait ? .durable : .detached : .volatile }
    /// The owner on whose behalf a gateway asks; nil for none.
    public var owner: String? { header.owner }
    /// The JSON text that the result echoes; nil for none.
    public var metadata: String? { header.metadata.map { String(decoding: $0, as: UTF8.self) } }

    /// Creates the default options: the whole ensemble, the policy `default`, a budget of 5 s, priority 4.
    public init() {
        header = RequestHeader(verb: .classify)
    }

    /// Creates options.
    /// - Parameters:
    ///   - id: the job's id, of 1 to 128 bytes in UTF-8. It need not be unique, but fetching and cancelling find the
    ///     latest job of an id. Nil to generate a unique one.
    ///   - models: the names of the models to ask, 1 to 16 of them; nil for the whole ensemble.
    ///   - requirement: whether one model's score is enough (status 206), or every model must give one.
    ///   - policy: the name of the policy that selects an action by the probability.
    ///   - explain: whether the result contains each model's heat map of each face.
    ///   - budget: the time from the call to the answer: 1 ms to 600 s. A fraction of a millisecond is rounded up.
    ///   - priority: from 0 to 9; the highest goes first.
    ///   - idempotencyKey: of 1 to 128 bytes in UTF-8: jobs with the same key are computed once. Nil for none.
    ///   - durability: whether the job survives the end of its connection, for which the router needs a journal.
    ///   - owner: of 1 to 128 bytes in UTF-8: the owner on whose behalf a gateway asks. Routers refuse it from other
    ///     clients.
    ///   - metadata: the text of one JSON object, without surrounding white space, of at most 4096 bytes: the result
    ///     echoes it.
    /// - Throws: the error with which a router would answer; its message names the field and its range.
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
        header.budgetMilliseconds = Int(budget.wholeMilliseconds)
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
        // The text is copied into the header, where anything after the object would become further fields.
        guard read.metadata == header.metadata else {
            throw WireError(.badRequest, code: "malformed_header", "the field 'metadata' must be an object")
        }
        self.header = header
    }
}

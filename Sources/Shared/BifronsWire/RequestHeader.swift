/// The verb of a request, which says what the client asks for.
public enum Verb: String, Hashable, Sendable, CaseIterable {
    /// Asks for a verdict on an image.
    case classify
    /// Asks for the evidence about an image alone, without a verdict.
    case examine
    /// Asks for the router's state.
    case status
    /// Asks what the router did in each minute of the last 24 hours.
    case history
    /// Asks for the last events that an operator should know of.
    case events
    /// Asks how images and scores differ from those of the calibration.
    case drift
    /// Asks for the ensemble's models and policies, and the workers that serve them.
    case models
    /// Asks for the result of a durable job.
    case fetch
    /// Cancels an unfinished job.
    case cancel
    /// Asks for an immediate answer, to check that the router is there.
    case ping
    /// Asks for all policies, or for all versions of one.
    case policies
    /// Stores a version of a policy.
    case putPolicy = "put_policy"
    /// Makes a version of a policy decide.
    case activatePolicy = "activate_policy"
    /// Asks what a draft of a policy would have decided.
    case tryPolicy = "try_policy"
    /// Looks for the threshold of a policy that keeps a wanted rate of false positives.
    case tunePolicy = "tune_policy"
    /// Asks how shadow policies and shadow models compare with the recorded decisions.
    case shadows
    /// Asks for a page of the decision ledger.
    case decisions
    /// Asks for one decision, computed again from what is stored.
    case replay
    /// Checks the hash chain of the decision ledger.
    case verify
    /// Removes what the router keeps about a subject.
    case erase
    /// Asks for the next decision that a person should look at.
    case nextReview = "next_review"
    /// Asks for a page of the decisions that wait for a reviewer.
    case reviews
    /// Stores a reviewer's answer.
    case review
    /// Takes a reviewer's answer back.
    case withdrawReview = "withdraw_review"
    /// Asks for the image of a decision that a person should look at.
    case reviewImage = "review_image"
    /// Stores an appeal against a decision.
    case appeal

    /// Whether the verb submits a job about an image.
    package var isJob: Bool { self == .classify || self == .examine }

    /// Whether the verb is about policies and the decision ledger. The frame behind its header is JSON, not an image.
    package var isAboutDecisions: Bool {
        switch self {
        case .policies, .putPolicy, .activatePolicy, .tryPolicy, .tunePolicy, .shadows, .decisions, .replay, .verify,
            .erase:
            true
        case .nextReview, .reviews, .review, .withdrawReview, .reviewImage, .appeal: true
        case .classify, .examine, .status, .history, .events, .drift, .models, .fetch, .cancel, .ping: false
        }
    }
}

/// The header frame of a version 1 request, with defaults filled in.
public struct RequestHeader: Equatable, Sendable {
    /// Whether a verdict needs a score of every requested model (`all`) or of at least one (`any`).
    public enum Requirement: String, Equatable, Sendable {
        /// Every requested model must give a score. If one does not, the request fails with 408, 503 or that model's
        /// status.
        case all
        /// One model's score is enough. If others are missing, the status is 206.
        case any
    }

    /// What the client asks for.
    public var verb: Verb
    /// The id that the client chose. For `cancel` and `fetch` it names the job.
    public var id: String?
    /// The milliseconds from the router's receipt of the request to its answer.
    public var budgetMilliseconds = Limits.defaultBudgetMilliseconds
    /// The priority, from 0 to 9 (``Limits/priorities``). Jobs with the highest are dispatched first.
    public var priority = Limits.defaultPriority
    /// The requested models, without duplicates; nil for all.
    public var models: [String]?
    /// Whether the result needs a score of every requested model or of at least one.
    public var requirement = Requirement.any
    /// The name of the policy that turns the probability into an action.
    public var policy = Limits.defaultPolicy
    /// Whether the router writes the job to its journal before it acknowledges it.
    public var durable = false
    /// Whether a ``durable`` job is answered with its result. If false, the answer is 202 as soon as the job is in the
    /// journal. Without ``durable``, this has no effect.
    public var wait = true
    /// The idempotency key, 1 to ``Limits/identifierBytes`` bytes in UTF-8; nil for none. Jobs with the same key are
    /// computed only once.
    public var idempotencyKey: String?
    /// The owner on whose behalf a gateway asks. Only gateways may set it where keys are in use.
    public var owner: String?
    /// Whether the result should include each model's heat map of each face.
    public var explain = false
    /// The person or thing whose image it is. An erasure names the same.
    public var subject: Subject?
    /// The digest that the policy's version must have, for changes of policies; nil if it does not matter.
    public var ifMatch: String?
    /// The JSON text of the `metadata` object, as the client wrote it.
    public var metadata: [UInt8]?

    /// Creates a header in which all other fields have their defaults.
    /// - Parameters:
    ///   - verb: What the client asks for.
    ///   - id: The id that the client chose. For `cancel` and `fetch`, it names the job.
    public init(verb: Verb, id: String? = nil) {
        self.verb = verb
        self.id = id
    }

    /// The error of a refused header. It has the request's id if that could be read, so that the client can match the
    /// answer.
    public struct Refused: Error, Equatable, Sendable {
        /// The header's id; nil if it had none that could be read.
        public var id: String?
        /// The error to answer with.
        public var error: WireError
    }

    /// Decodes a header frame. Any bytes give a header or an error.
    ///
    /// - Throws: ``Refused``, with the error to answer with.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(Refused) -> RequestHeader {
        var fields = HeaderFields()
        do {
            try fields.read(bytes)
        } catch let error as JSONReader.SyntaxError {
            fields.refuse("the header is not JSON: byte \(error.offset) should be \(error.expected)")
        } catch let error as WireError {
            fields.error = error
        } catch {
            fields.refuse("the header cannot be read: \(error)")
        }
        if let error = fields.error { throw Refused(id: fields.header.id, error: error) }
        return fields.header
    }

    /// Decodes a header frame. Any bytes give a header or an error.
    ///
    /// - Throws: ``Refused``, with the error that a router answers such a header with.
    public static func decode(_ bytes: [UInt8]) throws(Refused) -> RequestHeader {
        try bytes.withUnsafeBytes { bytes in Result { () throws(Refused) in try decode(bytes) } }.get()
    }

    /// Returns the header frame of this header, without fields that have their default.
    public func encoded() -> [UInt8] {
        var json = JSONWriter(capacity: 128)
        json.object { json in
            json.member("verb", verb.rawValue)
            json.member("id", id)
            json.member(
                "budget_ms", budgetMilliseconds == Limits.defaultBudgetMilliseconds ? nil : budgetMilliseconds)
            json.member("priority", priority == Limits.defaultPriority ? nil : priority)
            json.member("models", models) { $0.string($1) }
            json.member("require", requirement == .any ? nil : requirement.rawValue)
            json.member("policy", policy == Limits.defaultPolicy ? nil : policy)
            if durable { json.member("durable", true) }
            if !wait { json.member("wait", false) }
            json.member("idempotency_key", idempotencyKey)
            json.member("owner", owner)
            if explain { json.member("explain", true) }
            if let subject {
                json.member("subject") { json in
                    json.member("type", subject.type)
                    json.member("id", subject.id)
                }
            }
            json.member("if_match", ifMatch)
            json.member("metadata", raw: metadata)
        }
        return json.bytes
    }
}

/// Reads the fields one by one. It keeps the first error and reads on, because the id may follow.
private struct HeaderFields {
    var header = RequestHeader(verb: .ping)
    var error: WireError?
    private var hasVerb = false

    mutating func refuse(_ message: String) {
        error = error ?? WireError(.badRequest, code: "malformed_header", message)
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer) throws {
        guard bytes.count <= Limits.headerBytes else {
            throw WireError(
                .badRequest, code: "malformed_header",
                "the header has \(bytes.count) bytes; at most \(Limits.headerBytes) are read")
        }
        guard JSONReader.isUTF8(bytes) else {
            throw WireError(.badRequest, code: "malformed_header", "the header is not UTF-8")
        }
        var json = JSONReader(bytes)
        guard try json.peek() == .object else {
            throw WireError(.badRequest, code: "malformed_header", "the header is not a JSON object")
        }
        try json.open(.object)
        var isFirst = true
        while let key = try json.nextMember(isFirst: isFirst) {
            isFirst = false
            try readField(key, &json)
        }
        try json.end()
        if !hasVerb { refuse("the header has no field 'verb'") }
        if [.examine, .replay].contains(header.verb), header.durable || header.idempotencyKey != nil {
            let verb = header.verb.rawValue
            refuse("the verb '\(verb)' takes neither 'durable' nor 'idempotency_key': send the job again instead")
        }
    }

    private mutating func readField(_ key: String, _ json: inout JSONReader) throws {
        switch key {
        case "verb":
            hasVerb = true
            guard let name = try string(key, &json) else { return }
            if let verb = Verb(rawValue: name) {
                header.verb = verb
            } else {
                error =
                    error
                    ?? WireError(
                        .notFound, code: "unknown_verb",
                        "there is no verb '\(name.prefix(32))'; the verbs are "
                            + Verb.allCases.map(\.rawValue).joined(separator: ", "))
            }
        case "id": header.id = try identifier(key, &json)
        case "idempotency_key": header.idempotencyKey = try identifier(key, &json)
        case "owner": header.owner = try identifier(key, &json)
        case "budget_ms":
            if let value = try integer(key, in: Limits.budgetMilliseconds, &json) { header.budgetMilliseconds = value }
        case "priority": if let value = try integer(key, in: Limits.priorities, &json) { header.priority = value }
        case "models": header.models = try models(key, &json)
        case "require":
            guard let name = try string(key, &json) else { return }
            guard let requirement = RequestHeader.Requirement(rawValue: name) else {
                return refuse("the field 'require' must be \"all\" or \"any\"")
            }
            header.requirement = requirement
        case "policy": if let value = try string(key, &json) { header.policy = value }
        case "durable": if let value = try boolean(key, &json) { header.durable = value }
        case "wait": if let value = try boolean(key, &json) { header.wait = value }
        case "explain": if let value = try boolean(key, &json) { header.explain = value }
        case "subject": header.subject = try subject(key, &json)
        case "if_match": header.ifMatch = try identifier(key, &json)
        case "metadata":
            guard try expect(.object, key, "an object", &json) else { return }
            let raw = try json.skipValue()
            guard raw.count <= Limits.metadataBytes else {
                return refuse("the field 'metadata' has \(raw.count) bytes; at most \(Limits.metadataBytes) are kept")
            }
            header.metadata = Array(raw)
        default: _ = try json.skipValue()
        }
    }

    /// Returns whether the value is of this kind. If not, notes an error and skips the value.
    private mutating func expect(
        _ kind: JSONReader.Kind, _ key: String, _ what: @autoclosure () -> String, _ json: inout JSONReader
    ) throws -> Bool {
        if try json.peek() == kind { return true }
        refuse("the field '\(key)' must be \(what())")
        _ = try json.skipValue()
        return false
    }

    private mutating func string(_ key: String, _ json: inout JSONReader) throws -> String? {
        try expect(.string, key, "a string", &json) ? try json.string() : nil
    }

    private mutating func boolean(_ key: String, _ json: inout JSONReader) throws -> Bool? {
        try expect(.boolean, key, "true or false", &json) ? try json.boolean() : nil
    }

    private mutating func identifier(_ key: String, _ json: inout JSONReader) throws -> String? {
        guard let value = try string(key, &json) else { return nil }
        guard (1...Limits.identifierBytes).contains(value.utf8.count) else {
            refuse("the field '\(key)' must have 1 to \(Limits.identifierBytes) bytes")
            return nil
        }
        return value
    }

    private mutating func subject(_ key: String, _ json: inout JSONReader) throws -> Subject? {
        guard try expect(.object, key, "an object with 'type' and 'id'", &json) else { return nil }
        var (type, id): (String?, String?)
        try json.open(.object)
        var isFirst = true
        while let name = try json.nextMember(isFirst: isFirst) {
            isFirst = false
            switch name {
            case "type": type = try identifier("subject.type", &json)
            case "id": id = try identifier("subject.id", &json)
            default: _ = try json.skipValue()
            }
        }
        guard let type, let id else {
            refuse("the field 'subject' must be an object with 'type' and 'id'")
            return nil
        }
        return Subject(type: type, id: id)
    }

    private mutating func integer(
        _ key: String, in range: ClosedRange<Int>, _ json: inout JSONReader
    ) throws -> Int? {
        func what() -> String { "an integer from \(range.lowerBound) to \(range.upperBound)" }
        guard try expect(.number, key, what(), &json) else { return nil }
        if let value = try json.integer(), range.contains(value) { return value }
        refuse("the field '\(key)' must be \(what())")
        return nil
    }

    private mutating func models(_ key: String, _ json: inout JSONReader) throws -> [String]? {
        guard try expect(.array, key, "an array of strings", &json) else { return nil }
        var names: [String] = []
        try json.open(.array)
        var isFirst = true
        while try json.nextElement(isFirst: isFirst) {
            isFirst = false
            guard try expect(.string, key, "an array of strings", &json) else { continue }
            let name = try json.string()
            if !names.contains(name), names.count <= Limits.modelsAsked { names.append(name) }
        }
        if names.isEmpty || names.count > Limits.modelsAsked {
            refuse("the field 'models' must name 1 to \(Limits.modelsAsked) models")
        }
        return names
    }
}

internal import BifronsWire
internal import Decisions

/// Decisions: how they get into the ledger, and what clients may ask about them and about policies.
///
/// Without a journal there is no ledger. Policies are then those of the ensemble file, and cannot be changed.
extension RouterCore {
    /// A client that waits for the ledger.
    struct Question {
        var id: String?
        var content: LedgerQuestion
        /// What a trial has found so far.
        var trial = PolicyTrial()
    }

    /// The most decisions that a part of a trial or of a check covers: the journal writes nothing meanwhile.
    private static let decisionsAtOnce = 500

    // MARK: Recording

    /// Whether nobody may learn of the decision before it is on disk.
    func mustBeRecorded(_ decision: Decision) -> Bool {
        let reference = PolicyReference(name: decision.body.policy, version: decision.body.policyVersion)
        return policies[reference]?.policy.record == .required
    }

    /// Sends a decision to the ledger, and the answer to the client: before or after that, as the policy wants.
    mutating func decide(
        _ decision: Decision, _ serial: UInt64, _ request: Request, _ document: ResultDocument, _ now: Instant
    ) {
        let isRequired = mustBeRecorded(decision)
        // A journal that is slower than the models must not fill the memory with decisions.
        let hasRoom = isRequired || decisionsAhead < configuration.maxJobs
        if hasRoom { actions.append(.decide(decision)) }
        if isRequired { return hold(serial, request, document, isRequired: true) }
        var document = document
        if hasRoom { decisionsAhead += 1 } else { statistics.counters.unrecorded? += 1 }
        // If the last write failed, this one probably does, too.
        if !hasRoom || isJournalFailing { (document.decision, document.isRecorded) = (nil, false) }
        answer(request, document, now)
        passOn(document, of: serial, request, now)
    }

    // MARK: Questions

    /// Processes a request about policies or decisions.
    mutating func askAboutDecisions(
        _ token: Token, _ header: RequestHeader, _ body: [UInt8], _ principal: Principal, _ now: Instant
    ) {
        do throws(WireError) {
            if header.verb == .policies { return try list(token, header, body, principal) }
            guard configuration.keepsJournal else {
                throw WireError(
                    .unavailable, code: "journal_unavailable",
                    "this router keeps no decisions; start it with --journal")
            }
            if isAbandoned { throw Self.stopped }
            guard asking.count < configuration.maxJobs else {
                throw WireError(
                    .tooManyRequests, code: "queue_full",
                    "\(asking.count) clients wait for the journal already; try again later")
            }
            let question = try question(header, body, principal)
            if case .erase(let subject, let tenants) = question { forget(subject, of: tenants, now) }
            asking[token] = Question(id: header.id, content: question)
            actions.append(.ask(token, question))
        } catch {
            let isLater = error.status == .tooManyRequests || error.status == .unavailable
            refuse(token, header.id, error, retryAfter: isLater ? 1000 : nil)
        }
    }

    /// Returns what the ledger has to do for a request.
    private func question(
        _ header: RequestHeader, _ body: [UInt8], _ principal: Principal
    ) throws(WireError) -> LedgerQuestion {
        let tenants: Tenants = principal.seesAllTenants ? .all : .one(principal.jobOwner.tenant)
        let author = principal.jobOwner.tenant
        switch header.verb {
        case .putPolicy:
            try requireOperator(principal)
            let draft = try PolicyDraft.decode(body: body)
            let next = try policies.next(header.policy, draft.policy, after: header.ifMatch)
            guard !isStoring(header.policy) else { throw Self.changing(header.policy) }
            return .store(next, note: LedgerNote(author: author, text: draft.note))
        case .activatePolicy:
            try requireOperator(principal)
            let request = try ActivationRequest.decode(body: body)
            let activation = PolicyBook.Activation(
                policy: header.policy, version: request.version, tenant: request.tenant)
            try policies.check(activation, after: header.ifMatch)
            guard !isStoring(header.policy) else { throw Self.changing(header.policy) }
            return .activate(activation, note: LedgerNote(author: author, text: request.note))
        case .tryPolicy:
            let request = try TrialRequest.decode(body: body)
            try check(request.subject)
            let draft = try tried(request.policy, as: header.policy)
            let query = DecisionQuery(
                since: try Self.sequence(request.since, "since") ?? 0,
                until: try Self.sequence(request.until, "until"), limit: Self.decisionsAtOnce,
                tenants: try narrowed(tenants, to: request.tenant), subject: request.subject)
            return .attempt(draft, query)
        case .decisions: return .page(try query(body, tenants))
        case .replay: return .replay(number: try number(header), tenant: tenants)
        case .verify:
            try requireOperator(principal)
            let request = try VerificationRequest.decode(body: body)
            let limit = try Self.limit(request.limit ?? Self.decisionsAtOnce)
            return .verify(from: try Self.sequence(request.since, "since") ?? 0, limit: limit)
        case .erase:
            guard let subject = header.subject else {
                throw WireError(
                    .badRequest, code: "malformed_header", "the verb 'erase' needs the field 'subject'")
            }
            return .erase(subject, tenants)
        case .classify, .examine, .status, .history, .events, .drift, .models, .fetch, .cancel, .ping, .policies:
            preconditionFailure("the verb \(header.verb) is not about decisions")
        }
    }

    private func query(_ body: [UInt8], _ tenants: Tenants) throws(WireError) -> DecisionQuery {
        let request = try PageRequest.decode(body: body)
        try check(request.subject)
        return DecisionQuery(
            since: try Self.sequence(request.since, "since") ?? 0, until: try Self.sequence(request.until, "until"),
            limit: try Self.limit(request.limit ?? 100),
            tenants: try narrowed(tenants, to: request.tenant), action: request.action, subject: request.subject,
            isBackward: request.order == .newest)
    }

    private static func limit(_ limit: Int) throws(WireError) -> Int {
        guard (1...DecisionQuery.mostDecisions).contains(limit) else {
            throw WireError(
                .unprocessable, code: "body_invalid", "limit must be from 1 to \(DecisionQuery.mostDecisions)")
        }
        return limit
    }

    private static func sequence(_ number: Int64?, _ field: String) throws(WireError) -> Int64? {
        guard number ?? 0 >= 0 else {
            throw WireError(.unprocessable, code: "body_invalid", "\(field) must be at least 0")
        }
        return number
    }

    /// Returns the version to try: a stored one, or a draft as the version of a policy of this name.
    private func tried(_ tried: TrialRequest.Tried, as name: String) throws(WireError) -> PolicyVersion {
        switch tried {
        case .version(let reference):
            if let version = policies[reference] { return version }
            throw WireError(.notFound, code: "unknown_policy", "there is no version '\(reference)' of a policy")
        case .draft(let policy):
            do throws(Ensemble.Invalid) {
                return try PolicyVersion(name, 1, policy, evidence: ensemble.evidence)
            } catch {
                throw WireError(.unprocessable, code: "policy_invalid", error.message)
            }
        }
    }

    private func number(_ header: RequestHeader) throws(WireError) -> UInt64 {
        guard let id = header.id, let number = Decision.number(id) else {
            throw WireError(
                .notFound, code: "unknown_decision",
                "the id of a decision has 16 hexadecimal digits; '\((header.id ?? "").prefix(64))' is none")
        }
        return number
    }

    private func narrowed(_ tenants: Tenants, to tenant: String?) throws(WireError) -> Tenants {
        guard let tenant else { return tenants }
        guard (1...Limits.identifierBytes).contains(tenant.utf8.count) else { throw Self.tooLong("tenant") }
        guard tenants == .all || tenants == .one(tenant) else {
            throw .notAllowed("the decisions of other tenants need an operator's key or token")
        }
        return .one(tenant)
    }

    private func check(_ subject: Subject?) throws(WireError) {
        for name in [subject?.type, subject?.id].compactMap(\.self)
        where !(1...Limits.identifierBytes).contains(name.utf8.count) {
            throw Self.tooLong("subject.type and subject.id")
        }
    }

    private static func tooLong(_ field: String) -> WireError {
        WireError(
            .unprocessable, code: "body_invalid", "\(field) must have 1 to \(Limits.identifierBytes) bytes")
    }

    private func requireOperator(_ principal: Principal) throws(WireError) {
        guard principal.seesAllTenants else {
            throw .notAllowed("changes of policies and checks of the ledger need an operator's key or token")
        }
    }

    private func isStoring(_ name: String) -> Bool {
        asking.values.contains { question in
            switch question.content {
            case .store(let version, _): version.name == name
            case .activate(let activation, _): activation.policy == name
            case .page, .replay, .attempt, .verify, .erase: false
            }
        }
    }

    private static func changing(_ name: String) -> WireError {
        WireError(
            .unavailable, code: "policy_changing",
            "another change of '\(name.prefix(64))' is being stored; read the policy and try again")
    }

    /// Replies with the policies, or with one of them.
    private mutating func list(
        _ token: Token, _ header: RequestHeader, _ body: [UInt8], _ principal: Principal
    ) throws(WireError) {
        let name = try PolicyListRequest.decode(body: body).name
        if let name, policies.versions(of: name) == nil { throw policies.unknown(name) }
        let tenant = principal.seesAllTenants ? nil : principal.jobOwner.tenant
        let listed = PolicyList(
            policies, names: name.map { [$0] } ?? policies.names, tenant: tenant, isWhole: name != nil)
        reply(token, DecisionReply(id: header.id, members: CanonicalJSON.encode(listed)))
    }

    // MARK: Answers

    /// Processes the ledger's answer.
    mutating func answered(_ token: Token, _ answer: LedgerAnswer, _ now: Instant) {
        guard var question = asking.removeValue(forKey: token) else { return }
        switch answer {
        case .stored:
            let stored: PolicyVersion
            switch question.content {
            case .store(let version, _):
                policies.add(version)
                stored = version
            case .activate(let activation, _):
                policies.activate(activation)
                let reference = PolicyReference(name: activation.policy, version: activation.version)
                guard let version = policies[reference] else { preconditionFailure("\(reference) was checked") }
                stored = version
                log.note(.policyActivated, "\(reference)", at: now)
            case .page, .replay, .attempt, .verify, .erase: preconditionFailure("nothing was to be stored")
            }
            let isNew = if case .store = question.content { true } else { false }
            reply(
                token,
                DecisionReply(
                    id: question.id, status: isNew ? .created : .ok,
                    members: CanonicalJSON.encode(PolicyList.Version(stored))))
        case .members(let members): reply(token, DecisionReply(id: question.id, members: members))
        case .attempted(let part, let next):
            question.trial.add(part)
            guard let next, case .attempt(let draft, var query) = question.content else {
                return reply(token, DecisionReply(id: question.id, members: CanonicalJSON.encode(question.trial)))
            }
            query.since = next
            question.content = .attempt(draft, query)
            asking[token] = question
            actions.append(.ask(token, question.content))
        case .unknown:
            let message = "there is no such decision, or it is older than the ledger keeps them"
            refuse(token, question.id, WireError(.notFound, code: "unknown_decision", message))
        case .failed(let reason):
            refuse(token, question.id, Self.journalFailure(reason), retryAfter: 1000)
        }
    }

    private mutating func reply(_ token: Token, _ reply: DecisionReply) {
        statistics.count(reply.status)
        actions.append(.reply(token, .decisions(reply)))
    }

    /// Answers every client that still waits for the ledger.
    mutating func abandonQuestions() {
        for (token, question) in asking.sorted(by: { $0.key < $1.key }) { refuse(token, question.id, Self.stopped) }
        asking = [:]
    }

    // MARK: Erasing

    /// Cancels the unfinished jobs of a subject and drops its results.
    private mutating func forget(_ subject: Subject, of tenants: Tenants, _ now: Instant) {
        for serial in requests.serials where requests.contains(serial) {
            let request = requests[serial]
            guard request.header.subject == subject, tenants.include(request.principal.jobOwner.tenant) else {
                continue
            }
            let error = WireError(.timeout, code: "cancelled", "the job's subject was erased")
            end(serial, .failed(error), now)
        }
        idempotency.forget(subject, of: tenants)
    }
}

extension Principal {
    /// Whether the principal may see the decisions of all tenants and change policies: an operator may, and so may a
    /// gateway that asks on its own behalf, since it has checked that its client is an operator.
    var seesAllTenants: Bool {
        switch rights {
        case .operator, .gateway: jobOwner.owner == nil
        case .client, .none: false
        }
    }
}

extension Tenants {
    /// Whether the tenant is one of these.
    func include(_ tenant: String?) -> Bool {
        switch self {
        case .all: true
        case .one(let one): one == tenant
        }
    }
}

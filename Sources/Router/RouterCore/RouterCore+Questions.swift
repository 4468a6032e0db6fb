internal import BifronsWire
internal import Decisions

/// What the ledger has to do for requests about policies and decisions.
extension RouterCore {
    /// The most decisions that a part of a trial or of a check covers: the journal writes nothing meanwhile.
    private static let decisionsAtOnce = 500

    /// Returns what the ledger has to do for a request.
    func question(
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
        case .shadows:
            var query = try query(body, tenants)
            (query.limit, query.isBackward) = (Self.decisionsAtOnce, false)
            return .shadows(query)
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
        case .nextReview, .reviews, .review, .withdrawReview, .reviewImage, .appeal:
            return try reviewQuestion(header, body, principal, tenants)
        case .tunePolicy: return try tuningQuestion(header, body, tenants)
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

    func number(_ header: RequestHeader) throws(WireError) -> UInt64 {
        guard let id = header.id, let number = Decision.number(id) else {
            throw WireError(
                .notFound, code: "unknown_decision",
                "the id of a decision has 16 hexadecimal digits; '\((header.id ?? "").prefix(64))' is none")
        }
        return number
    }

    func narrowed(_ tenants: Tenants, to tenant: String?) throws(WireError) -> Tenants {
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

    static func tooLong(_ field: String) -> WireError {
        WireError(
            .unprocessable, code: "body_invalid", "\(field) must have 1 to \(Limits.identifierBytes) bytes")
    }

    func requireOperator(_ principal: Principal) throws(WireError) {
        guard principal.seesAllTenants else {
            throw .notAllowed("changes of policies and checks of the ledger need an operator's key or token")
        }
    }

    func isStoring(_ name: String) -> Bool {
        asking.values.contains { question in
            switch question.content {
            case .store(let version, _): version.name == name
            case .activate(let activation, _): activation.policy == name
            default: false
            }
        }
    }

    static func changing(_ name: String) -> WireError {
        WireError(
            .unavailable, code: "policy_changing",
            "another change of '\(name.prefix(64))' is being stored; read the policy and try again")
    }
}

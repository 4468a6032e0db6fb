internal import BifronsWire
internal import Decisions

/// Reviews of decisions by people, appeals against them, and thresholds that follow from them.
extension RouterCore {
    /// Returns what the ledger has to do for a request about reviews and appeals.
    func reviewQuestion(
        _ header: RequestHeader, _ body: [UInt8], _ principal: Principal, _ tenants: Tenants
    ) throws(WireError) -> LedgerQuestion {
        switch header.verb {
        case .nextReview:
            let request = try NextReviewRequest.decode(body: body)
            if let policy = request.policy, policies.versions(of: policy) == nil { throw policies.unknown(policy) }
            let visible = try narrowed(tenants, to: request.tenant)
            return .nextReview(try reviewer(request.reviewer, principal, visible), policy: request.policy)
        case .reviews:
            let request = try ReviewPageRequest.decode(body: body)
            let limit = request.limit ?? 100
            guard (1...100).contains(limit), request.since ?? 0 >= 0 else {
                throw WireError(
                    .unprocessable, code: "body_invalid", "limit must be from 1 to 100, and since at least 0")
            }
            return .reviews(
                since: request.since ?? 0, limit: limit, try narrowed(tenants, to: request.tenant),
                policy: request.policy)
        case .review:
            let request = try ReviewRequest.decode(body: body)
            try request.check()
            return .review(number: try number(header), request, try reviewer(request.reviewer, principal, tenants))
        case .withdrawReview:
            let request = try ReviewerRequest.decode(body: body)
            return .withdrawReview(number: try number(header), try reviewer(request.reviewer, principal, tenants))
        case .reviewImage: return .reviewImage(number: try number(header), tenants)
        default:
            let appeal = try AppealRequest.decode(body: body).checked()
            return .appeal(appeal, try reviewer(nil, principal, tenants))
        }
    }

    private func reviewer(
        _ name: String?, _ principal: Principal, _ tenants: Tenants
    ) throws(WireError) -> Reviewer {
        if let name, !(1...Limits.identifierBytes).contains(name.utf8.count) { throw Self.tooLong("reviewer") }
        return Reviewer(name: name ?? principal.jobOwner.tenant ?? "", tenants: tenants)
    }

    // MARK: Thresholds

    /// Returns the search for a threshold that a request wants.
    func tuningQuestion(
        _ header: RequestHeader, _ body: [UInt8], _ tenants: Tenants
    ) throws(WireError) -> LedgerQuestion {
        let request = try TuningRequest.decode(body: body)
        try request.check()
        if request.store == true, tenants != .all {
            throw .notAllowed("storing a policy needs an operator's key or token")
        }
        let narrowed = try narrowed(tenants, to: request.tenant)
        let tenant: String? = if case .one(let tenant) = narrowed { tenant } else { nil }
        guard let active = policies.active(header.policy, for: tenant) else { throw policies.unknown(header.policy) }
        return .tune(active, request, narrowed)
    }

    /// Replies with the outcome of a search for a threshold, after its draft is stored if the client wants that.
    mutating func tuned(_ token: Token, _ question: Question, _ report: TuningReport) {
        guard case .tune(let active, let request, _) = question.content, request.store == true,
            let policy = report.policy
        else {
            return reply(token, DecisionReply(id: question.id, members: CanonicalJSON.encode(report)))
        }
        do throws(WireError) {
            guard !isStoring(active.name) else { throw Self.changing(active.name) }
            let next = try policies.next(active.name, policy, after: nil)
            let note = LedgerNote(author: nil, text: "tuned for a false-positive rate of \(request.fpr)")
            var storing = question
            (storing.content, storing.tuning) = (.store(next, note: note), report)
            asking[token] = storing
            actions.append(.ask(token, storing.content))
        } catch {
            refuse(token, question.id, error, retryAfter: error.status == .unavailable ? 1000 : nil)
        }
    }
}

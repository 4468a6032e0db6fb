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
        /// How shadows have compared so far.
        var shadows = ShadowReport()
        /// The outcome of a search for a threshold whose draft is being stored.
        var tuning: TuningReport?
        /// The result of a replay with the image, as JSON.
        var result: [UInt8]?
    }

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
        if hasRoom { actions.append(.decide(decision, reviewing: imageToReview(decision, request))) }
        if isRequired { return hold(serial, request, document, isRequired: true) }
        var document = document
        if hasRoom { decisionsAhead += 1 } else { statistics.counters.unrecorded? += 1 }
        // If the last write failed, this one probably does, too.
        if !hasRoom || isJournalFailing { (document.decision, document.isRecorded) = (nil, false) }
        answer(request, document, now)
        passOn(document, of: serial, request, now)
    }

    /// Returns the token of the image if it is to be kept for a reviewer.
    func imageToReview(_ decision: Decision, _ request: Request) -> Token? {
        let reference = PolicyReference(name: decision.body.policy, version: decision.body.policyVersion)
        guard configuration.keepsReviewImages, policies[reference]?.reviewEntry(for: decision) != nil else {
            return nil
        }
        return request.token
    }

    // MARK: Replay with the image

    /// Computes a decision again from its image. The result is compared with the stored decision, and is none itself.
    mutating func replay(
        _ token: Token, _ header: RequestHeader, _ image: Image?, totalBytes: Int, _ principal: Principal,
        _ now: Instant
    ) {
        do throws(WireError) {
            guard configuration.keepsJournal else { throw Self.noLedger }
            _ = try number(header)
            submit(token, header, image, totalBytes: totalBytes, principal, now)
        } catch {
            refuse(token, header.id, error)
        }
    }

    /// Asks the ledger how the decision that was computed from the image differs from the stored one.
    mutating func compare(_ decision: Decision, _ request: Request, _ document: ResultDocument) {
        guard let number = request.header.id.flatMap(Decision.number) else { return }
        let tenants: Tenants =
            request.principal.seesAllTenants ? .all : .one(request.principal.jobOwner.tenant)
        let question = LedgerQuestion.compare(number: number, tenants, decision)
        var document = document
        document.id = nil
        asking[request.token] = Question(id: request.header.id, content: question, result: document.encoded())
        actions.append(.ask(request.token, question))
    }

    private static var noLedger: WireError {
        WireError(
            .unavailable, code: "journal_unavailable", "this router keeps no decisions; start it with --journal")
    }

    // MARK: Questions

    /// Processes a request about policies or decisions.
    mutating func askAboutDecisions(
        _ token: Token, _ header: RequestHeader, _ body: [UInt8], _ principal: Principal, _ now: Instant
    ) {
        do throws(WireError) {
            if header.verb == .policies { return try list(token, header, body, principal) }
            guard configuration.keepsJournal else { throw Self.noLedger }
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
            default: preconditionFailure("nothing was to be stored")
            }
            let isNew = if case .store = question.content { true } else { false }
            var members = CanonicalJSON.encode(PolicyList.Version(stored))
            if var tuning = question.tuning {
                tuning.version = stored.version
                members = CanonicalJSON.encode(tuning)
            }
            reply(token, DecisionReply(id: question.id, status: isNew ? .created : .ok, members: members))
        case .members(var members):
            if let result = question.result {
                members = members.dropLast() + Array(#","result":"#.utf8) + result + [UInt8(ascii: "}")]
            }
            reply(token, DecisionReply(id: question.id, members: members))
        case .reviewed(let members, let agreement):
            if let agreement {
                drift.count(isAgreed: agreement.isSame, tenant: agreement.tenant, at: statistics.history.elapsed)
            }
            reply(token, DecisionReply(id: question.id, members: members))
        case .attempted(let part, let next):
            question.trial.add(part)
            guard let next, case .attempt(let draft, var query) = question.content else {
                return reply(token, DecisionReply(id: question.id, members: CanonicalJSON.encode(question.trial)))
            }
            query.since = next
            question.content = .attempt(draft, query)
            asking[token] = question
            actions.append(.ask(token, question.content))
        case .compared(let part, let next):
            question.shadows.add(part)
            guard let next, case .shadows(var query) = question.content else {
                return reply(token, DecisionReply(id: question.id, members: CanonicalJSON.encode(question.shadows)))
            }
            query.since = next
            question.content = .shadows(query)
            asking[token] = question
            actions.append(.ask(token, question.content))
        case .tuned(let report): tuned(token, question, report)
        case .refused(let error): refuse(token, question.id, error)
        case .unknown:
            let message = "there is no such decision, or it is older than the ledger keeps them"
            refuse(token, question.id, WireError(.notFound, code: "unknown_decision", message))
        case .failed(let reason):
            refuse(token, question.id, Self.journalFailure(reason), retryAfter: 1000)
        }
    }

    mutating func reply(_ token: Token, _ reply: DecisionReply) {
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

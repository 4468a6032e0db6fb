internal import BifronsWire
internal import Decisions
internal import GRDB

extension Transaction {
    /// Answers a question about the ledger, and makes the change that it asks for.
    ///
    /// - Parameter book: the policies; a stored version or activation changes them.
    /// - Throws: SQLite's error. A decision that cannot be read is an answer, because the other orders of the
    ///   transaction do not depend on it.
    func answer(_ question: LedgerQuestion, _ book: inout PolicyBook, now: Int64) throws -> LedgerAnswer {
        do {
            switch question {
            case .store(let version, let note):
                try store(
                    .version(name: version.name, version.policy), version: version.version, isOfFile: false, note: note,
                    now: now)
                book.add(version)
                return .stored
            case .activate(let activation, let note):
                try store(.activation(activation), version: activation.version, isOfFile: false, note: note, now: now)
                book.activate(activation)
                return .stored
            case .page(let query): return .members(try pageMembers(query))
            case .replay(let number, let tenants): return try replay(number, tenants, book)
            case .compare(let number, let tenants, let again): return try replay(number, tenants, book, again)
            case .attempt(let draft, let query): return try attempt(draft, query)
            case .shadows(let query): return try shadows(query, book)
            case .verify(let from, let limit):
                return .members(CanonicalJSON.encode(try verify(from: from, limit: limit)))
            case .erase(let subject, let tenants):
                let receipt = "erasure-" + Decision.id(.random(in: .min ... .max))
                return .members(CanonicalJSON.encode(try erase(subject, of: tenants, receipt: receipt, now: now)))
            case .nextReview(let reviewer, let policy): return try nextReview(reviewer, policy: policy, now: now)
            case .reviews(let since, let limit, let tenants, let policy):
                return try reviews(since: since, limit: limit, of: tenants, policy: policy, now: now)
            case .review(let number, let request, let reviewer):
                return try review(number, request, by: reviewer, now: now)
            case .withdrawReview(let number, let reviewer): return try withdrawReview(number, by: reviewer, now: now)
            case .reviewImage(let number, let tenants): return try reviewImage(number, of: tenants)
            case .appeal(let appeal, let reviewer): return try self.appeal(appeal, by: reviewer, now: now)
            case .tune(let policy, let request, let tenants): return .tuned(try tune(policy, request, of: tenants))
            }
        } catch let error as DatabaseError {
            throw error
        } catch {
            return .failed("a stored decision cannot be read: \(error)")
        }
    }

    private func pageMembers(_ query: DecisionQuery) throws -> [UInt8] {
        let links = try page(query)
        var corrections: [[Correction]] = []
        for link in links { corrections.append(try self.corrections(of: link.number)) }
        var json = JSONWriter(capacity: 2048 * (1 + links.count))
        json.object { json in
            json.member("decisions", Array(zip(links, corrections))) { json, decision in
                decision.0.write(&json, corrections: decision.1)
            }
            if links.count == query.limit, let last = links.last { json.member("next", Int(last.sequence)) }
        }
        return json.bytes
    }

    /// Returns a decision with what its stored bits lead to today.
    ///
    /// - Parameter again: the decision that was now computed from the image; nil without an image.
    private func replay(
        _ number: UInt64, _ tenants: Tenants, _ book: PolicyBook, _ again: Decision? = nil
    ) throws -> LedgerAnswer {
        guard let link = try decision(number, of: tenants) else { return .unknown }
        let decision = try link.decision()
        let body = decision.body
        let policy = book[PolicyReference(name: body.policy, version: body.policyVersion)]
        var report = ReplayReport(differences: ["merge"])
        if let merge = try merge(body.merge) {
            var differences = policy.map { body.replay($0, merge) } ?? ["policy"]
            if let again {
                differences += decision.differences(
                    from: again, models: merge.models,
                    otherModels: try self.merge(again.body.merge)?.models ?? [])
            }
            report = ReplayReport(differences: differences)
        }
        let corrections = try corrections(of: number)
        let scores = try shadowScores(of: number)
        var json = JSONWriter(capacity: 4096)
        json.object { json in
            json.member("replay", raw: CanonicalJSON.encode(report))
            json.key("decision")
            link.write(&json, corrections: corrections)
            if !scores.isEmpty { json.member("shadow_models", raw: CanonicalJSON.encode(scores)) }
        }
        return .members(json.bytes)
    }

    /// Compares what shadows said about a part of the ledger.
    private func shadows(_ query: DecisionQuery, _ book: PolicyBook) throws -> LedgerAnswer {
        var report = ShadowReport()
        let links = try page(query)
        for link in links {
            let decision = try link.decision()
            let policy = book[PolicyReference(name: decision.body.policy, version: decision.body.policyVersion)]
            report.add(decision, policy, try shadowScores(of: link.number))
        }
        return .compared(report, next: links.count == query.limit ? links.last?.sequence : nil)
    }

    /// Tries a draft on a part of the ledger.
    private func attempt(_ draft: PolicyVersion, _ query: DecisionQuery) throws -> LedgerAnswer {
        var trial = PolicyTrial()
        var merges: [String: Merge] = [:]
        let links = try page(query)
        for link in links {
            let decision = try link.decision()
            let digest = decision.body.merge
            if merges[digest] == nil { merges[digest] = try merge(digest) }
            guard let merge = merges[digest] else {
                trial.skip()
                continue
            }
            trial.add(decision, would: decision.body.verdict(by: draft, merge).action)
        }
        return .attempted(trial, next: links.count == query.limit ? links.last?.sequence : nil)
    }

    /// Returns the stored policies with those of the ensemble file, which it stores if they are new.
    func restoreBook(_ ensemble: Ensemble, now: Int64) throws -> PolicyBook {
        try keep(ensemble.merge)
        let stored = try policyEntries()
        var book = try PolicyBook(ensemble, restoring: stored)
        for entry in book.additions(from: ensemble, after: stored) {
            switch entry {
            case .version(let name, let policy):
                let number = (book.versions(of: name)?.count ?? 0) + 1
                try store(entry, version: number, isOfFile: true, now: now)
                book.add(try PolicyVersion(name, number, policy, evidence: ensemble.evidence))
            case .activation(let activation):
                try store(entry, version: activation.version, isOfFile: true, now: now)
                book.activate(activation)
            }
        }
        return book
    }
}

internal import BifronsWire
internal import Decisions
internal import FoundationEssentials
internal import GRDB

// The decision ledger in the journal's file: decisions, what happened to them, and the policies that made them.

// MARK: Decisions

extension Transaction {
    /// Appends a decision to the ledger. A decision that is there already stays as it is: a durable job may be computed
    /// again after a crash.
    ///
    /// - Parameters:
    ///   - book: the policies, which say whether somebody has to look at the image.
    ///   - image: the image, if the router keeps images for reviewers.
    func record(_ decision: Decision, by book: PolicyBook, image: ReviewImage?, now: Int64) throws {
        let number = Int64(bitPattern: decision.number)
        let isKnown = try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM decisions WHERE number = ?)"), arguments: [number])
        guard isKnown != true else { return }
        let (sequence, previous) = try head()
        let salt = (0..<DecisionLink.saltBytes).map { _ in UInt8.random(in: .min ... .max) }
        let link = DecisionLink(decision, sequence: sequence + 1, time: now, salt: salt, after: previous)
        try db.cachedStatement(
            sql: """
                INSERT INTO decisions (sequence, number, time, tenant, subject_type, subject_id, action,
                body, personal, salt, commitment, previous, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            link.sequence, number, link.time, link.tenant, decision.personal.subject?.type,
            decision.personal.subject?.id, decision.body.action.rawValue, Data(link.body),
            link.personal.map { Data($0) }, Data(salt), Data(link.commitment), Data(link.previous), Data(link.hash),
        ])
        try db.cachedStatement(sql: "UPDATE ledger SET sequence = ?, hash = ?")
            .execute(arguments: [link.sequence, Data(link.hash)])
        let reference = PolicyReference(name: decision.body.policy, version: decision.body.policyVersion)
        if let entry = book[reference]?.reviewEntry(for: decision) {
            try enqueue(entry, decision, sequence: link.sequence, image: image)
        }
    }

    /// Returns the sequence number and the hash of the last decision; 0 and ``DecisionLink/origin`` before the first.
    func head() throws -> (sequence: Int64, hash: [UInt8]) {
        guard let row = try Row.fetchOne(db.cachedStatement(sql: "SELECT sequence, hash FROM ledger")) else {
            throw JournalError("the table of the ledger's head is empty")
        }
        return (row["sequence"], Array(row["hash"] as Data))
    }

    /// Returns the decisions of a page, in the query's order.
    func page(_ query: DecisionQuery) throws -> [DecisionLink] {
        var conditions: [String] = []
        var arguments = StatementArguments()
        func require(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            conditions.append(condition)
            arguments += [value]
        }
        if query.isBackward {
            if query.since > 0 { require("sequence < ?", query.since) }
        } else {
            require("sequence > ?", query.since)
        }
        if let until = query.until { require("sequence <= ?", until) }
        if case .one(let tenant) = query.tenants { require("tenant IS ?", tenant) }
        if let action = query.action { require("action = ?", action.rawValue) }
        if let subject = query.subject {
            require("subject_type = ?", subject.type)
            require("subject_id = ?", subject.id)
        }
        arguments += [query.limit]
        return try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM decisions \(Self.index(for: query).map { "INDEXED BY \($0)" } ?? "")
                \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
                ORDER BY sequence \(query.isBackward ? "DESC" : "ASC") LIMIT ?
                """, arguments: arguments
        ).map(DecisionLink.init(row:))
    }

    /// Returns the index that leads to the fewest rows. SQLite has no statistics to choose by.
    private static func index(for query: DecisionQuery) -> String? {
        if query.subject != nil { return "decisions_by_subject" }
        switch (query.tenants, query.action) {
        case (.one, nil): return "decisions_by_tenant"
        case (.one, .some): return "decisions_by_tenant_and_action"
        case (.all, nil): return nil
        case (.all, .some): return "decisions_by_action"
        }
    }

    /// Returns a decision by its number; nil if there is none, or if it is another tenant's.
    func decision(_ number: UInt64, of tenants: Tenants) throws -> DecisionLink? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT * FROM decisions WHERE number = ?"),
            arguments: [Int64(bitPattern: number)])
        guard let link = row.map(DecisionLink.init(row:)) else { return nil }
        if case .one(let tenant) = tenants, link.tenant != tenant { return nil }
        return link
    }

    /// Returns what happened to a decision after it was made, oldest first.
    func corrections(of number: UInt64) throws -> [Correction] {
        try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM corrections WHERE decision = ? ORDER BY sequence"),
            arguments: [Int64(bitPattern: number)]
        ).compactMap { row in
            guard let kind = Correction.Kind(rawValue: row["kind"]) else { return nil }
            let detail: String? = row["detail"]
            return Correction(
                kind: kind, time: row["time"], author: row["author"], receipt: row["receipt"],
                detail: detail.map { Array($0.utf8) })
        }
    }

    /// Checks the chain from a decision on, at most `limit` links.
    func verify(from: Int64, limit: Int) throws -> LedgerVerification {
        var result = LedgerVerification()
        var previous = try page(DecisionQuery(since: from, limit: 1, isBackward: true)).first
        if from <= 1 { previous = nil }
        let links = try page(DecisionQuery(since: max(0, from - 1), limit: limit))
        for link in links {
            if let problem = try link.problem(after: previous) ?? mismatch(link) {
                result.problem = LedgerVerification.Problem(
                    decision: Decision.id(link.number), sequence: link.sequence,
                    message: "decision \(Decision.id(link.number)) \(problem)")
                return result
            }
            result.checked += 1
            previous = link
        }
        let (sequence, hash) = try head()
        // Decisions expire from the beginning, so the last one is there unless all have expired.
        if let last = previous, links.count < limit, last.sequence != sequence || last.hash != hash {
            result.problem = LedgerVerification.Problem(
                decision: Decision.id(last.number), sequence: last.sequence,
                message: "decision \(Decision.id(last.number)) is not the one that the ledger ends with")
        }
        result.next = links.last.flatMap { $0.sequence < sequence && result.problem == nil ? $0.sequence + 1 : nil }
        return result
    }

    /// Returns whether the columns that queries use say something else than the chained content, as a clause.
    private func mismatch(_ link: DecisionLink) throws -> String? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT action, subject_type, subject_id FROM decisions WHERE sequence = ?"),
            arguments: [link.sequence])
        guard let row, let decision = try? link.decision() else { return "has a content that cannot be read" }
        let subject = decision.personal.subject
        guard row["action"] == decision.body.action.rawValue, row["subject_type"] == subject?.type,
            row["subject_id"] == subject?.id
        else { return "has other columns than its content" }
        return nil
    }

    /// Removes the personal part of the oldest decisions that are as old as `cutoff`, at most of `limit`.
    ///
    /// - Returns: the number of decisions that were looked at.
    func expirePersonal(cutoff: Int64, atMost limit: Int) throws -> Int {
        let oldest = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT sequence, time FROM decisions WHERE sequence > (SELECT forgotten FROM ledger)
                    ORDER BY sequence LIMIT ?
                    """), arguments: [limit])
        let expired = oldest.prefix { ($0["time"] as Int64) <= cutoff }
        guard let first = expired.first, let last = expired.last else { return 0 }
        let range = "sequence BETWEEN ? AND ?"
        let arguments: StatementArguments = [first["sequence"] as Int64, last["sequence"] as Int64]
        _ = try eraseReviews(ofDecisions: range, arguments)
        try db.execute(
            sql: """
                UPDATE decisions SET personal = NULL, salt = NULL, subject_type = NULL, subject_id = NULL WHERE \(range)
                """, arguments: arguments)
        try db.execute(sql: "UPDATE ledger SET forgotten = ?", arguments: [last["sequence"] as Int64])
        return expired.count
    }

    /// Deletes the oldest decisions that are as old as `cutoff`, at most `limit`. What is left stays a chain.
    ///
    /// - Returns: the number of deleted decisions.
    func expireDecisions(cutoff: Int64, atMost limit: Int) throws -> Int {
        let oldest = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT sequence, number, time FROM decisions ORDER BY sequence LIMIT ?"),
            arguments: [limit])
        let expired = oldest.prefix { ($0["time"] as Int64) <= cutoff }
        guard let last = expired.last else { return 0 }
        try db.execute(
            sql: """
                DELETE FROM corrections WHERE decision IN (SELECT number FROM decisions WHERE sequence <= :last);
                DELETE FROM appeals WHERE decision IN (SELECT number FROM decisions WHERE sequence <= :last);
                DELETE FROM review_images WHERE decision IN (SELECT number FROM decisions WHERE sequence <= :last);
                DELETE FROM shadow_scores WHERE decision IN (SELECT number FROM decisions WHERE sequence <= :last);
                DELETE FROM reviews WHERE sequence <= :last;
                DELETE FROM decisions WHERE sequence <= :last;
                """, arguments: ["last": last["sequence"] as Int64])
        return expired.count
    }
}

extension DecisionLink {
    init(row: Row) {
        self.init(
            sequence: row["sequence"], number: UInt64(bitPattern: row["number"] as Int64), time: row["time"],
            tenant: row["tenant"], body: Array(row["body"] as Data),
            personal: (row["personal"] as Data?).map(Array.init),
            salt: (row["salt"] as Data?).map(Array.init), commitment: Array(row["commitment"] as Data),
            previous: Array(row["previous"] as Data), hash: Array(row["hash"] as Data))
    }
}

// MARK: Shadows

extension Transaction {
    /// Adds what a shadow said about a decision. Of a job that was computed again after a crash, the first one stays.
    func record(_ score: ShadowScore, now: Int64) throws {
        try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO shadow_scores (decision, model, version, digest, logits, time)
                VALUES (?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            Int64(bitPattern: score.decision), score.model, score.version, score.digest,
            String(decoding: CanonicalJSON.encode(score.logits), as: UTF8.self), now,
        ])
    }

    /// Returns what shadows said about a decision.
    func shadowScores(of number: UInt64) throws -> [ShadowScore] {
        try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM shadow_scores WHERE decision = ?"),
            arguments: [Int64(bitPattern: number)]
        ).map { row in
            let logits: String = row["logits"]
            return ShadowScore(
                decision: number, model: row["model"], version: row["version"], digest: row["digest"],
                logits: try CanonicalJSON.decode([FloatBits?].self, from: Array(logits.utf8)))
        }
    }
}

// MARK: Erasing

extension Transaction {
    /// Removes what points to a subject: the personal part of its decisions, and its durable jobs with their images
    /// and results.
    func erase(_ subject: Subject, of tenants: Tenants, receipt: String, now: Int64) throws -> ErasureReceipt {
        let isAll = tenants == .all
        let tenant: String? = if case .one(let tenant) = tenants { tenant } else { nil }
        let arguments: StatementArguments = [subject.type, subject.id, isAll, tenant]
        let jobs = "subject_type = ? AND subject_id = ? AND (? OR COALESCE(on_behalf_of, owner) IS ?)"
        let decisions = "subject_type = ? AND subject_id = ? AND (? OR tenant IS ?)"
        var counts = ErasureReceipt(receipt: receipt)
        counts.images =
            try Int.fetchOne(
                db, sql: "SELECT COUNT(*) FROM jobs WHERE \(jobs) AND image IS NOT NULL", arguments: arguments) ?? 0
        try db.execute(sql: "DELETE FROM jobs WHERE \(jobs)", arguments: arguments)
        counts.jobs = db.changesCount
        counts.images += try eraseReviews(ofDecisions: decisions, arguments)
        try db.execute(
            sql: """
                INSERT INTO corrections (decision, kind, time, receipt)
                SELECT number, 'erase', \(now), '\(receipt)' FROM decisions WHERE \(decisions)
                """, arguments: arguments)
        try db.execute(
            sql: """
                UPDATE decisions SET personal = NULL, salt = NULL, subject_type = NULL, subject_id = NULL
                WHERE \(decisions)
                """, arguments: arguments)
        counts.decisions = db.changesCount
        return counts
    }
}

// MARK: Policies

extension Transaction {
    /// Returns the stored versions and activations, oldest first.
    func policyEntries() throws -> [PolicyBook.Stored] {
        try Row.fetchAll(db, sql: "SELECT * FROM policies ORDER BY entry").map { row in
            let isOfFile: Bool = row["is_of_file"]
            guard let body: Data = row["body"] else {
                return PolicyBook.Stored(
                    entry: .activation(
                        PolicyBook.Activation(policy: row["name"], version: row["version"], tenant: row["tenant"])),
                    isOfFile: isOfFile)
            }
            let policy = try CanonicalJSON.decode(Policy.self, from: Array(body))
            return PolicyBook.Stored(entry: .version(name: row["name"], policy), isOfFile: isOfFile)
        }
    }

    /// Stores a version or an activation behind all others.
    func store(
        _ entry: PolicyBook.Entry, version: Int, isOfFile: Bool, note: LedgerNote = LedgerNote(author: nil), now: Int64
    ) throws {
        let (name, tenant, body): (String, String?, Data?) =
            switch entry {
            case .version(let name, let policy): (name, nil, Data(CanonicalJSON.encode(policy)))
            case .activation(let activation): (activation.policy, activation.tenant, nil)
            }
        try db.execute(
            sql: """
                INSERT INTO policies (name, version, tenant, body, is_of_file, author, note, time)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """, arguments: [name, version, tenant, body, isOfFile, note.author, note.text, now])
    }

    /// Keeps a merge, so that its decisions can be computed again when the ensemble has another one.
    func keep(_ merge: Merge) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO merges (digest, body) VALUES (?, ?)",
            arguments: [merge.digest, Data(merge.body)])
    }

    /// Returns the merge with a digest; nil if it is not kept.
    func merge(_ digest: String) throws -> Merge? {
        try Data.fetchOne(
            db.cachedStatement(sql: "SELECT body FROM merges WHERE digest = ?"), arguments: [digest]
        ).map { try Merge(decoding: Array($0)) }
    }
}

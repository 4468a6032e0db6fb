internal import BifronsWire
internal import Decisions
internal import GRDB

/// Appeals, the erasure of reviews, and the search for thresholds in them.
extension Transaction {
    // MARK: Appeals

    /// Stores an appeal, and puts its decision at the head of the queue.
    func appeal(_ appeal: Appeal, by reviewer: Reviewer, now: Int64) throws -> LedgerAnswer {
        guard let link = try decision(of: appeal.item, reviewer.tenants) else { return .unknown }
        let number = Int64(bitPattern: link.number)
        let known = try Int64.fetchOne(
            db, sql: "SELECT decision FROM appeals WHERE id = ? AND tenant IS ?", arguments: [appeal.id, link.tenant])
        if let known {
            guard known == number else {
                return .refused(
                    WireError(
                        .conflict, code: "appeal_known", "an appeal with this appealId is about another decision"))
            }
            return .members(Array(#"{"decision":"\#(Decision.id(link.number))"}"#.utf8))
        }
        try db.execute(
            sql: "INSERT INTO appeals (id, tenant, decision, time) VALUES (?, ?, ?, ?)",
            arguments: [appeal.id, link.tenant, number, now])
        let decision = try link.decision()
        try db.execute(
            sql: """
                INSERT INTO reviews (decision, sequence, tenant, policy, lane, origin, is_doubtful, distance,
                probability, basis, sample, is_blind) VALUES (?, ?, ?, ?, 0, 0, ?, 0, NULL, ?, 0, 0)
                ON CONFLICT (decision) DO UPDATE SET lane = 0, distance = 0, skips = 0, is_blind = 0, outcome = NULL,
                answered = NULL, lease = NULL, lease_ends = NULL
                """,
            arguments: [
                number, link.sequence, link.tenant, decision.body.policy, decision.body.action == .review,
                decision.body.basis,
            ])
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.member("appeal", appeal.id)
            json.member("reason", appeal.reason)
            json.member("at", appeal.at)
            if let by = appeal.by {
                json.member("by") { json in
                    json.member("type", by.type)
                    json.member("id", by.id)
                }
            }
        }
        try correct(link.number, .appeal, by: reviewer, detail: json.bytes, now: now)
        return .members(Array(#"{"decision":"\#(Decision.id(link.number))"}"#.utf8))
    }

    private func decision(of item: Appeal.Item, _ tenants: Tenants) throws -> DecisionLink? {
        switch item {
        case .decision(let number): return try decision(number, of: tenants)
        case .subject(let subject):
            for action in [ResultDocument.PolicyAction.block, .review] {
                let query = DecisionQuery(
                    limit: 1, tenants: tenants, action: action, subject: subject, isBackward: true)
                if let link = try page(query).first { return link }
            }
            return nil
        }
    }

    /// Settles the appeals against a decision: they are overturned if the reviewer allows the image, or calls it real.
    func settleAppeals(of link: DecisionLink, _ request: ReviewRequest) throws {
        guard request.outcome != .unsure || request.action != nil else { return }
        let isOverturned = request.action.map { $0 == .allow } ?? (request.outcome == .real)
        try db.execute(
            sql: "UPDATE appeals SET outcome = ? WHERE decision = ? AND outcome IS NULL",
            arguments: [isOverturned ? "overturned" : "upheld", Int64(bitPattern: link.number)])
    }

    // MARK: Erasing

    /// Removes the images of a subject's reviews, and what people wrote about them.
    ///
    /// - Parameter condition: which decisions are the subject's.
    /// - Returns: the number of images that were removed.
    func eraseReviews(ofDecisions condition: String, _ arguments: StatementArguments) throws -> Int {
        let numbers = "(SELECT number FROM decisions WHERE \(condition))"
        try db.execute(sql: "DELETE FROM review_images WHERE decision IN \(numbers)", arguments: arguments)
        let images = db.changesCount
        try db.execute(
            sql: """
                UPDATE corrections SET detail = json_remove(detail, '$.note', '$.reason', '$.by', '$.appeal', '$.at')
                WHERE detail IS NOT NULL AND decision IN \(numbers)
                """, arguments: arguments)
        try db.execute(sql: "UPDATE appeals SET id = '' WHERE decision IN \(numbers)", arguments: arguments)
        return images
    }

    // MARK: Thresholds

    /// The most reviewed images that a search for a threshold takes, the newest ones.
    private static let mostReviewed = 20_000

    /// Looks for a threshold in the reviews.
    ///
    /// Every doubtful image counts once, as long as all that are older than it have been reviewed; every image that was
    /// drawn counts with the inverse of the share that is drawn. Images that are reviewed because of an appeal alone do
    /// not count: who appeals is not drawn at random.
    func tune(_ policy: PolicyVersion, _ request: TuningRequest, of tenants: Tenants) throws -> TuningReport {
        let (condition, arguments) = Self.visible(to: tenants, nil)
        let basis = try String.fetchOne(
            db,
            sql: """
                SELECT basis FROM reviews WHERE outcome IS NOT NULL AND origin != 0 AND \(condition)
                ORDER BY sequence DESC LIMIT 1
                """, arguments: arguments)
        let complete = try Int64.fetchOne(
            db,
            sql: """
                SELECT MIN(sequence) FROM reviews WHERE outcome IS NULL AND is_doubtful AND basis IS ? AND \(condition)
                """, arguments: [basis] + arguments)
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT probability, outcome, sample, origin, is_doubtful, sequence FROM reviews
                WHERE outcome IN ('real', 'ai_generated') AND origin != 0 AND probability IS NOT NULL AND basis IS ?
                AND \(condition) ORDER BY sequence DESC LIMIT \(Self.mostReviewed)
                """, arguments: [basis] + arguments)
        let reviewed = rows.compactMap { row -> Tuning.Reviewed? in
            let isSure = (row["is_doubtful"] as Bool) && (row["sequence"] as Int64) < complete ?? .max
            let sample: Double = row["sample"]
            guard isSure || (row["origin"] as Int == ReviewEntry.Lane.drawn.rawValue && sample > 0) else { return nil }
            return Tuning.Reviewed(
                probability: row["probability"], isReal: row["outcome"] == ReviewOutcome.real.rawValue,
                weight: isSure ? 1 : 1 / sample)
        }
        return TuningReport(reviewed, request, changing: policy.policy)
    }
}

internal import BifronsWire
internal import BifronsZeroMQ
internal import Decisions
internal import FoundationEssentials
internal import GRDB

/// An image as it was sent, kept for a reviewer, and the most bytes that all such images may take.
struct ReviewImage: Sendable {
    let image: Frame
    let maxBytes: Int
}

/// The queue of reviews. It lies in the journal's file, so that a restart loses no lease and no answer.
extension Transaction {
    /// The milliseconds for which a review is leased to one reviewer.
    static let lease: Int64 = 600_000
    /// The percentage of images that are handed out from those drawn at random while there are doubtful ones, too.
    private static let drawnPercent = 25
    /// The most waiting reviews, the oldest ones, that are counted.
    private static let mostCounted = 10_000
    /// The most waiting reviews that a page looks at.
    private static let mostListed = 1000

    // MARK: The queue

    /// Adds a decision to the queue, with its image if there is room for it.
    func enqueue(_ entry: ReviewEntry, _ decision: Decision, sequence: Int64, image: ReviewImage?) throws {
        let number = Int64(bitPattern: decision.number)
        try db.cachedStatement(
            sql: """
                INSERT INTO reviews (decision, sequence, tenant, policy, lane, origin, is_doubtful, distance,
                probability, basis, sample, is_blind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            number, sequence, decision.tenant, decision.body.policy, entry.lane.rawValue, entry.lane.rawValue,
            entry.isDoubtful,
            // The order of the drawn ones must not depend on what the networks say.
            entry.lane == .doubtful ? entry.distance ?? Double.greatestFiniteMagnitude : 0, entry.probability,
            decision.body.basis, entry.sample, entry.isBlind,
        ])
        guard let image, image.image.byteCount <= image.maxBytes else { return }
        try makeRoom(image.maxBytes - image.image.byteCount)
        let data = image.image.withBytes { Data($0) }
        try db.cachedStatement(sql: "INSERT INTO review_images (decision, bytes, image) VALUES (?, ?, ?)")
            .execute(arguments: [number, data.count, data])
    }

    /// Deletes the oldest images until the others take at most so many bytes.
    private func makeRoom(_ maxBytes: Int) throws {
        var bytes = try Int.fetchOne(db.cachedStatement(sql: "SELECT COALESCE(SUM(bytes), 0) FROM review_images")) ?? 0
        while bytes > maxBytes {
            let oldest = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT i.decision, i.bytes FROM review_images i JOIN reviews r ON r.decision = i.decision
                        ORDER BY r.outcome IS NULL, r.sequence LIMIT 1
                        """))
            guard let oldest else { return }
            try deleteImage(oldest["decision"])
            bytes -= oldest["bytes"] as Int
        }
    }

    private func deleteImage(_ number: Int64) throws {
        try db.cachedStatement(sql: "DELETE FROM review_images WHERE decision = ?").execute(arguments: [number])
    }

    /// Deletes the images of reviews that were answered so long ago that the reviewer will not take the answer back.
    func expireReviewImages(now: Int64) throws {
        try db.execute(
            sql: """
                DELETE FROM review_images WHERE decision IN
                (SELECT r.decision FROM review_images i CROSS JOIN reviews r ON r.decision = i.decision
                WHERE r.outcome IS NOT NULL AND r.answered <= ?)
                """, arguments: [now - Self.lease])
    }

    // MARK: Handing out

    /// Hands out the next review. No other reviewer gets it before the lease ends.
    ///
    /// - Parameter policy: the policy whose decisions alone are wanted; nil for any.
    func nextReview(_ reviewer: Reviewer, policy: String?, now: Int64) throws -> LedgerAnswer {
        let (condition, arguments) = Self.visible(to: reviewer.tenants, policy)
        let lanes: [ReviewEntry.Lane] =
            Int.random(in: 0..<100) < Self.drawnPercent ? [.appeal, .drawn, .doubtful] : [.appeal, .doubtful, .drawn]
        // SQLite has no statistics to choose by.
        let isOfOne = if case .one = reviewer.tenants { true } else { false }
        let index =
            isOfOne ? "reviews_open_of_tenant" : policy != nil ? "reviews_open_of_policy" : "reviews_open"
        for lane in lanes {
            let number = try Int64.fetchOne(
                db,
                sql: """
                    SELECT decision FROM reviews INDEXED BY \(index) WHERE outcome IS NULL AND lane = ? AND \(condition)
                    AND (lease_ends IS NULL OR lease_ends <= ?) ORDER BY skips, distance, sequence LIMIT 1
                    """, arguments: [lane.rawValue] + arguments + [now])
            if let number { return try handOut(number, to: reviewer, now: now) }
        }
        return .members(Array(#"{"waiting":\#(try waiting(condition, arguments))}"#.utf8))
    }

    /// Leases a review, and returns what the reviewer needs to see.
    private func handOut(_ number: Int64, to reviewer: Reviewer, now: Int64) throws -> LedgerAnswer {
        let lease = Decision.id(.random(in: .min ... .max))
        let ends = now + Self.lease
        try db.cachedStatement(sql: "UPDATE reviews SET lease = ?, reviewer = ?, lease_ends = ? WHERE decision = ?")
            .execute(arguments: [lease, reviewer.name, ends, number])
        guard let link = try decision(UInt64(bitPattern: number), of: .all),
            let row = try review(link.number, of: .all)
        else { return .unknown }
        let (condition, arguments) = Self.visible(to: reviewer.tenants, nil)
        let waiting = try waiting(condition, arguments)
        var json = JSONWriter(capacity: 4096)
        json.object { json in
            json.member("waiting", waiting)
            json.member("lease", lease)
            json.member("lease_ends", DecisionLink.text(ofTime: ends))
        }
        return .members(json.bytes.dropLast() + [UInt8(ascii: ",")] + (try members(of: link, row)))
    }

    /// Returns what a reviewer may see of a decision, as the members of a JSON object and its closing brace.
    private func members(of link: DecisionLink, _ row: Row) throws -> ArraySlice<UInt8> {
        let isBlind: Bool = row["is_blind"]
        let body = try link.decision().body
        let hasImage =
            try Bool.fetchOne(
                db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM review_images WHERE decision = ?)"),
                arguments: [Int64(bitPattern: link.number)]) ?? false
        let corrections = isBlind ? [] : try corrections(of: link.number)
        var json = JSONWriter(capacity: 4096)
        json.object { json in
            json.member("blind", isBlind)
            json.member("image", hasImage)
            // The lane tells whether the action is 'review'.
            json.member("lane", isBlind ? nil : ["appeal", "doubtful", "drawn"][row["lane"] as Int])
            json.key("decision")
            if isBlind {
                link.writeBlind(&json, body)
            } else {
                link.write(&json, corrections: corrections)
            }
        }
        return json.bytes.dropFirst()
    }

    /// Returns the decisions that wait for a reviewer, in the order of the ledger.
    func reviews(since: Int64, limit: Int, of tenants: Tenants, policy: String?, now: Int64) throws -> LedgerAnswer {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT * FROM reviews INDEXED BY reviews_open_by_age WHERE outcome IS NULL AND sequence > ?
                ORDER BY sequence LIMIT \(Self.mostListed)
                """, arguments: [since])
        var reviews: [[UInt8]] = []
        var last: Int?
        for row in rows where reviews.count < limit {
            last = row["sequence"]
            guard policy == nil || row["policy"] == policy,
                let link = try decision(UInt64(bitPattern: row["decision"] as Int64), of: tenants)
            else { continue }
            let isLeased = (row["lease_ends"] as Int64?).map { $0 > now } ?? false
            reviews.append(Array(#"{"leased":\#(isLeased),"#.utf8) + (try members(of: link, row)))
        }
        let isMore = rows.count == Self.mostListed || last != rows.last.map { $0["sequence"] as Int }
        var json = JSONWriter(capacity: 4096 * (1 + reviews.count))
        json.object { json in
            json.member("reviews", reviews) { json, review in json.raw(review) }
            if isMore { json.member("next", last) }
        }
        return .members(json.bytes)
    }

    private func waiting(_ condition: String, _ arguments: StatementArguments) throws -> Int {
        try Int.fetchOne(
            db,
            sql: """
                SELECT COUNT(*) FROM
                (SELECT 1 FROM (SELECT tenant, policy FROM reviews INDEXED BY reviews_open_by_age
                WHERE outcome IS NULL LIMIT \(Self.mostCounted)) WHERE \(condition))
                """, arguments: arguments) ?? 0
    }

    static func visible(to tenants: Tenants, _ policy: String?) -> (String, StatementArguments) {
        var conditions = ["1"]
        var arguments = StatementArguments()
        if case .one(let tenant) = tenants {
            conditions.append("tenant IS ?")
            arguments += [tenant]
        }
        if let policy {
            conditions.append("policy = ?")
            arguments += [policy]
        }
        return (conditions.joined(separator: " AND "), arguments)
    }

    /// Returns the entry of a decision in the queue; nil if there is none, or if it is another tenant's.
    func review(_ number: UInt64, of tenants: Tenants) throws -> Row? {
        let (condition, arguments) = Self.visible(to: tenants, nil)
        return try Row.fetchOne(
            db, sql: "SELECT * FROM reviews WHERE decision = ? AND \(condition)",
            arguments: [Int64(bitPattern: number)] + arguments)
    }

    /// Returns the image of a decision to review, as base64.
    func reviewImage(_ number: UInt64, of tenants: Tenants) throws -> LedgerAnswer {
        guard try review(number, of: tenants) != nil else { return .unknown }
        let image = try Data.fetchOne(
            db, sql: "SELECT image FROM review_images WHERE decision = ?", arguments: [Int64(bitPattern: number)])
        guard let image else {
            return .refused(
                WireError(
                    .notFound, code: "no_image",
                    "the image of this decision is not kept: set review-bytes, or look at your own copy"))
        }
        var json = JSONWriter(capacity: 64 + image.count * 4 / 3)
        json.object { json in json.member("image", image.base64EncodedString()) }
        return .members(json.bytes)
    }

    // MARK: Answers

    /// Stores a reviewer's answer.
    func review(_ number: UInt64, _ request: ReviewRequest, by reviewer: Reviewer, now: Int64) throws -> LedgerAnswer {
        guard let link = try decision(number, of: reviewer.tenants) else { return .unknown }
        guard let row = try review(number, of: reviewer.tenants) else {
            return .refused(
                WireError(
                    .conflict, code: "not_for_review",
                    "decision \(Decision.id(number)) does not wait for a review; an appeal makes it wait"))
        }
        if let outcome: String = row["outcome"] {
            // The same answer again: the first one's reply was lost.
            guard outcome == request.outcome.rawValue, row["reviewer"] == reviewer.name else {
                return .refused(
                    WireError(
                        .conflict, code: "review_answered",
                        "decision \(Decision.id(number)) has an answer already; ask for the next one"))
            }
            return try whole(link)
        }
        let isLeased = (row["lease_ends"] as Int64?).map { $0 > now } ?? false
        if isLeased, row["lease"] != request.lease {
            return .refused(
                WireError(
                    .conflict, code: "review_leased",
                    "decision \(Decision.id(number)) is with another reviewer; ask for the next one"))
        }
        if request.outcome == .skip {
            try db.execute(
                sql: """
                    UPDATE reviews SET skips = skips + 1, lease = NULL, reviewer = NULL, lease_ends = NULL
                    WHERE decision = ?
                    """, arguments: [Int64(bitPattern: number)])
            return .members(Array("{}".utf8))
        }
        try db.execute(
            sql: """
                UPDATE reviews SET outcome = ?, reviewer = ?, answered = ?, lease = NULL, lease_ends = NULL
                WHERE decision = ?
                """, arguments: [request.outcome.rawValue, reviewer.name, now, Int64(bitPattern: number)])
        try correct(number, .review, by: reviewer, detail: Self.detail(request, isBlind: row["is_blind"]), now: now)
        try settleAppeals(of: link, request)
        guard case .members(let members) = try whole(link) else { return .unknown }
        return .reviewed(members, ReviewAgreement(request.outcome, try link.decision()))
    }

    private static func detail(_ request: ReviewRequest, isBlind: Bool) -> [UInt8] {
        var json = JSONWriter(capacity: 256)
        json.object { json in
            json.member("outcome", request.outcome.rawValue)
            json.member("action", request.action?.rawValue)
            json.member("label", request.label)
            json.member("note", request.note)
            json.member("seconds", request.seconds)
            json.member("blind", isBlind)
        }
        return json.bytes
    }

    /// Takes back the reviewer's own answer, and leases the decision to the same reviewer.
    func withdrawReview(_ number: UInt64, by reviewer: Reviewer, now: Int64) throws -> LedgerAnswer {
        guard let row = try review(number, of: reviewer.tenants) else { return .unknown }
        guard row["outcome"] as String? != nil, row["reviewer"] == reviewer.name else {
            return .refused(
                WireError(
                    .conflict, code: "not_your_review",
                    "decision \(Decision.id(number)) has no answer of yours that could be taken back"))
        }
        try db.execute(
            sql: "UPDATE reviews SET outcome = NULL, answered = NULL WHERE decision = ?",
            arguments: [Int64(bitPattern: number)])
        try db.execute(
            sql: "UPDATE appeals SET outcome = NULL WHERE decision = ?", arguments: [Int64(bitPattern: number)])
        try correct(number, .withdrawal, by: reviewer, detail: nil, now: now)
        return try handOut(Int64(bitPattern: number), to: reviewer, now: now)
    }

    func correct(
        _ number: UInt64, _ kind: Correction.Kind, by reviewer: Reviewer, detail: [UInt8]?, now: Int64
    ) throws {
        try db.execute(
            sql: "INSERT INTO corrections (decision, kind, time, author, detail) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                Int64(bitPattern: number), kind.rawValue, now, reviewer.name.isEmpty ? nil : reviewer.name,
                detail.map { String(decoding: $0, as: UTF8.self) },
            ])
    }

    /// Returns the decision with everything that happened to it.
    private func whole(_ link: DecisionLink) throws -> LedgerAnswer {
        let corrections = try corrections(of: link.number)
        var json = JSONWriter(capacity: 4096)
        json.object { json in
            json.key("decision")
            link.write(&json, corrections: corrections)
        }
        return .members(json.bytes)
    }
}

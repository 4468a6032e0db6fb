internal import BifronsWire
internal import FoundationEssentials
internal import GRDB

/// The journal's file: an SQLite database with one row for each durable job.
///
/// One thread uses it, and each call blocks until the disk has answered. A row holds the job's image until it holds the
/// result. A lasting result also answers for its idempotency key. The file is locked, so no other process can open it.
final class JournalStore {
    /// A durable job as it is stored in the file.
    struct Row {
        var job: UInt64
        var header: RequestHeader
        /// The name of the CURVE key with which the job was submitted.
        var key: String?
        /// The image's SHA-256; nil if unknown.
        var sha256: [UInt8]?
        var image: Data
    }

    private let path: String
    private let queue: DatabaseQueue
    private let maxBytes: Int

    /// Opens the file, creates it if it is missing, and migrates an older one.
    ///
    /// - Parameters:
    ///   - maxBytes: the most bytes in use, beyond which `insert` refuses jobs.
    /// - Throws: a `JournalError` if the file is from a newer release; SQLite's error if it cannot be used.
    init(path: String, maxBytes: Int) throws {
        self.path = path
        self.maxBytes = maxBytes
        queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            // Two routers with one journal would compute each other's jobs.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            // A commit must be on disk when it returns.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            // What is deleted must be gone: an erasure cannot rewrite the whole file.
            try db.execute(sql: "PRAGMA secure_delete = ON")
        }
        let newest = try queue.read { db in try Schema.migrator.appliedIdentifiers(db).compactMap(Int.init).max() ?? 0 }
        guard newest <= Schema.version else {
            throw JournalError(
                "the journal \(path) is of version \(newest) and this release reads up to \(Schema.version); "
                    + "start a newer release, or name another file with --journal")
        }
        try Schema.migrator.migrate(queue)
    }

    /// Closes the file, so that it can be opened again.
    func close() throws { try queue.close() }

    /// Runs `body` as one transaction. All of it is on disk when this returns, and none of it if this throws.
    ///
    /// - Parameter answer: turns a stored result into the answer to another job with its idempotency key.
    func transaction<Value>(
        answer: Journal.Answer = { _, _, _ in nil }, _ body: (borrowing Transaction) throws -> Value
    ) throws -> Value {
        try withoutActuallyEscaping(answer) { answer in
            try queue.write { db in
                try body(Transaction(db: db, room: maxBytes - Self.bytesInUse(db), answer: answer))
            }
        }
    }

    /// Moves everything from the write-ahead log into the file and empties the log, so that nothing deleted is left.
    func emptyLog() throws {
        try queue.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    }

    /// Returns the bytes that jobs and results take, and the head of the ledger.
    func extent() throws -> (bytes: Int, head: Journal.Head) {
        try transaction { transaction in
            let (sequence, hash) = try transaction.head()
            return (try Self.bytesInUse(transaction.db), Journal.Head(sequence: sequence, hash: hash))
        }
    }

    /// Returns the bytes of the jobs' headers, images and results. Decisions are not among them: those have a retention
    /// and no limit, because a full ledger would end the service.
    private static func bytesInUse(_ db: Database) throws -> Int {
        try Int.fetchOne(db.cachedStatement(sql: "SELECT job_bytes FROM totals")) ?? 0
    }

    /// For tests: limits the file to this number of pages, as a full disk would.
    func limitPages(_ count: Int) throws {
        try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA max_page_count = \(count)") }
    }
}

/// A transaction in progress.
struct Transaction: ~Copyable {
    let db: Database
    /// The bytes of images that still fit.
    private let room: Int
    private let answer: Journal.Answer

    init(db: Database, room: Int, answer: @escaping Journal.Answer) {
        self.db = db
        self.room = room
        self.answer = answer
    }

    /// Stores a job.
    ///
    /// - Parameter used: the bytes of images that this transaction has written so far; this call adds its own.
    /// - Returns: the outcome; `.known` if another job with the same idempotency key has a lasting result younger than
    ///   `cutoff`.
    func insert(_ job: JournalStore.Row, used: inout Int, now: Int64, cutoff: Int64) throws -> JournalOutcome {
        if let conflict = try conflict(job, cutoff: cutoff) { return .refused(conflict) }
        let known = try knownResult(job, cutoff: cutoff)
        if known == nil {
            guard used + job.image.count <= room else { return .failed("it is full of jobs and results") }
            used += job.image.count
        }
        try db.cachedStatement(
            sql: """
                INSERT INTO jobs
                (job, id, owner, on_behalf_of, idempotency_key, sha256, header, image, subject_type, subject_id)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            Int64(bitPattern: job.job), job.header.id, job.key, job.header.owner, job.header.idempotencyKey,
            job.sha256.map { Data($0) }, Data(job.header.encoded()), known == nil ? job.image : nil,
            job.header.subject?.type, job.header.subject?.id,
        ])
        guard let known else { return .stored }
        try setResult(job.job, known, now: now)
        return .known(known)
    }

    /// Stores a job's result in place of its image. A job that has a result already keeps it.
    func setResult(_ job: UInt64, _ document: ResultDocument, now: Int64) throws {
        try db.cachedStatement(
            sql: """
                UPDATE jobs SET result = ?, finished = ?, lasts = ?, image = NULL WHERE job = ? AND result IS NULL
                """
        ).execute(arguments: [
            Data(document.encoded()), now, document.status.isFinal, Int64(bitPattern: job),
        ])
    }

    /// Returns the lookup result for the latest job with this id that belongs to the owner, or to anybody if the owner
    /// is nil. A result as old as `cutoff` counts as unknown.
    func find(_ id: String, of jobOwner: JobOwner?, cutoff: Int64) throws -> JournalLookupResult {
        guard
            let row = try GRDB.Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT header, result, finished FROM jobs
                        WHERE id = ?1 AND (?2 OR (owner IS ?3 AND on_behalf_of IS ?4))
                        ORDER BY sequence DESC LIMIT 1
                        """),
                arguments: [id, jobOwner == nil, jobOwner?.key, jobOwner?.owner])
        else { return .unknown }
        guard let result: Data = row["result"] else { return .running }
        let finished: Int64 = row["finished"]
        guard finished > cutoff else { return .unknown }
        var document = try Self.document(result)
        document.metadata = try Self.header(row["header"]).metadata
        return .result(document)
    }

    /// Returns the jobs without a result, oldest first. A job whose idempotency key has a result by now gets that
    /// result instead.
    func unfinished(now: Int64, cutoff: Int64) throws -> [JournalStore.Row] {
        let rows = try GRDB.Row.fetchAll(
            db, sql: "SELECT job, header, owner, sha256, image FROM jobs WHERE result IS NULL ORDER BY sequence")
        var jobs: [JournalStore.Row] = []
        for row in rows {
            let job = JournalStore.Row(
                job: UInt64(bitPattern: row["job"] as Int64), header: try Self.header(row["header"]),
                key: row["owner"], sha256: (row["sha256"] as Data?).map { Array($0) }, image: row["image"] ?? Data())
            if let known = try knownResult(job, cutoff: cutoff) {
                try setResult(job.job, known, now: now)
            } else {
                jobs.append(job)
            }
        }
        return jobs
    }

    /// Deletes results that are as old as `cutoff`, oldest first and at most `limit`.
    ///
    /// - Returns: the number of deleted results.
    func expire(cutoff: Int64, atMost limit: Int) throws -> Int {
        try db.execute(
            sql: """
                DELETE FROM jobs WHERE sequence IN
                (SELECT sequence FROM jobs WHERE finished <= ? ORDER BY finished LIMIT ?)
                """, arguments: [cutoff, limit])
        return db.changesCount
    }

    /// Returns an error if the job's idempotency key stands for another content: that of an unfinished job, or of a job
    /// with a lasting result younger than `cutoff`. Returns nil otherwise.
    private func conflict(_ job: JournalStore.Row, cutoff: Int64) throws -> WireError? {
        guard let key = job.header.idempotencyKey,
            let row = try GRDB.Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT header, sha256, result FROM jobs
                        WHERE idempotency_key = ? AND owner IS ? AND on_behalf_of IS ?
                        AND (result IS NULL OR (lasts AND finished > ?))
                        ORDER BY sequence DESC LIMIT 1
                        """), arguments: [key, job.key, job.header.owner, cutoff])
        else { return nil }
        // Version 1 of the file stored no digests, but results contain them.
        let sha256 =
            try (row["sha256"] as Data?).map { Array($0) }
            ?? (row["result"] as Data?).flatMap { try Self.document($0).image?.sha256 }
        let known = KeyedContent(try Self.header(row["header"]), sha256: sha256)
        return KeyedContent(job.header, sha256: job.sha256).conflict(with: known)
    }

    /// Returns the lasting result of the job's idempotency key as the answer to that job, or nil without one.
    private func knownResult(_ job: JournalStore.Row, cutoff: Int64) throws -> ResultDocument? {
        guard let key = job.header.idempotencyKey else { return nil }
        return try Data.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT result FROM jobs
                    WHERE idempotency_key = ? AND owner IS ? AND on_behalf_of IS ? AND lasts AND finished > ?
                    ORDER BY sequence DESC LIMIT 1
                    """), arguments: [key, job.key, job.header.owner, cutoff]
        ).flatMap { answer(try Self.document($0), job.header, JobOwner(key: job.key, owner: job.header.owner)) }
    }

    private static func document(_ bytes: Data) throws -> ResultDocument {
        try ResultDocument.decode(Array(bytes))
    }

    private static func header(_ bytes: Data) throws -> RequestHeader {
        try RequestHeader.decode(Array(bytes))
    }
}

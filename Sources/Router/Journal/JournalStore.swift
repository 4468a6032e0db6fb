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
    private let answer: Journal.Answer

    /// Opens the file, creates it if it is missing, and migrates an older one.
    ///
    /// - Parameters:
    ///   - maxBytes: the most bytes in use, beyond which `insert` refuses jobs.
    ///   - answer: turns a stored result into the answer to another job with its idempotency key.
    /// - Throws: a `JournalError` if the file is from a newer release; SQLite's error if it cannot be used.
    init(path: String, maxBytes: Int, answer: @escaping Journal.Answer) throws {
        self.path = path
        self.maxBytes = maxBytes
        self.answer = answer
        queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            // Two routers with one journal would compute each other's jobs.
            try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            // A commit must be on disk when it returns.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        let newest = try queue.read { db in try Schema.migrator.appliedIdentifiers(db).compactMap(Int.init).max() ?? 0 }
        guard newest <= Schema.version else {
            throw JournalError(
                "the journal \(path) is of version \(newest) and this release reads up to \(Schema.version); "
                    + "start a newer release, or name another file with --journal")
        }
        try Schema.migrator.migrate(queue)
    }

    /// Runs `body` as one transaction. All of it is on disk when this returns, and none of it if this throws.
    func transaction<Value>(_ body: (borrowing Transaction) throws -> Value) throws -> Value {
        try queue.write { db in
            try body(Transaction(db: db, room: maxBytes - Self.bytesInUse(db), answer: answer))
        }
    }

    /// Returns the bytes that jobs and results take.
    func bytesInUse() throws -> Int {
        try queue.read(Self.bytesInUse)
    }

    /// Returns the bytes of the file's used pages. Free pages are reused.
    private static func bytesInUse(_ db: Database) throws -> Int {
        func pragma(_ name: String) throws -> Int { try Int.fetchOne(db, sql: "PRAGMA \(name)") ?? 0 }
        return try (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
    }

    /// For tests: limits the file to this number of pages, as a full disk would.
    func limitPages(_ count: Int) throws {
        try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA max_page_count = \(count)") }
    }
}

/// A transaction in progress.
struct Transaction: ~Copyable {
    private let db: Database
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
                INSERT INTO jobs (job, id, owner, on_behalf_of, idempotency_key, sha256, header, image)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            Int64(bitPattern: job.job), job.header.id, job.key, job.header.owner, job.header.idempotencyKey,
            job.sha256.map { Data($0) }, Data(job.header.encoded()), known == nil ? job.image : nil,
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
        ).flatMap { answer(try Self.document($0), job.header) }
    }

    private static func document(_ bytes: Data) throws -> ResultDocument {
        try ResultDocument.decode(Array(bytes))
    }

    private static func header(_ bytes: Data) throws -> RequestHeader {
        try RequestHeader.decode(Array(bytes))
    }
}

/// The layout of the file. A released migration is never changed; a new one is added instead.
private enum Schema {
    static let version = 2

    /// The migrations, each named by the version that it leads to.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE jobs (
                        sequence INTEGER PRIMARY KEY,
                        job INTEGER NOT NULL UNIQUE,   -- the router's number for it
                        id TEXT,
                        owner TEXT,                    -- the name of the key that it came with
                        idempotency_key TEXT,
                        header BLOB NOT NULL,          -- as the client protocol has it
                        image BLOB,                    -- until there is a result
                        result BLOB,
                        finished INTEGER,              -- milliseconds since 1970
                        lasts INTEGER                  -- whether the result answers for the key
                    );
                    CREATE INDEX jobs_by_id ON jobs (id, sequence);
                    CREATE INDEX jobs_by_key ON jobs (idempotency_key, sequence) WHERE idempotency_key IS NOT NULL;
                    CREATE INDEX jobs_by_age ON jobs (finished) WHERE finished IS NOT NULL;
                    CREATE INDEX jobs_unfinished ON jobs (sequence) WHERE result IS NULL;
                    """)
        }
        migrator.registerMigration("2") { db in
            try db.execute(
                sql: """
                    ALTER TABLE jobs ADD COLUMN on_behalf_of TEXT;  -- the header's owner
                    ALTER TABLE jobs ADD COLUMN sha256 BLOB;        -- the image's, of jobs with an idempotency key
                    """)
        }
        return migrator
    }
}

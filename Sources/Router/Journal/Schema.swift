internal import GRDB

/// The layout of the file. A released migration is never changed; a new one is added instead.
enum Schema {
    static let version = 4

    /// The migrations, each named by the version that it leads to.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for (version, sql) in [("1", jobs), ("2", owners), ("3", ledger), ("4", reviews)] {
            migrator.registerMigration(version) { db in try db.execute(sql: sql) }
        }
        return migrator
    }

    private static let jobs = """
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
        """

    private static let owners = """
        ALTER TABLE jobs ADD COLUMN on_behalf_of TEXT;  -- the header's owner
        ALTER TABLE jobs ADD COLUMN sha256 BLOB;        -- the image's, of jobs with an idempotency key
        """

    private static let ledger = """
        ALTER TABLE jobs ADD COLUMN subject_type TEXT;
        ALTER TABLE jobs ADD COLUMN subject_id TEXT;
        CREATE INDEX jobs_by_subject ON jobs (subject_type, subject_id) WHERE subject_id IS NOT NULL;

        CREATE TABLE totals (job_bytes INTEGER NOT NULL);
        INSERT INTO totals
            SELECT COALESCE(SUM(LENGTH(header) + COALESCE(LENGTH(image), 0) + COALESCE(LENGTH(result), 0)), 0) FROM jobs;
        CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN
            UPDATE totals SET job_bytes = job_bytes
                + LENGTH(NEW.header) + COALESCE(LENGTH(NEW.image), 0) + COALESCE(LENGTH(NEW.result), 0);
        END;
        CREATE TRIGGER jobs_updated AFTER UPDATE OF image, result ON jobs BEGIN
            UPDATE totals SET job_bytes = job_bytes
                + COALESCE(LENGTH(NEW.image), 0) + COALESCE(LENGTH(NEW.result), 0)
                - COALESCE(LENGTH(OLD.image), 0) - COALESCE(LENGTH(OLD.result), 0);
        END;
        CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
            UPDATE totals SET job_bytes = job_bytes
                - LENGTH(OLD.header) - COALESCE(LENGTH(OLD.image), 0) - COALESCE(LENGTH(OLD.result), 0);
        END;

        CREATE TABLE decisions (
            sequence INTEGER PRIMARY KEY,
            number INTEGER NOT NULL UNIQUE,  -- the router's number for the job
            time INTEGER NOT NULL,           -- milliseconds since 1970
            tenant TEXT,
            subject_type TEXT,
            subject_id TEXT,
            action TEXT NOT NULL,
            body BLOB NOT NULL,
            personal BLOB,                   -- until it is erased, with the salt and the subject
            salt BLOB,
            commitment BLOB NOT NULL,
            previous BLOB NOT NULL,
            hash BLOB NOT NULL
        );
        CREATE INDEX decisions_by_tenant ON decisions (tenant, sequence);
        CREATE INDEX decisions_by_tenant_and_action ON decisions (tenant, action, sequence);
        CREATE INDEX decisions_by_action ON decisions (action, sequence);
        CREATE INDEX decisions_by_subject ON decisions (subject_type, subject_id, sequence);
        CREATE TABLE ledger (sequence INTEGER NOT NULL, hash BLOB NOT NULL);  -- the head of the chain
        INSERT INTO ledger VALUES (0, zeroblob(32));
        CREATE TABLE corrections (
            sequence INTEGER PRIMARY KEY,
            decision INTEGER NOT NULL,       -- its number
            kind TEXT NOT NULL,
            time INTEGER NOT NULL,
            author TEXT,
            receipt TEXT
        );
        CREATE INDEX corrections_by_decision ON corrections (decision, sequence);
        CREATE TABLE merges (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE policies (
            entry INTEGER PRIMARY KEY,       -- in the order in which they were stored
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            tenant TEXT,                     -- of an activation; NULL for everybody
            body BLOB,                       -- of a version; NULL for an activation
            is_of_file INTEGER NOT NULL,     -- whether it came out of the ensemble file
            author TEXT,
            note TEXT,
            time INTEGER NOT NULL
        );
        """

    private static let reviews = """
        ALTER TABLE corrections ADD COLUMN detail TEXT;  -- a JSON object
        ALTER TABLE ledger ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;  -- up to here no personal part is kept
        CREATE TABLE reviews (
            decision INTEGER PRIMARY KEY,    -- its number
            sequence INTEGER NOT NULL,       -- its place in the ledger
            tenant TEXT,
            policy TEXT NOT NULL,
            lane INTEGER NOT NULL,           -- in which it waits
            origin INTEGER NOT NULL,         -- the lane that it entered first
            is_doubtful INTEGER NOT NULL,    -- whether the action was 'review'
            distance REAL NOT NULL,          -- from the nearer threshold, in logits
            probability REAL,                -- as merged; NULL without a face
            basis TEXT NOT NULL,             -- what the probability can be compared with
            sample REAL NOT NULL,            -- the probability with which any image was drawn
            is_blind INTEGER NOT NULL,
            skips INTEGER NOT NULL DEFAULT 0,
            lease TEXT,                      -- with the reviewer's name, until it ends
            reviewer TEXT,
            lease_ends INTEGER,              -- milliseconds since 1970
            outcome TEXT,                    -- NULL until there is an answer
            answered INTEGER
        );
        CREATE INDEX reviews_open ON reviews (lane, skips, distance, sequence) WHERE outcome IS NULL;
        CREATE INDEX reviews_open_of_tenant ON reviews (tenant, lane, skips, distance, sequence) WHERE outcome IS NULL;
        CREATE INDEX reviews_open_of_policy ON reviews (policy, lane, skips, distance, sequence) WHERE outcome IS NULL;
        CREATE INDEX reviews_open_by_age ON reviews (sequence) WHERE outcome IS NULL;
        CREATE INDEX reviews_doubtful ON reviews (basis, tenant, sequence) WHERE outcome IS NULL AND is_doubtful;
        CREATE INDEX reviews_answered ON reviews (sequence) WHERE outcome IS NOT NULL;
        CREATE TABLE review_images (
            decision INTEGER PRIMARY KEY,
            bytes INTEGER NOT NULL,
            image BLOB NOT NULL
        );
        CREATE TABLE appeals (
            id TEXT NOT NULL,
            tenant TEXT,
            decision INTEGER NOT NULL,
            time INTEGER NOT NULL,
            outcome TEXT                     -- 'upheld' or 'overturned'; NULL until a reviewer has answered
        );
        CREATE INDEX appeals_by_id ON appeals (id);
        CREATE INDEX appeals_by_decision ON appeals (decision);

        CREATE TABLE shadow_scores (
            decision INTEGER NOT NULL,       -- its number
            model TEXT NOT NULL,
            version TEXT NOT NULL,
            digest TEXT NOT NULL,
            logits TEXT NOT NULL,            -- of each region, as hexadecimal digits of its bits
            time INTEGER NOT NULL,
            PRIMARY KEY (decision, model)
        ) WITHOUT ROWID;
        """
}

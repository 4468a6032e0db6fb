import BifronsWire
import Decisions
import FoundationEssentials
import GRDB
import Testing

@testable import Journal

/// The owners of jobs, and the content that an idempotency key stands for.
@Suite struct JournalKeysTests {
    @Test func keepsJobsAndKeysOfDifferentOwnersApart() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            _ = try driver.persist(1, header("a", key: "k"), of: "shop")
            _ = try driver.record(1, result("a"))
            #expect(try driver.persist(2, header("b", key: "k"), of: "forum") == .stored)
            #expect(try driver.persist(3, header("c", key: "k")) == .stored)
            #expect(try driver.persist(4, header("d", key: "k"), of: "shop") == .known(result("d")))
            #expect(try driver.find("a", of: JobOwner(key: "shop")) == .result(result("a")))
            #expect(try driver.find("a", of: JobOwner(key: "forum")) == .unknown)
            #expect(try driver.find("a", of: JobOwner(key: nil)) == .unknown)
            #expect(try driver.find("a") == .result(result("a")))
        }
        #expect(try fixture.open().recovered().map(\.key) == ["forum", nil])
    }

    @Test(arguments: ["gate", nil]) func keepsJobsAndKeysOfDifferentOwnersBehindAGatewayApart(gate: String?) throws {
        let fixture = try JournalFixture()
        func find(_ owner: String?, _ driver: JournalDriver) throws -> JournalLookupResult {
            try driver.find("a", of: JobOwner(key: gate, owner: owner))
        }
        do {
            let driver = try fixture.open()
            _ = try driver.persist(1, header("a", key: "k", owner: "ann"), [1], of: gate)
            _ = try driver.record(1, result("a"))
            // Another owner may use the same key with another image.
            #expect(try driver.persist(2, header("b", key: "k", owner: "bob"), [2], of: gate) == .stored)
            #expect(try driver.persist(3, header("c", key: "k"), [3], of: gate) == .stored)
            #expect(try driver.persist(4, header("d", key: "k", owner: "ann"), [4], of: "other") == .stored)
        }
        let driver = try fixture.open()
        let unfinished = try driver.recovered()
        #expect(unfinished.map(\.header.owner) == ["bob", nil, "ann"])
        #expect(unfinished.map(\.key) == [gate, gate, "other"])
        #expect(unfinished.map(\.sha256) == [digest([2]), digest([3]), digest([4])])
        #expect(try find("ann", driver) == .result(result("a")))
        #expect(try find("bob", driver) == .unknown && find(nil, driver) == .unknown)
        #expect(try driver.persist(5, header("e", key: "k", owner: "ann"), [1], of: gate) == .known(result("e")))
        #expect(try driver.find("a") == .result(result("a")))
    }

    // MARK: The content of a key

    private func mismatch(_ what: String) -> JournalOutcome {
        .refused(
            WireError(
                .unprocessable, code: "idempotency_mismatch",
                "the field 'idempotency_key' has the key of a job with another \(what); give this job a key of its own")
        )
    }

    @Test func refusesAKnownKeyWithAnotherImageOrOtherOptionsAcrossRestarts() throws {
        let fixture = try JournalFixture()
        for isDone in [false, true] {
            let driver = try fixture.open()
            if isDone {
                _ = try driver.record(1, result("a"))
            } else {
                #expect(try driver.persist(1, header("a", key: "k")) == .stored)
            }
            #expect(try driver.persist(2, header("b", key: "k"), [9]) == mismatch("image"))
            var other = header("b", key: "k")
            other.models = ["resnet"]
            #expect(try driver.persist(2, other) == mismatch("'models'"))
            other = header("b", key: "k")
            other.requirement = .all
            #expect(try driver.persist(2, other) == mismatch("'require'"))
            other = header("b", key: "k")
            other.explain = true
            #expect(try driver.persist(2, other) == mismatch("'explain'"))
            #expect(try driver.find("b") == .unknown)
        }
    }

    @Test func acceptsAKeyForAnotherImageOnceItsResultFailedOrExpired() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        _ = try driver.persist(1, header("a", key: "k"), [1])
        _ = try driver.record(1, result("a", .timeout))
        #expect(try driver.persist(2, header("b", key: "k"), [2]) == .stored)
        _ = try driver.record(2, result("b"))
        fixture.clock.pass(.seconds(60))
        #expect(try driver.persist(3, header("c", key: "k"), [3]) == .stored)
    }

    @Test func recordsTheVerdictOfEachJobsOwnPolicyForASharedKey() throws {
        let fixture = try JournalFixture()
        let ensemble = try Ensemble.ofJournals()
        var known = result("a")
        known.verdict = .init(label: .real, aiProbability: 0.125, action: .allow, policy: "default")
        func asked(_ id: String, _ policy: String, _ key: String = "k") -> RequestHeader {
            var header = header(id, key: key)
            header.policy = policy
            return header
        }
        func expected(_ id: String) -> ResultDocument {
            var document = result(id)
            document.verdict = known.verdict
            let strict = ensemble.policies["strict"]
            document.verdict = strict?.verdict(0.125, isDegraded: false, evidence: [])
            return document
        }
        do {
            let driver = try fixture.open()
            _ = try driver.persist(1, header("a", key: "k"))
            _ = try driver.record(1, known)
            #expect(try driver.persist(2, asked("b", "strict")) == .known(expected("b")))
            #expect(try driver.find("b") == .result(expected("b")))
            // Two jobs with one key are unfinished when the result of a third is written, and then the router dies.
            _ = try driver.persist(3, header("c", key: "late"))
            _ = try driver.persist(4, asked("d", "strict", "late"))
            _ = try driver.persist(5, asked("e", "unknown", "late"))
            _ = try driver.record(3, known)
        }
        let driver = try fixture.open()
        // A job whose policy is gone stays unfinished: the router refuses it as it refuses any unknown policy.
        #expect(try driver.recovered().map(\.header.id) == ["e"])
        #expect(try driver.find("d") == .result(expected("d")))
    }

    @Test func migratesAJournalOfVersion1() throws {
        let fixture = try JournalFixture()
        var decoded = result("a")
        decoded.image = ImageInformation(format: .png, width: 1, height: 1, sha256: digest([1]))
        try DatabaseQueue(path: fixture.path).write { db in
            try db.execute(sql: Self.version1)
            let rows: [(Int, RequestHeader, Data?, Data?)] = [
                (1, header("a", key: "k"), nil, Data(decoded.encoded())), (2, header("b", key: "l"), Data([5]), nil),
            ]
            for (job, header, image, result) in rows {
                try db.execute(
                    sql: """
                        INSERT INTO jobs (job, id, owner, idempotency_key, header, image, result, finished, lasts)
                        VALUES (?, ?, 'shop', ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        job, header.id, header.idempotencyKey, Data(header.encoded()), image, result,
                        result.map { _ in fixture.clock.now() }, result.map { _ in true },
                    ])
            }
        }
        let driver = try fixture.open()
        let unfinished = try driver.recovered()
        #expect(unfinished.map(\.key) == ["shop"])
        #expect(unfinished.map(\.sha256) == [nil])
        #expect(try driver.find("a", of: JobOwner(key: "shop")) == .result(decoded))
        #expect(try driver.find("a", of: JobOwner(key: "shop", owner: "ann")) == .unknown)
        // A result holds the digest that its key stood for; the file has none for a job without a result.
        #expect(try driver.persist(3, header("c", key: "k"), [9], of: "shop") == mismatch("image"))
        guard case .known = try driver.persist(4, header("d", key: "k"), [1], of: "shop") else {
            throw JournalDriver.Unexpected()
        }
        #expect(try driver.persist(5, header("e", key: "l"), [9], of: "shop") == .stored)
    }

    /// The file's layout in the releases before owners.
    private static let version1 = """
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('1');
        CREATE TABLE jobs (
            sequence INTEGER PRIMARY KEY, job INTEGER NOT NULL UNIQUE, id TEXT, owner TEXT, idempotency_key TEXT,
            header BLOB NOT NULL, image BLOB, result BLOB, finished INTEGER, lasts INTEGER);
        CREATE INDEX jobs_by_id ON jobs (id, sequence);
        CREATE INDEX jobs_by_key ON jobs (idempotency_key, sequence) WHERE idempotency_key IS NOT NULL;
        CREATE INDEX jobs_by_age ON jobs (finished) WHERE finished IS NOT NULL;
        CREATE INDEX jobs_unfinished ON jobs (sequence) WHERE result IS NULL;
        """
}

import BifronsWire
import FoundationEssentials
import GRDB
import Testing

@testable import Journal

/// The owners of jobs, and the content that an idempotency key stands for.
@Suite struct JournalKeysTests {
    @Test func jobsAndKeysOfDifferentOwnersNeverMeet() throws {
        let desk = try Desk()
        do {
            let reader = try desk.open()
            _ = try reader.persist(1, header("a", key: "k"), of: "shop")
            _ = try reader.record(1, result("a"))
            #expect(try reader.persist(2, header("b", key: "k"), of: "forum") == .stored)
            #expect(try reader.persist(3, header("c", key: "k")) == .stored)
            #expect(try reader.persist(4, header("d", key: "k"), of: "shop") == .known(result("d")))
            #expect(try reader.find("a", of: JobOwner(key: "shop")) == .result(result("a")))
            #expect(try reader.find("a", of: JobOwner(key: "forum")) == .unknown)
            #expect(try reader.find("a", of: JobOwner(key: nil)) == .unknown)
            #expect(try reader.find("a") == .result(result("a")))
        }
        #expect(try desk.open().recovered().map(\.key) == ["forum", nil])
    }

    @Test(arguments: ["gate", nil]) func jobsAndKeysOfDifferentOwnersBehindAGatewayNeverMeet(gate: String?) throws {
        let desk = try Desk()
        func find(_ owner: String?, _ reader: Reader) throws -> JournalLookupResult {
            try reader.find("a", of: JobOwner(key: gate, owner: owner))
        }
        do {
            let reader = try desk.open()
            _ = try reader.persist(1, header("a", key: "k", owner: "ann"), [1], of: gate)
            _ = try reader.record(1, result("a"))
            // Another owner may use the same key with another image.
            #expect(try reader.persist(2, header("b", key: "k", owner: "bob"), [2], of: gate) == .stored)
            #expect(try reader.persist(3, header("c", key: "k"), [3], of: gate) == .stored)
            #expect(try reader.persist(4, header("d", key: "k", owner: "ann"), [4], of: "other") == .stored)
        }
        let reader = try desk.open()
        let unfinished = try reader.recovered()
        #expect(unfinished.map(\.header.owner) == ["bob", nil, "ann"])
        #expect(unfinished.map(\.key) == [gate, gate, "other"])
        #expect(unfinished.map(\.sha256) == [digest([2]), digest([3]), digest([4])])
        #expect(try find("ann", reader) == .result(result("a")))
        #expect(try find("bob", reader) == .unknown && find(nil, reader) == .unknown)
        #expect(try reader.persist(5, header("e", key: "k", owner: "ann"), [1], of: gate) == .known(result("e")))
        #expect(try reader.find("a") == .result(result("a")))
    }

    // MARK: The content of a key

    private func mismatch(_ what: String) -> JournalOutcome {
        .refused(
            WireError(
                .unprocessable, code: "idempotency_mismatch",
                "the field 'idempotency_key' has the key of a job with another \(what); give this job a key of its own")
        )
    }

    @Test func aKeyWithAnotherImageOrQuestionIsRefusedAcrossLives() throws {
        let desk = try Desk()
        for isDone in [false, true] {
            let reader = try desk.open()
            if isDone {
                _ = try reader.record(1, result("a"))
            } else {
                #expect(try reader.persist(1, header("a", key: "k")) == .stored)
            }
            #expect(try reader.persist(2, header("b", key: "k"), [9]) == mismatch("image"))
            var other = header("b", key: "k")
            other.models = ["resnet"]
            #expect(try reader.persist(2, other) == mismatch("'models'"))
            other = header("b", key: "k")
            other.requirement = .all
            #expect(try reader.persist(2, other) == mismatch("'require'"))
            other = header("b", key: "k")
            other.explain = true
            #expect(try reader.persist(2, other) == mismatch("'explain'"))
            #expect(try reader.find("b") == .unknown)
        }
    }

    @Test func aKeyWithoutALastingResultMayStandForSomethingElse() throws {
        let desk = try Desk()
        let reader = try desk.open()
        _ = try reader.persist(1, header("a", key: "k"), [1])
        _ = try reader.record(1, result("a", .timeout))
        #expect(try reader.persist(2, header("b", key: "k"), [2]) == .stored)
        _ = try reader.record(2, result("b"))
        desk.clock.pass(.seconds(60))
        #expect(try reader.persist(3, header("c", key: "k"), [3]) == .stored)
    }

    @Test func anotherPolicyIsRecordedAsItDecides() throws {
        let desk = try Desk()
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
            document.verdict?.policy = "strict"
            return document
        }
        do {
            let reader = try desk.open()
            _ = try reader.persist(1, header("a", key: "k"))
            _ = try reader.record(1, known)
            #expect(try reader.persist(2, asked("b", "strict")) == .known(expected("b")))
            #expect(try reader.find("b") == .result(expected("b")))
            // Two jobs with one key are unfinished when the result of a third is written, and then the router dies.
            _ = try reader.persist(3, header("c", key: "late"))
            _ = try reader.persist(4, asked("d", "strict", "late"))
            _ = try reader.persist(5, asked("e", "unknown", "late"))
            _ = try reader.record(3, known)
        }
        let reader = try desk.open()
        // A job whose policy is gone stays unfinished: the router refuses it as it refuses any unknown policy.
        #expect(try reader.recovered().map(\.header.id) == ["e"])
        #expect(try reader.find("d") == .result(expected("d")))
    }

    @Test func aFileOfVersion1IsBroughtUpToDate() throws {
        let desk = try Desk()
        var decoded = result("a")
        decoded.image = ImageInformation(format: .png, width: 1, height: 1, sha256: digest([1]))
        try DatabaseQueue(path: desk.path).write { db in
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
                        result.map { _ in desk.clock.now() }, result.map { _ in true },
                    ])
            }
        }
        let reader = try desk.open()
        let unfinished = try reader.recovered()
        #expect(unfinished.map(\.key) == ["shop"])
        #expect(unfinished.map(\.sha256) == [nil])
        #expect(try reader.find("a", of: JobOwner(key: "shop")) == .result(decoded))
        #expect(try reader.find("a", of: JobOwner(key: "shop", owner: "ann")) == .unknown)
        // A result holds the digest that its key stood for; the file has none for a job without a result.
        #expect(try reader.persist(3, header("c", key: "k"), [9], of: "shop") == mismatch("image"))
        guard case .known = try reader.persist(4, header("d", key: "k"), [1], of: "shop") else {
            throw Reader.Unexpected()
        }
        #expect(try reader.persist(5, header("e", key: "l"), [9], of: "shop") == .stored)
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

import BifronsWire
import BifronsZeroMQ
import Decisions
import FoundationEssentials
import GRDB
import Testing

@testable import Journal

@Suite struct JournalTests {
    @Test func jobsAndResultsSurviveARestart() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            #expect(try driver.recovered().isEmpty)
            #expect(try driver.persist(11, header("a")) == .stored)
            #expect(try driver.persist(.max, header("b"), [4, 5]) == .stored)
            #expect(try driver.find("a") == .running)
            #expect(try driver.record(11, result("a")) == nil)
            #expect(try driver.find("a") == .result(result("a")))
        }
        let driver = try fixture.open()
        let unfinished = try driver.recovered()
        #expect(unfinished.map(\.job) == [.max])
        #expect(unfinished.map(\.header) == [header("b")])
        #expect(unfinished.first?.image.withBytes { Array($0) } == [4, 5])
        #expect(try driver.find("a") == .result(result("a")))
        #expect(try driver.find("c") == .unknown)
    }

    @Test func keepsTheFirstResultOfAJob() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        _ = try driver.persist(1, header("a"))
        _ = try driver.record(1, result("a", .timeout))
        _ = try driver.record(1, result("a"))
        #expect(try driver.find("a") == .result(result("a", .timeout)))
    }

    @Test func aKeyKeepsItsResultAcrossRestarts() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            _ = try driver.persist(1, header("a", key: "k"))
            _ = try driver.record(1, result("a"))
            // A result that does not last does not answer for its key.
            _ = try driver.persist(2, header("b", key: "other"))
            _ = try driver.record(2, result("b", .timeout))
            // The crash comes between the results of two jobs with one key.
            _ = try driver.persist(3, header("c", key: "late"))
            _ = try driver.persist(4, header("d", key: "late"))
            _ = try driver.record(3, result("c"))
        }
        let driver = try fixture.open()
        #expect(try driver.recovered().isEmpty)
        #expect(try driver.persist(5, header("e", key: "k")) == .known(result("e")))
        #expect(try driver.find("e") == .result(result("e")))
        #expect(try driver.persist(6, header("f", key: "other")) == .stored)
        #expect(try driver.find("d") == .result(result("d")))
    }

    private static func row(_ job: UInt64, _ header: RequestHeader, _ image: Data) -> JournalStore.Row {
        JournalStore.Row(job: job, header: header, image: image)
    }

    @Test func storesAllJobsOfATransactionOrNone() throws {
        let fixture = try JournalFixture()
        let store = try fixture.openStore()
        // The orders are one transaction: all of them are stored, or none.
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try store.transaction { transaction in
                var used = 0
                for job in 1...100 as ClosedRange<UInt64> {
                    let outcome = try transaction.insert(
                        Self.row(job, header("\(job)"), Data([1])), used: &used, now: 1, cutoff: 0)
                    #expect(outcome == .stored)
                }
                throw Stop()
            }
        }
        #expect(try store.transaction { try $0.unfinished(now: 1, cutoff: 0).count } == 0)
    }

    @Test func confirmsJobsInTheOrderOfTheirRequests() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        _ = try driver.recovered()
        for job in 1...1000 as ClosedRange<UInt64> {
            driver.journal.persist(job, header("\(job)"), image: Frame(UnsafeRawBufferPointer(start: nil, count: 0)))
        }
        for job in 1...1000 as ClosedRange<UInt64> {
            guard case .persisted(job, .stored) = try driver.next() else { throw JournalDriver.Unexpected() }
        }
    }

    @Test func resultsExpireAndUnfinishedJobsDoNot() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            _ = try driver.persist(1, header("a", key: "k"))
            _ = try driver.persist(2, header("b"))
            _ = try driver.record(1, result("a"))
            fixture.clock.pass(.seconds(59))
            #expect(try driver.find("a") == .result(result("a")))
            fixture.clock.pass(.seconds(1))
            #expect(try driver.find("a") == .unknown)
            #expect(try driver.persist(3, header("c", key: "k")) == .stored)
            // A job without a result does not expire.
            fixture.clock.pass(.seconds(10))
            #expect(try driver.find("b") == .running)
        }
        let queue = try DatabaseQueue(path: fixture.path)
        #expect(try queue.read { try Int.fetchAll($0, sql: "SELECT job FROM jobs ORDER BY job") } == [2, 3])
    }

    @Test func aFullJournalRefusesJobsUntilAFinishedJobFreesItsImage() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(maxBytes: 1 << 20)
        let image = [UInt8](repeating: 7, count: 400_000)
        #expect(try driver.persist(1, header("a"), image) == .stored)
        #expect(try driver.persist(2, header("b"), image) == .stored)
        #expect(try driver.persist(3, header("c"), image) == .failed("it is full of jobs and results"))
        #expect(try driver.find("c") == .unknown)
        #expect(try driver.record(1, result("a")) == nil)
        #expect(try driver.persist(4, header("d"), image) == .stored)
    }

    @Test func aFullDiskRefusesJobsButStillTakesResults() throws {
        let fixture = try JournalFixture()
        let store = try fixture.openStore()
        try store.transaction { transaction in
            var used = 0
            _ = try transaction.insert(
                Self.row(1, header("a"), Data(count: 100_000)), used: &used, now: 1, cutoff: 0)
        }
        try store.limitPages(1)
        let error = #expect(throws: DatabaseError.self) {
            try store.transaction { transaction in
                var used = 0
                _ = try transaction.insert(
                    Self.row(2, header("b"), Data(count: 100_000)), used: &used, now: 1, cutoff: 0)
            }
        }
        #expect(error?.resultCode == .SQLITE_FULL)
        try store.transaction { try $0.setResult(1, result("a"), now: 2) }
        #expect(try store.transaction { try $0.find("a", of: nil, cutoff: 0) } == .result(result("a")))
    }

    @Test func refusesAJournalOfANewerReleaseAndNamesItsVersion() throws {
        let fixture = try JournalFixture()
        _ = try fixture.openStore()
        try DatabaseQueue(path: fixture.path).write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('\(Schema.version + 1)')")
        }
        let error = #expect(throws: JournalError.self) { _ = try fixture.open() }
        #expect(
            error?.description
                == "the journal \(fixture.path) is of version \(Schema.version + 1) and this release "
                + "reads up to \(Schema.version); "
                + "start a newer release, or name another file with --journal")
    }

    @Test func aStatementThatFailsHoldsUpNoOther() throws {
        let fixture = try JournalFixture()
        _ = try fixture.openStore()
        try DatabaseQueue(path: fixture.path).write { db in try db.execute(sql: "DROP INDEX reviews_open_by_age") }
        let driver = try fixture.open()
        for _ in 0..<3 {
            guard case .failed(let reason) = try driver.ask(.reviews(since: 0, limit: 1, .all, policy: nil)) else {
                return #expect(Bool(false), "a missing index is no error")
            }
            #expect(reason.contains("no such index"))
            #expect(try driver.ask(.verify(from: 1, limit: 1)) == .members(Array(#"{"checked":0}"#.utf8)))
        }
    }

    @Test func anUnreadableJournalRefusesJobsUntilItsFileIsRemoved() throws {
        let fixture = try JournalFixture()
        try Data(repeating: 0x5A, count: 8192).write(to: URL(filePath: fixture.path))
        let driver = try fixture.open()
        guard case .failing(let reason) = try driver.next() else { throw JournalDriver.Unexpected() }
        #expect(reason == "\(fixture.path): file is not a database")
        #expect(try driver.persist(1, header("a")) == .failed("file is not a database"))
        #expect(try driver.find("a") == .failed("file is not a database"))
        // The result is kept for a retry.
        #expect(try driver.record(1, result("a")) == "file is not a database")
        try FileManager.default.removeItem(atPath: fixture.path)
        #expect(try driver.persist(2, header("b")) == .stored)
        #expect(try driver.record(2, result("b")) == nil)
    }

    @Test func twoRoutersCannotShareAJournal() throws {
        let fixture = try JournalFixture()
        let first = try fixture.open()
        _ = try first.persist(1, header("a"))
        let second = try fixture.open()
        #expect(try second.persist(2, header("b")) == .failed("database is locked"))
    }
}

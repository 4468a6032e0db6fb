import BifronsWire
import BifronsZeroMQ
import FoundationEssentials
import GRDB
import Testing

@testable import Journal

@Suite struct JournalTests {
    @Test func jobAndResultOutliveTheJournal() throws {
        let desk = try Desk()
        do {
            let reader = try desk.open()
            #expect(try reader.recovered().isEmpty)
            #expect(try reader.persist(11, header("a")) == .stored)
            #expect(try reader.persist(.max, header("b"), [4, 5]) == .stored)
            #expect(try reader.find("a") == .running)
            #expect(try reader.record(11, result("a")) == nil)
            #expect(try reader.find("a") == .result(result("a")))
        }
        let reader = try desk.open()
        let unfinished = try reader.recovered()
        #expect(unfinished.map(\.job) == [.max])
        #expect(unfinished.map(\.header) == [header("b")])
        #expect(unfinished.first?.image.withBytes { Array($0) } == [4, 5])
        #expect(try reader.find("a") == .result(result("a")))
        #expect(try reader.find("c") == .unknown)
    }

    @Test func firstResultStays() throws {
        let desk = try Desk()
        let reader = try desk.open()
        _ = try reader.persist(1, header("a"))
        _ = try reader.record(1, result("a", .timeout))
        _ = try reader.record(1, result("a"))
        #expect(try reader.find("a") == .result(result("a", .timeout)))
    }

    @Test func keyHasOneResultAcrossLives() throws {
        let desk = try Desk()
        do {
            let reader = try desk.open()
            _ = try reader.persist(1, header("a", key: "k"))
            _ = try reader.record(1, result("a"))
            // A result that does not last does not answer for its key.
            _ = try reader.persist(2, header("b", key: "other"))
            _ = try reader.record(2, result("b", .timeout))
            // The crash comes between the results of two jobs with one key.
            _ = try reader.persist(3, header("c", key: "late"))
            _ = try reader.persist(4, header("d", key: "late"))
            _ = try reader.record(3, result("c"))
        }
        let reader = try desk.open()
        #expect(try reader.recovered().isEmpty)
        #expect(try reader.persist(5, header("e", key: "k")) == .known(result("e")))
        #expect(try reader.find("e") == .result(result("e")))
        #expect(try reader.persist(6, header("f", key: "other")) == .stored)
        #expect(try reader.find("d") == .result(result("d")))
    }

    private static func row(_ job: UInt64, _ header: RequestHeader, _ image: Data) -> JournalStore.Row {
        JournalStore.Row(job: job, header: header, image: image)
    }

    @Test func whatWaitsIsCommittedTogether() throws {
        let desk = try Desk()
        let store = try JournalStore(path: desk.path, maxBytes: 1 << 30, answer: answered)
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

    @Test func ordersOfManyAreAnsweredInTheirOrder() throws {
        let desk = try Desk()
        let reader = try desk.open()
        _ = try reader.recovered()
        for job in 1...1000 as ClosedRange<UInt64> {
            reader.journal.persist(job, header("\(job)"), image: Frame(UnsafeRawBufferPointer(start: nil, count: 0)))
        }
        for job in 1...1000 as ClosedRange<UInt64> {
            guard case .persisted(job, .stored) = try reader.next() else { throw Reader.Unexpected() }
        }
    }

    @Test func resultsExpire() throws {
        let desk = try Desk()
        do {
            let reader = try desk.open()
            _ = try reader.persist(1, header("a", key: "k"))
            _ = try reader.persist(2, header("b"))
            _ = try reader.record(1, result("a"))
            desk.clock.pass(.seconds(59))
            #expect(try reader.find("a") == .result(result("a")))
            desk.clock.pass(.seconds(1))
            #expect(try reader.find("a") == .unknown)
            #expect(try reader.persist(3, header("c", key: "k")) == .stored)
            // A job without a result does not expire.
            desk.clock.pass(.seconds(10))
            #expect(try reader.find("b") == .running)
        }
        let queue = try DatabaseQueue(path: desk.path)
        #expect(try queue.read { try Int.fetchAll($0, sql: "SELECT job FROM jobs ORDER BY job") } == [2, 3])
    }

    @Test func fullJournalRefusesUntilImagesGo() throws {
        let desk = try Desk()
        let reader = try desk.open(maxBytes: 1 << 20)
        let image = [UInt8](repeating: 7, count: 400_000)
        #expect(try reader.persist(1, header("a"), image) == .stored)
        #expect(try reader.persist(2, header("b"), image) == .stored)
        #expect(try reader.persist(3, header("c"), image) == .failed("it is full of jobs and results"))
        #expect(try reader.find("c") == .unknown)
        #expect(try reader.record(1, result("a")) == nil)
        #expect(try reader.persist(4, header("d"), image) == .stored)
    }

    @Test func fullDiskRefusesJobsAndStillTakesResults() throws {
        let desk = try Desk()
        let store = try JournalStore(path: desk.path, maxBytes: 1 << 30, answer: answered)
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

    @Test func newerVersionIsRefusedByName() throws {
        let desk = try Desk()
        _ = try JournalStore(path: desk.path, maxBytes: 1 << 30, answer: answered)
        try DatabaseQueue(path: desk.path).write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('3')")
        }
        let error = #expect(throws: JournalError.self) { _ = try desk.open() }
        #expect(
            error?.description
                == "the journal \(desk.path) is of version 3 and this release reads up to 2; "
                + "start a newer release, or name another file with --journal")
    }

    @Test func unreadableFileRefusesJobsUntilItIsGone() throws {
        let desk = try Desk()
        try Data(repeating: 0x5A, count: 8192).write(to: URL(filePath: desk.path))
        let reader = try desk.open()
        guard case .failing(let reason) = try reader.next() else { throw Reader.Unexpected() }
        #expect(reason == "\(desk.path): file is not a database")
        #expect(try reader.persist(1, header("a")) == .failed("file is not a database"))
        #expect(try reader.find("a") == .failed("file is not a database"))
        // The result is kept for a retry.
        #expect(try reader.record(1, result("a")) == "file is not a database")
        try FileManager.default.removeItem(atPath: desk.path)
        #expect(try reader.persist(2, header("b")) == .stored)
        #expect(try reader.record(2, result("b")) == nil)
    }

    @Test func twoRoutersCannotShareAJournal() throws {
        let desk = try Desk()
        let first = try desk.open()
        _ = try first.persist(1, header("a"))
        let second = try desk.open()
        #expect(try second.persist(2, header("b")) == .failed("database is locked"))
    }
}

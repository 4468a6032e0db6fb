import BifronsWire
import FoundationEssentials
import GRDB
import Testing

@testable import Decisions
@testable import Journal

/// The decision ledger in the journal's file.
struct LedgerTests {
    private static let ann = Subject(type: "user", id: "ann-marker-7f3a")

    private func sequences(_ driver: JournalDriver, _ query: DecisionQuery) throws -> [Int] {
        struct Page: Decodable {
            struct Item: Decodable { var sequence: Int }
            var decisions: [Item]
        }
        return try JSONDecoder().decode(Page.self, from: Data(try json(driver.ask(.page(query))).utf8))
            .decisions.map(\.sequence)
    }

    private func verification(_ driver: JournalDriver) throws -> String {
        try json(driver.ask(.verify(from: 1, limit: 1000)))
    }

    // MARK: Recording and reading

    @Test func decisionsAreReadInTheirOrderAndByWhatTheyAreAbout() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        for number in 1...6 as ClosedRange<UInt64> {
            let tenant = number.isMultiple(of: 2) ? "shop" : nil
            let subject = number < 3 ? Self.ann : nil
            let logit: Float = number == 5 ? 9 : -9
            #expect(try driver.decide(decision(number, logit, tenant: tenant, subject: subject)) == nil)
        }
        #expect(try sequences(driver, DecisionQuery()) == [1, 2, 3, 4, 5, 6])
        #expect(try sequences(driver, DecisionQuery(since: 2, limit: 2)) == [3, 4])
        #expect(try sequences(driver, DecisionQuery(limit: 2, isBackward: true)) == [6, 5])
        #expect(try sequences(driver, DecisionQuery(since: 5, limit: 2, isBackward: true)) == [4, 3])
        #expect(try sequences(driver, DecisionQuery(since: 1, until: 3)) == [2, 3])
        #expect(try sequences(driver, DecisionQuery(tenants: .one("shop"))) == [2, 4, 6])
        #expect(try sequences(driver, DecisionQuery(tenants: .one(nil))) == [1, 3, 5])
        #expect(try sequences(driver, DecisionQuery(action: .block)) == [5])
        #expect(try sequences(driver, DecisionQuery(tenants: .one("shop"), action: .block)) == [])
        #expect(try sequences(driver, DecisionQuery(action: .allow)) == [1, 2, 3, 4, 6])
        #expect(try sequences(driver, DecisionQuery(subject: Self.ann)) == [1, 2])
        #expect(try json(driver.ask(.page(DecisionQuery(limit: 2)))).contains(#""next":2"#))
        #expect(try !json(driver.ask(.page(DecisionQuery(since: 5, limit: 2)))).contains("next"))
    }

    @Test func aDecisionThatIsMadeAgainIsOneDecision() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        _ = try driver.decide(decision(1))
        _ = try driver.decide(decision(1, 5))
        #expect(try sequences(driver, DecisionQuery()) == [1])
        #expect(driver.journal.head?.sequence == 1)
    }

    @Test func theChainGoesOnAfterARestart() throws {
        let fixture = try JournalFixture()
        for number in 1...3 as ClosedRange<UInt64> {
            let driver = try fixture.open()
            _ = try driver.decide(decision(number))
            fixture.clock.pass(.seconds(-5))
        }
        #expect(try verification(fixture.open()) == #"{"checked":3}"#)
    }

    @Test func aFlippedByteIsFoundAndNamed() throws {
        let columns = ["body", "personal", "salt", "commitment", "previous", "hash"]
        for column in columns + ["action", "tenant", "subject_id", "time"] {
            let fixture = try JournalFixture()
            do {
                let driver = try fixture.open()
                for number in 1...3 as ClosedRange<UInt64> {
                    _ = try driver.decide(decision(number, tenant: "shop", subject: Self.ann))
                }
            }
            try DatabaseQueue(path: fixture.path).write { db in
                if columns.contains(column) {
                    let bytes = try #require(
                        try Data.fetchOne(db, sql: "SELECT \(column) FROM decisions WHERE sequence = 2"))
                    var changed = bytes
                    changed[changed.startIndex + changed.count / 2] ^= 1
                    try db.execute(sql: "UPDATE decisions SET \(column) = ? WHERE sequence = 2", arguments: [changed])
                } else {
                    let value = column == "time" ? "time + 1" : "'other'"
                    try db.execute(sql: "UPDATE decisions SET \(column) = \(value) WHERE sequence = 2")
                }
            }
            let found = try verification(fixture.open())
            #expect(found.contains(#""sequence":2"#), "\(column): \(found)")
            #expect(found.contains(Decision.id(2)), "\(column): \(found)")
        }
    }

    @Test func aMissingDecisionIsFound() throws {
        for (deleted, named) in [(2, 3), (3, 2)] {
            let fixture = try JournalFixture()
            do {
                let driver = try fixture.open()
                for number in 1...3 as ClosedRange<UInt64> { _ = try driver.decide(decision(number)) }
            }
            try DatabaseQueue(path: fixture.path).write { db in
                try db.execute(sql: "DELETE FROM decisions WHERE sequence = \(deleted)")
            }
            let found = try verification(fixture.open())
            #expect(found.contains(#""sequence":\#(named)"#), "\(deleted): \(found)")
        }
    }

    @Test func oldDecisionsExpireAndTheRestStaysAChain() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        _ = try driver.decide(decision(1))
        _ = try driver.decide(decision(2))
        fixture.clock.pass(.seconds(3600))
        _ = try driver.decide(decision(3))
        fixture.clock.pass(.seconds(20))
        _ = try driver.decide(decision(4))
        #expect(try sequences(driver, DecisionQuery()) == [3, 4])
        #expect(try json(driver.ask(.verify(from: 0, limit: 10))) == #"{"checked":2}"#)
        #expect(driver.journal.head?.sequence == 4)
    }

    // MARK: Replay and trials

    @Test func everyStoredDecisionIsReplayed() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        for number in 1...20 as ClosedRange<UInt64> { _ = try driver.decide(decision(number, Float(number) / 4 - 2)) }
        for number in 1...20 as ClosedRange<UInt64> {
            let answer = try json(driver.ask(.replay(number: number, tenant: .all)))
            #expect(answer.contains(#""replay":{"differences":[],"same":true}"#), "\(answer)")
        }
        #expect(try driver.ask(.replay(number: 21, tenant: .all)) == .unknown)
        #expect(try driver.ask(.replay(number: 1, tenant: .one("shop"))) == .unknown)
    }

    @Test func aDecisionIsReplayedByTheMergeAndThePolicyOfItsTime() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            _ = try driver.decide(decision(1, 0.1))
        }
        // The file has other weights and another policy now.
        let edited = try Ensemble(
            models: ["a"], merge: [(["a"], Ensemble.Blend(bias: 3, weights: [2]))],
            policies: ["default": Policy(review: 0.01, block: 0.02)])
        let driver = try fixture.open(edited)
        #expect(try driver.policies().active("default", for: nil)?.version == 2)
        #expect(try json(driver.ask(.replay(number: 1, tenant: .all))).contains(#""same":true"#))
    }

    @Test func aTrialEqualsACountOfTheLedger() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        let logits = (0..<40).map { Float($0) / 4 - 5 }
        for (index, logit) in logits.enumerated() { _ = try driver.decide(decision(UInt64(index + 1), logit)) }
        let draft = try PolicyVersion("default", 1, Policy(review: 0.2, block: 0.4), evidence: [])
        var trial = PolicyTrial()
        var query = DecisionQuery(limit: 7)
        while true {
            guard case .attempted(let part, let next) = try driver.ask(.attempt(draft, query)) else { return }
            trial.add(part)
            guard let next else { break }
            query.since = next
        }
        let merge = try Ensemble.ofJournals().merge
        func action(_ logit: Float, _ review: Double, _ block: Double) -> String {
            let probability = merge.probability([logit])
            return probability >= block ? "block" : probability >= review ? "review" : "allow"
        }
        var expected: PolicyTrial.Matrix = [:]
        for logit in logits {
            expected[action(logit, 0.5, 0.9), default: [:]][action(logit, 0.2, 0.4), default: 0] += 1
        }
        #expect(trial.matrix == expected)
        #expect(trial.count == 40)
    }

    // MARK: Policies

    @Test func storedPoliciesSurviveARestart() throws {
        let fixture = try JournalFixture()
        do {
            let driver = try fixture.open()
            let book = try driver.policies()
            let next = try book.next("default", Policy(review: 0.05, block: 0.06), after: nil)
            #expect(try driver.ask(.store(next, note: LedgerNote(author: "ann", text: "stricter"))) == .stored)
            let activation = PolicyBook.Activation(policy: "default", version: 2, tenant: "shop")
            #expect(try driver.ask(.activate(activation, note: LedgerNote(author: "ann"))) == .stored)
        }
        let book = try fixture.open().policies()
        #expect(book.active("default", for: nil)?.version == 1)
        #expect(book.active("default", for: "shop")?.policy.review == 0.05)
    }

    // MARK: Erasing

    /// The names of the folder's files that contain a text.
    private func files(in folder: String, with marker: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { name in
            let bytes = try Data(contentsOf: URL(filePath: folder + "/" + name))
            return bytes.firstRange(of: Data(marker.utf8)) != nil
        }
    }

    @Test func nothingOfAnErasedSubjectIsLeftInAnyFile() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        let image = Array("image of \(Self.ann.id) ".utf8) + [UInt8](repeating: 7, count: 100_000)
        for number in 1...20 as ClosedRange<UInt64> {
            let isAnn = number.isMultiple(of: 2)
            var asked = header("job-\(isAnn ? Self.ann.id : "other")-\(number)")
            asked.subject = isAnn ? Self.ann : Subject(type: "user", id: "bob")
            asked.metadata = Array(#"{"who": "\#(asked.subject!.id)"}"#.utf8)
            _ = try driver.persist(number, asked, isAnn ? image : [1])
            driver.journal.record(number, result(asked.id ?? ""), try decision(number, subject: asked.subject))
        }
        _ = try driver.persist(
            21,
            {
                var asked = header("late"); asked.subject = Self.ann; return asked
            }(), image)
        #expect(try !files(in: fixture.folder, with: Self.ann.id).isEmpty)
        let answer = try json(driver.ask(.erase(Self.ann, .all)))
        #expect(answer.contains(#""decisions":10,"images":1,"jobs":11"#), "\(answer)")
        #expect(try files(in: fixture.folder, with: Self.ann.id) == [])
        // The chain and everybody else's decisions are as they were.
        #expect(try verification(driver) == #"{"checked":20}"#)
        #expect(try sequences(driver, DecisionQuery(subject: Subject(type: "user", id: "bob"))).count == 10)
        #expect(try json(driver.ask(.replay(number: 2, tenant: .all))).contains(#""kind":"erase""#))
        // Asked again, there is nothing left.
        #expect(try json(driver.ask(.erase(Self.ann, .all))).contains(#""decisions":0,"images":0,"jobs":0"#))
    }

    @Test func aTenantErasesOnlyItsOwn() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open()
        for (number, tenant) in [(1, "shop"), (2, "forum")] as [(UInt64, String)] {
            var asked = header("job \(number)", owner: tenant)
            asked.subject = Self.ann
            _ = try driver.persist(number, asked)
            driver.journal.record(
                number, result("job \(number)"), try decision(number, tenant: tenant, subject: Self.ann))
        }
        #expect(try json(driver.ask(.erase(Self.ann, .one("shop")))).contains(#""decisions":1,"images":0,"jobs":1"#))
        #expect(try sequences(driver, DecisionQuery(subject: Self.ann)) == [2])
    }

    @Test func aLedgerThatCannotBeWrittenRefusesAndRecovers() throws {
        let fixture = try JournalFixture()
        try Data(repeating: 0x5A, count: 8192).write(to: URL(filePath: fixture.path))
        let driver = try fixture.open()
        #expect(try driver.decide(decision(1)) == "file is not a database")
        #expect(try driver.ask(.page(DecisionQuery())) == .failed("file is not a database"))
        try FileManager.default.removeItem(atPath: fixture.path)
        #expect(try driver.decide(decision(2)) == nil)
        #expect(try sequences(driver, DecisionQuery()) == [1])
    }

    // MARK: Shadows

    @Test func shadowsAreComparedWithTheDecisions() throws {
        let ensemble = try Ensemble(
            models: ["a"], merge: [(["a"], .init(bias: 0, weights: [1]))],
            policies: [
                "default": Policy(review: 0.5, block: 0.9, shadow: [PolicyReference(name: "strict", version: 1)]),
                "strict": Policy(review: 0.1, block: 0.2),
            ])
        let fixture = try JournalFixture()
        let driver = try fixture.open(ensemble)
        for number in 1...10 as ClosedRange<UInt64> {
            var made = try decision(number, 0.5, ensemble)
            let strict = try #require(ensemble.policies["strict"])
            made.body.shadow = [.init(strict.reference, strict.verdict(0.6, isDegraded: false, evidence: []))]
            #expect(try driver.decide(made) == nil)
            guard number <= 4 else { continue }
            let score = ShadowScore(
                decision: number, model: "b", version: "1.0", digest: "sha256:0123456789abcdef",
                logits: [nil, FloatBits(number == 1 ? -3 : 0.5)])
            driver.journal.record(score)
            driver.journal.record(score)
        }
        var query = DecisionQuery(limit: 6)
        guard case .compared(var report, let next?) = try driver.ask(.shadows(query)) else {
            return #expect(Bool(false), "there is a second part")
        }
        query.since = next
        guard case .compared(let rest, nil) = try driver.ask(.shadows(query)) else {
            return #expect(Bool(false), "there is no third part")
        }
        report.add(rest)
        #expect(report.count == 10)
        #expect(report.policies["strict@1"]?.matrix == ["review": ["block": 10]])
        let model = try #require(report.models["b 1.0 01234567"])
        #expect(model.count == 4 && model.agreed == 3)
        #expect(model.matrix == ["review": ["review": 3, "allow": 1]])
        let text = String(decoding: CanonicalJSON.encode(report), as: UTF8.self)
        #expect(text.contains(#""difference":{"max":0.576,"p50":0,"p90":0.576,"p99":0.576}"#), "\(text)")
        #expect(try json(driver.ask(.replay(number: 1, tenant: .all))).contains(#""shadow_models":[{"digest""#))
    }
}

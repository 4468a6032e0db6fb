import BifronsWire
import BifronsZeroMQ
import FoundationEssentials
import Testing

@testable import Decisions
@testable import Journal

/// The queue of reviews in the journal's file.
struct ReviewTests {
    private static let ann = Subject(type: "user", id: "ann-marker-19c4")
    private static let eve = Reviewer(name: "eve", tenants: .all)
    private static let joe = Reviewer(name: "joe", tenants: .all)

    private struct HandedOut: Decodable {
        struct Decision: Decodable {
            var id: String
            var body: Body?
            struct Body: Decodable { var action: String }
        }
        var waiting: Int
        var lease: String?
        var blind: Bool?
        var image: Bool?
        var lane: String?
        var decision: Decision?
    }

    /// Policies with all that reviews need: `default` sends from 0.5 to 0.9 to a person; `drawn` draws everything;
    /// `blind` hides what the networks say.
    private static func ensemble() throws -> Ensemble {
        try Ensemble(
            models: ["a"], merge: [(["a"], .init(bias: 0, weights: [1]))],
            policies: [
                "default": Policy(review: 0.5, block: 0.9), "drawn": Policy(review: 0.5, block: 0.9, sample: 1),
                "blind": Policy(review: 0.5, block: 0.9, blind: 1),
            ])
    }

    private func next(
        _ driver: JournalDriver, _ reviewer: Reviewer = eve, policy: String? = nil
    ) throws -> HandedOut {
        let text = try json(driver.ask(.nextReview(reviewer, policy: policy)))
        return try JSONDecoder().decode(HandedOut.self, from: Data(text.utf8))
    }

    private func answer(_ text: String) throws -> ReviewRequest {
        try JSONDecoder().decode(ReviewRequest.self, from: Data(text.utf8))
    }

    /// Asks for a change, and returns the code of the error that refuses it; nil if it is done.
    private func code(_ driver: JournalDriver, _ question: LedgerQuestion) throws -> String? {
        switch try driver.ask(question) {
        case .refused(let error): error.code
        case .unknown: "unknown"
        case .failed(let reason): reason
        default: nil
        }
    }

    private func number(_ handedOut: HandedOut) throws -> UInt64 {
        try #require(handedOut.decision.flatMap { Decision.number($0.id) })
    }

    // MARK: The queue

    @Test func theDecisionNearestToAThresholdComesFirst() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        // The thresholds are 0 and 2.2 as logits. The decisions 1 and 5 need no review.
        for (number, logit) in [(1, -3), (2, 1), (3, 0.1), (4, 2.1), (5, 5)] as [(UInt64, Float)] {
            #expect(try driver.decide(decision(number, logit, try Self.ensemble())) == nil)
        }
        var handedOut: [UInt64] = []
        for waiting in [3, 3, 3] {
            let review = try next(driver)
            #expect(review.waiting == waiting)
            #expect(review.lane == "doubtful")
            #expect(review.image == false)
            #expect(review.decision?.body?.action == "review")
            handedOut.append(try number(review))
        }
        #expect(handedOut == [4, 3, 2])
        #expect(try next(driver).decision == nil)
    }

    @Test func aDrawnImageIsHandedOutByAgeAndWhateverItsActionIs() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        for (number, logit) in [(1, -3), (2, 5), (3, 0.1)] as [(UInt64, Float)] {
            #expect(try driver.decide(decision(number, logit, try Self.ensemble(), policy: "drawn")) == nil)
        }
        #expect(try (0..<3).map { _ in try number(next(driver)) } == [1, 2, 3])
    }

    @Test func aBlindReviewTellsNothingThatTheNetworksSay() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        #expect(try driver.decide(decision(1, 1, try Self.ensemble(), policy: "blind")) == nil)
        let text = try json(driver.ask(.nextReview(Self.eve, policy: nil)))
        #expect(text.contains(#""blind":true"#))
        for word in ["logits", "probability", "label", "reasons", "body", "personal"] {
            #expect(!text.contains(word), "\(word)")
        }
        let lease = try JSONDecoder().decode(HandedOut.self, from: Data(text.utf8)).lease ?? ""
        let real = try answer(#"{"outcome":"real","lease":"\#(lease)"}"#)
        let after = try json(driver.ask(.review(number: 1, real, Self.eve)))
        #expect(after.contains("probability"))
        #expect(after.contains(#""blind":true"#))
    }

    // MARK: Leases

    @Test func aReviewIsLeasedToOneReviewerUntilTheLeaseEndsAndARestartKeepsIt() throws {
        let fixture = try JournalFixture()
        var driver = try fixture.open(try Self.ensemble())
        #expect(try driver.decide(decision(1, 1, try Self.ensemble())) == nil)
        let first = try next(driver)
        #expect(try next(driver, Self.joe).decision == nil)
        driver = try fixture.open(try Self.ensemble())
        #expect(try next(driver, Self.joe).decision == nil)
        // Somebody without the lease is refused as long as it lasts.
        #expect(
            try code(driver, .review(number: 1, answer(#"{"outcome":"real"}"#), Self.joe)) == "review_leased")
        fixture.clock.pass(.seconds(600))
        let second = try next(driver, Self.joe)
        #expect(try number(second) == 1)
        // The first reviewer is late, and the image is with somebody else.
        let late = try answer(#"{"outcome":"real","lease":"\#(first.lease ?? "")"}"#)
        #expect(try code(driver, .review(number: 1, late, Self.eve)) == "review_leased")
        let inTime = try answer(#"{"outcome":"ai_generated","lease":"\#(second.lease ?? "")","note":"six fingers"}"#)
        #expect(try code(driver, .review(number: 1, inTime, Self.joe)) == nil)
        // The same answer again is no second one; another answer is refused.
        #expect(try code(driver, .review(number: 1, inTime, Self.joe)) == nil)
        #expect(try code(driver, .review(number: 1, late, Self.eve)) == "review_answered")
        let record = try json(driver.ask(.replay(number: 1, tenant: .all)))
        #expect(record.components(of: #""kind":"review""#) == 1)
        #expect(record.contains("six fingers"))
        #expect(try json(driver.ask(.verify(from: 1, limit: 10))) == #"{"checked":1}"#)
    }

    @Test func twoReviewersNeverGetTheSame() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        for number in 1...40 as ClosedRange<UInt64> {
            let policy = number.isMultiple(of: 3) ? "drawn" : "default"
            #expect(try driver.decide(decision(number, 1, try Self.ensemble(), policy: policy)) == nil)
        }
        var seen: Set<UInt64> = []
        for turn in 0..<40 {
            #expect(seen.insert(try number(next(driver, turn.isMultiple(of: 2) ? Self.eve : Self.joe))).inserted)
        }
        #expect(try next(driver).decision == nil)
    }

    @Test func aSkippedReviewGoesToTheEndAndATakenBackOneToItsReviewer() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        for number in [1, 2] as [UInt64] {
            #expect(try driver.decide(decision(number, Float(number) / 10, try Self.ensemble())) == nil)
        }
        let first = try next(driver)
        let skip = try answer(#"{"outcome":"skip","lease":"\#(first.lease ?? "")"}"#)
        #expect(try code(driver, .review(number: 1, skip, Self.eve)) == nil)
        let second = try next(driver)
        #expect(try number(second) == 2)
        let real = try answer(#"{"outcome":"real","lease":"\#(second.lease ?? "")"}"#)
        #expect(try code(driver, .review(number: 2, real, Self.eve)) == nil)
        #expect(try code(driver, .withdrawReview(number: 2, Self.joe)) == "not_your_review")
        #expect(try code(driver, .withdrawReview(number: 2, Self.eve)) == nil)
        #expect(try code(driver, .withdrawReview(number: 2, Self.eve)) == "not_your_review")
        #expect(try number(next(driver, Self.joe)) == 1)
        #expect(try code(driver, .withdrawReview(number: 77, Self.eve)) == "unknown")
        #expect(try code(driver, .review(number: 77, real, Self.eve)) == "unknown")
    }

    @Test func aTenantReviewsItsOwn() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        #expect(try driver.decide(decision(1, 1, tenant: "shop", try Self.ensemble())) == nil)
        let other = Reviewer(name: "x", tenants: .one("bank"))
        #expect(try next(driver, other).waiting == 0)
        #expect(try code(driver, .review(number: 1, answer(#"{"outcome":"real"}"#), other)) == "unknown")
        #expect(try code(driver, .reviewImage(number: 1, .one("bank"))) == "unknown")
        #expect(try next(driver, Reviewer(name: "x", tenants: .one("shop"))).waiting == 1)
        #expect(try next(driver, Self.eve, policy: "drawn").waiting == 0)
    }

    // MARK: Images

    @Test func imagesStayUntilTheAnswerAndWithinTheirLimit() throws {
        let fixture = try JournalFixture()
        let driver = JournalDriver(
            try Journal(
                path: fixture.folder, maxBytes: 1 << 30, retention: .seconds(60), decisionRetention: .seconds(3600),
                reviewBytes: 2500, ensemble: try Self.ensemble(), clock: { [clock = fixture.clock] in clock.now() }))
        for number in 1...3 as ClosedRange<UInt64> {
            let image = [UInt8](repeating: UInt8(number), count: 1000).withUnsafeBytes { Frame($0) }
            driver.journal.decide(try decision(number, 1, try Self.ensemble()), reviewing: image)
        }
        let huge = [UInt8](repeating: 9, count: 3000).withUnsafeBytes { Frame($0) }
        driver.journal.decide(try decision(4, 1, try Self.ensemble()), reviewing: huge)
        // The third needed the first one's room, and the fourth is too large.
        #expect(try code(driver, .reviewImage(number: 1, .all)) == "no_image")
        #expect(try code(driver, .reviewImage(number: 4, .all)) == "no_image")
        let second = try json(driver.ask(.reviewImage(number: 2, .all)))
        #expect(second == #"{"image":"\#(Data(repeating: 2, count: 1000).base64EncodedString())"}"#)
        #expect(try code(driver, .review(number: 2, answer(#"{"outcome":"real"}"#), Self.eve)) == nil)
        #expect(try code(driver, .reviewImage(number: 2, .all)) == nil)
        fixture.clock.pass(.seconds(700))
        // The journal looks for what has expired after its orders.
        _ = try driver.ask(.verify(from: 1, limit: 1))
        #expect(try code(driver, .reviewImage(number: 2, .all)) == "no_image")
        #expect(try code(driver, .reviewImage(number: 3, .all)) == nil)
    }

    @Test func anErasureRemovesImagesAndWhatPeopleWrote() throws {
        let fixture = try JournalFixture()
        let driver = JournalDriver(
            try Journal(
                path: fixture.folder, maxBytes: 1 << 30, retention: .seconds(60), decisionRetention: .seconds(3600),
                reviewBytes: 1 << 20, ensemble: try Self.ensemble()))
        let marker = Self.ann.id
        let image = Array("image of \(marker)".utf8).withUnsafeBytes { Frame($0) }
        driver.journal.decide(try decision(1, 1, subject: Self.ann, try Self.ensemble()), reviewing: image)
        let note = try answer(#"{"outcome":"real","note":"I know \#(marker)"}"#)
        #expect(try code(driver, .review(number: 1, note, Self.eve)) == nil)
        let appeal = Appeal(
            id: "appeal of \(marker)", item: .subject(Self.ann), reason: "I am \(marker)", by: Self.ann, at: "today")
        #expect(try code(driver, .appeal(appeal, Self.eve)) == nil)
        let receipt = try json(driver.ask(.erase(Self.ann, .all)))
        #expect(receipt.contains(#""images":1"#))
        #expect(receipt.contains(#""decisions":1"#))
        for name in try FileManager.default.contentsOfDirectory(atPath: fixture.folder) {
            let bytes = try #require(FileManager.default.contents(atPath: fixture.folder + "/" + name))
            #expect(bytes.firstRange(of: Data("marker-19c4".utf8)) == nil, "\(name)")
        }
        let record = try json(driver.ask(.replay(number: 1, tenant: .all)))
        #expect(record.contains(#""outcome":"real""#))
        #expect(try json(driver.ask(.verify(from: 1, limit: 10))) == #"{"checked":1}"#)
    }

    @Test func thePersonalPartGoesBeforeTheDecision() throws {
        let fixture = try JournalFixture()
        let driver = JournalDriver(
            try Journal(
                path: fixture.folder, maxBytes: 1 << 30, retention: .seconds(60), decisionRetention: .seconds(3600),
                personalRetention: .seconds(100), reviewBytes: 1 << 20, ensemble: try Self.ensemble(),
                clock: { [clock = fixture.clock] in clock.now() }))
        let image = Array("image of \(Self.ann.id)".utf8).withUnsafeBytes { Frame($0) }
        driver.journal.decide(try decision(1, 1, subject: Self.ann, try Self.ensemble()), reviewing: image)
        _ = try driver.ask(.verify(from: 1, limit: 1))
        fixture.clock.pass(.seconds(101))
        driver.journal.decide(try decision(2, 1, subject: Self.ann, try Self.ensemble()), reviewing: image)
        _ = try driver.ask(.verify(from: 1, limit: 1))
        let record = try json(driver.ask(.replay(number: 1, tenant: .all)))
        #expect(record.contains(#""erased":true"#) && !record.contains("marker-19c4"))
        #expect(try code(driver, .reviewImage(number: 1, .all)) == "no_image")
        #expect(try json(driver.ask(.replay(number: 2, tenant: .all))).contains("marker-19c4"))
        #expect(try json(driver.ask(.verify(from: 1, limit: 10))) == #"{"checked":2}"#)
        #expect(try json(driver.ask(.page(DecisionQuery(subject: Self.ann)))).contains(Decision.id(2)))
    }

    // MARK: Appeals

    @Test func anAppealComesFirstAndIsStoredOnce() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        #expect(try driver.decide(decision(1, 0.1, try Self.ensemble())) == nil)
        #expect(try driver.decide(decision(2, 9, subject: Self.ann, try Self.ensemble())) == nil)
        #expect(try driver.decide(decision(3, 9, subject: Self.ann, try Self.ensemble())) == nil)
        let appeal = Appeal(id: "a-1", item: .subject(Self.ann), reason: nil, by: nil, at: nil)
        // The latest decision about the subject that was not allowed.
        #expect(try json(driver.ask(.appeal(appeal, Self.eve))) == #"{"decision":"\#(Decision.id(3))"}"#)
        #expect(try code(driver, .appeal(appeal, Self.eve)) == nil)
        let other = Appeal(id: "a-1", item: .decision(1), reason: nil, by: nil, at: nil)
        #expect(try code(driver, .appeal(other, Self.eve)) == "appeal_known")
        let unknown = Appeal(id: "a-2", item: .decision(99), reason: nil, by: nil, at: nil)
        #expect(try code(driver, .appeal(unknown, Self.eve)) == "unknown")
        let review = try next(driver)
        #expect(try number(review) == 3)
        #expect(review.lane == "appeal")
        let record = try json(
            driver.ask(.review(number: 3, answer(#"{"outcome":"real","lease":"\#(review.lease ?? "")"}"#), Self.eve)))
        #expect(record.components(of: #""kind":"appeal""#) == 1)
        #expect(try number(next(driver)) == 1)
    }

    // MARK: Thresholds

    @Test func onlyReviewsThatWereDrawnOrCompleteCount() throws {
        let fixture = try JournalFixture()
        let driver = try fixture.open(try Self.ensemble())
        let version = try #require(try Self.ensemble().policies["drawn"])
        let request = try JSONDecoder().decode(TuningRequest.self, from: Data(#"{"fpr":0.2}"#.utf8))
        for number in 1...30 as ClosedRange<UInt64> {
            let policy = number <= 20 ? "drawn" : "default"
            let logit: Float = number <= 20 ? -Float(number) / 10 : Float(number) / 20
            #expect(try driver.decide(decision(number, logit, try Self.ensemble(), policy: policy)) == nil)
        }
        func real() throws -> Int {
            guard case .tuned(let report) = try driver.ask(.tune(version, request, .all)) else { return -1 }
            return report.reviewed.real
        }
        #expect(try real() == 0)
        for number in (1...20).map(UInt64.init) + [22, 23] {
            #expect(try code(driver, .review(number: number, answer(#"{"outcome":"real"}"#), Self.eve)) == nil)
        }
        // The doubtful decisions behind number 21 do not count before it is reviewed, too.
        #expect(try real() == 20)
        #expect(try code(driver, .review(number: 21, answer(#"{"outcome":"real"}"#), Self.eve)) == nil)
        #expect(try real() == 23)
        // An appeal alone makes nobody a member of the sample, and takes nobody out of it.
        #expect(try driver.decide(decision(31, 5, subject: Self.ann, try Self.ensemble())) == nil)
        for item in [Appeal.Item.subject(Self.ann), .decision(22)] {
            let appeal = Appeal(id: "\(item)", item: item, reason: nil, by: nil, at: nil)
            #expect(try code(driver, .appeal(appeal, Self.eve)) == nil)
        }
        for number in [31, 22] as [UInt64] {
            #expect(try code(driver, .review(number: number, answer(#"{"outcome":"real"}"#), Self.eve)) == nil)
        }
        #expect(try real() == 23)
        guard case .tuned(let report) = try driver.ask(.tune(version, request, .all)) else { return }
        #expect(report.policy?.block ?? 0 >= Merge.sigmoid(0))
        #expect(report.message == nil)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { components(separatedBy: part).count - 1 }
}

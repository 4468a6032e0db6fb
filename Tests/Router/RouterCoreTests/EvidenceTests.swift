import BifronsWire
import Decisions
import RouterCore
import TestKit
import Testing

/// Steps of evidence: outside of the merge, and never waited for longer than their share.
struct EvidenceTests {
    /// Returns a script with workers of these names. A locator cuts each image at once.
    private func script(
        _ names: [String] = ["r1", "i1", "p1", "k1"], credit: UInt32 = 4,
        _ configure: (inout RouterCore.Configuration) -> Void = { _ in }
    ) -> Script {
        var script = Script(ensemble: .sampleWithEvidence, configure)
        for name in names { script.join(name, credit: credit) }
        return script
    }

    /// Scores the image by both networks.
    @discardableResult
    private func judge(_ script: inout Script, _ token: Int = 1, logit: Float = -3) -> [String] {
        script.score("r1", token, logit: logit) + script.score("i1", token, logit: logit)
    }

    private func codes(_ document: ResultDocument?) -> [String] {
        document?.evidence.map { "\($0.kind) \($0.status.rawValue)" + ($0.error.map { " \($0.code)" } ?? "") } ?? []
    }

    // MARK: Answers

    @Test func evidenceIsAskedForAtOnceAndReportedInTheEnsemblesOrder() throws {
        var script = script()
        #expect(
            script.classify(1) == ["evidence 1 to p1", "evidence 1 to k1", "job 1 to r1", "job 1 to i1"])
        script.examine("k1", 1, .unknown)
        judge(&script)
        #expect(script.examine("p1", 1, .generated) == ["reply 1: 200"])
        let document = try #require(script.document(1))
        #expect(document.evidence.map(\.report) == [.generated, .unknown])
        #expect(document.status == .ok && !document.degraded && document.models.count == 2)
        #expect(document.verdict?.action == .review && document.verdict?.reasons == ["provenance"])
        #expect(document.attempts == 1)
    }

    @Test func anEnsembleWithoutEvidenceHasNone() throws {
        var script = Script()
        for name in ["r1", "i1"] { script.join(name) }
        #expect(script.classify(1) == ["job 1 to r1", "job 1 to i1"])
        #expect(judge(&script) == ["reply 1: 200"])
        #expect(script.document(1)?.evidence.isEmpty == true && script.document(1)?.verdict?.reasons.isEmpty == true)
        #expect(script.join("p1") == ["bye p1"])
        guard case .send(_, .bye(let reason, isFinal: false))? = script.lastActions.first else {
            Issue.record("\(script.lastActions)")
            return
        }
        #expect(reason == "the ensemble does not name the evidence 'provenance'; it names none")
    }

    @Test func aRequestWithoutEvidenceWorkersIsAnsweredAtOnce() throws {
        var script = script(["r1", "i1", "k1"])
        script.classify(1)
        script.examine("k1", 1, .unknown)
        #expect(judge(&script) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 503 no_worker", "known 200"])
        #expect(script.document(1)?.verdict?.reasons == ["evidence_missing"])
        #expect(script.document(1)?.degraded == false)
    }

    @Test func theNetworksSayTheSameWithAndWithoutEvidence() throws {
        var with = script()
        var without = script(["r1", "i1"])
        for logit in [-4, -0.3, 2.5] as [Float] {
            let token = Int(logit * 10) + 100
            with.classify(token)
            without.classify(token)
            with.examine("p1", token, .generated)
            with.examine("k1", token, .unknown)
            judge(&with, token, logit: logit)
            judge(&without, token, logit: logit)
            let (left, right) = (try #require(with.document(token)), try #require(without.document(token)))
            #expect(left.verdict?.aiProbability == right.verdict?.aiProbability)
            #expect(left.verdict?.label == right.verdict?.label && left.status == right.status)
            #expect(left.models == right.models)
        }
    }

    // MARK: Evidence alone

    @Test func evidenceAloneNeedsNoNetworkAndHasTheWholeBudget() throws {
        var script = script(["p1", "k1"])
        #expect(
            script.classify(1) { $0.verb = .examine } == ["evidence 1 to p1", "evidence 1 to k1"])
        #expect(script.examine("k1", 1, .unknown) == [])
        #expect(script.wait(.milliseconds(4999)) == [])
        #expect(script.examine("p1", 1, .generated) == ["reply 1: 200"])
        let document = try #require(script.document(1))
        #expect(document.evidence.map(\.report) == [.generated, .unknown])
        #expect(document.verdict == nil && document.models.isEmpty && document.faces == nil && !document.degraded)
        #expect(script.workersStatus.allSatisfy { $0.inFlight == 0 })
    }

    @Test func evidenceAloneFailsOnlyIfNoneIsFound() {
        var script = script(["p1", "k1"])
        for (token, found) in [(1, true), (2, false)] {
            script.classify(token) { ($0.verb, $0.budgetMilliseconds) = (.examine, 50) }
            if found { script.examine("p1", token, .silent) }
        }
        #expect(script.wait(.milliseconds(50)) == ["reply 1: 200", "reply 2: 408 evidence_late"])
        #expect(codes(script.document(1)) == ["provenance 200", "known 408 evidence_late"])
        #expect(codes(script.document(2)) == ["provenance 408 evidence_late", "known 408 evidence_late"])
    }

    @Test func evidenceAloneIsRefusedWithoutItsWorkersOrItsKinds() {
        var script = script(["r1", "i1"])
        #expect(script.classify(1) { $0.verb = .examine } == ["reply 1: 503 no_worker"])
        script.join("k1")
        script.classify(2) { $0.verb = .examine }
        #expect(script.examine("k1", 2, .unknown) == ["reply 2: 200"])
        #expect(codes(script.document(2)) == ["provenance 503 no_worker", "known 200"])
        var plain = Script()
        #expect(plain.classify(1) { $0.verb = .examine } == ["reply 1: 404 no_evidence"])
    }

    @Test func evidenceAloneIsGivenUpAfterTwoDeathsAndCancelled() {
        var script = script(["p1", "p2"])
        script.classify(1) { $0.verb = .examine }
        script.lose("p1")
        #expect(script.lose("p2") == ["reply 1: 422 quarantined"])
        script.join("k1")
        script.classify(2) { $0.verb = .examine }
        #expect(script.ask(3, .cancel, id: "job 2") == ["reply 2: 408 cancelled", "reply 3: 200"])
    }

    // MARK: Waiting

    @Test func aVerdictWaitsForEvidenceForItsShareOnly() throws {
        var script = script()
        script.classify(1)
        script.examine("k1", 1, .unknown)
        script.wait(.milliseconds(200))
        #expect(judge(&script) == [])
        #expect(script.wait(.milliseconds(99)) == [])
        #expect(script.wait(.milliseconds(1)) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 408 evidence_late", "known 200"])
        #expect(script.document(1)?.verdict?.reasons == ["evidence_missing"])
        // The answer comes too late, and frees the worker.
        script.examine("p1", 1, .generated)
        #expect(script.status.counters.late == 1)
        #expect(script.workersStatus.allSatisfy { $0.inFlight == 0 })
    }

    @Test func evidenceThatComesMeanwhileEndsTheWait() {
        var script = script()
        script.classify(1)
        judge(&script)
        script.wait(.milliseconds(50))
        #expect(script.examine("p1", 1, .silent) == [])
        #expect(script.examine("k1", 1, .unknown) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 200", "known 200"])
    }

    @Test func withoutAShareNothingIsWaitedFor() {
        var script = script { $0.evidenceWait = .zero }
        script.classify(1)
        script.examine("p1", 1, .silent)
        #expect(judge(&script) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 200", "known 408 evidence_late"])
    }

    @Test func theWaitEndsWithTheBudgetAndTheVerdictStands() {
        var script = script()
        script.classify(1) { $0.budgetMilliseconds = 60 }
        script.wait(.milliseconds(10))
        judge(&script)
        #expect(script.wait(.milliseconds(50)) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 408 evidence_late", "known 408 evidence_late"])
    }

    @Test func evidenceDoesNotSaveARequestWithoutScores() {
        var script = script()
        script.classify(1) { $0.budgetMilliseconds = 60 }
        script.examine("p1", 1, .generated)
        #expect(script.wait(.milliseconds(60)) == ["reply 1: 408 budget_spent"])
        #expect(codes(script.document(1)) == ["provenance 200", "known 408 evidence_late"])
        #expect(script.document(1)?.verdict == nil)
    }

    @Test func cropsAreReleasedWhileEvidenceIsWaitedFor() {
        var script = script()
        script.classify(1)
        #expect(script.status.queue.cropBytes > 0)
        judge(&script)
        #expect(script.kept.isEmpty && script.status.queue.cropBytes == 0 && script.status.queue.jobs == 1)
        script.wait(.milliseconds(100))
        #expect(script.document(1)?.image == .sample)
    }

    /// A model's wait for its first worker may end while the image is still with the locator.
    @Test func aLocatorsAnswerThatNobodyNeedsIsLate() {
        var script = Script(ensemble: .sampleWithEvidence, locators: .byHand) { $0.workerWait = .milliseconds(50) }
        for name in ["l1", "r1", "p1"] { script.join(name) }
        script.say("r1", script["r1"].bye)
        script.classify(1) { $0.models = ["resnet"] }
        #expect(script.wait(.milliseconds(50)) == [])
        #expect(script.cut("l1", 1) == [])
        #expect(script.kept.isEmpty && script.status.counters.late == 1)
        #expect(script.examine("p1", 1, .silent) == ["reply 1: 503 no_worker"])
    }

    // MARK: Failures

    @Test func aFailureOfTheImageIsReportedAndTheVerdictStands() {
        var script = script()
        script.classify(1)
        script.fail("p1", 1, .unprocessable, code: "evidence_too_complex")
        script.examine("k1", 1, .unknown)
        #expect(judge(&script) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 422 evidence_too_complex", "known 200"])
    }

    @Test func anotherFailureIsTriedOnceMore() {
        var script = script(["r1", "i1", "p1", "p2", "k1"])
        script.classify(1)
        script.examine("k1", 1, .unknown)
        #expect(script.fail("p1", 1, .unavailable) == ["evidence 1 to p2, attempt 2"])
        #expect(script.fail("p2", 1, .unavailable) == [])
        judge(&script)
        #expect(codes(script.document(1)) == ["provenance 503 scripted", "known 200"])
        #expect(script.document(1)?.attempts == 1)
    }

    @Test func evidenceOfAnotherKindIsMalformed() {
        var script = script(["r1", "i1", "p1", "k1"])
        script.classify(1)
        #expect(script.examine("p1", 1, .unknown) == ["evidence 1 to p1, attempt 2"])
        script.examine("k1", 1, .unknown)
        script.say("p1", script["p1"].score(script.job("p1", 1)))
        judge(&script)
        #expect(codes(script.document(1)) == ["provenance 503 answer_malformed", "known 200"])
    }

    @Test func aNetworkCannotAnswerWithEvidence() {
        var script = script(["r1", "i1"])
        script.classify(1)
        #expect(script.say("r1", script["r1"].evidence(script.job("r1", 1), .silent)) == ["job 1 to r1, attempt 2"])
    }

    @Test func aLostWorkersEvidenceGoesToAnother() {
        var script = script(["r1", "i1", "p1", "k1"])
        script.classify(1)
        script.join("p2")
        #expect(script.lose("p1", .unreachable) == ["evidence 1 to p2, attempt 2"])
        script.examine("k1", 1, .unknown)
        judge(&script)
        #expect(script.examine("p2", 1, .silent) == ["reply 1: 200"])
        #expect(script.status.counters.redispatched == 1)
    }

    @Test func twoDeathsQuarantineTheEvidenceAloneAndTheVerdictStands() throws {
        var script = script(["r1", "i1", "p1", "p2", "k1"])
        script.classify(1)
        script.examine("k1", 1, .unknown)
        #expect(script.lose("p1") == ["evidence 1 to p2, attempt 2"])
        #expect(script.lose("p2") == [])
        #expect(judge(&script) == ["reply 1: 200"])
        #expect(codes(script.document(1)) == ["provenance 422 quarantined", "known 200"])
        #expect(script.document(1)?.verdict?.reasons == ["evidence_missing"])
        #expect(script.status.counters.quarantined == 1)
        let error = try #require(script.document(1)?.evidence[0].error)
        #expect(error.message == "2 workers of provenance died with this image in their hands; it is not tried again")
    }

    @Test func aSuspectOfEvidenceIsTriedAlone() {
        var script = script(["r1", "i1", "p1", "k1"], credit: 2)
        for token in 1...2 { script.classify(token) }
        script.join("p2", credit: 2)
        #expect(script.lose("p1") == ["evidence 1 to p2, attempt 2"])
        #expect(script.examine("p2", 1, .silent) == ["evidence 2 to p2, attempt 2"])
    }

    @Test func aWorkerThatComesBackHasNotDied() {
        var script = script(["r1", "i1", "p1", "k1"])
        script.classify(1)
        script.examine("k1", 1, .unknown)
        script.lose("p1")
        #expect(script.reconnect("p1") == ["welcome p1", "evidence 1 to p1, attempt 2"])
        script.lose("p1")
        judge(&script)
        #expect(codes(script.document(1)) == ["provenance 503 worker_lost", "known 200"])
    }

    // MARK: Everything else

    @Test func aCancelledRequestsEvidenceIsDropped() {
        var script = script(["r1", "i1", "p1", "k1"], credit: 1)
        script.classify(1)
        script.classify(2)
        #expect(script.ask(3, .cancel, id: "job 1") == ["reply 1: 408 cancelled", "reply 3: 200"])
        #expect(codes(script.document(1)) == ["provenance 408 cancelled", "known 408 cancelled"])
        #expect(script.examine("p1", 1, .silent) == ["evidence 2 to p1"])
    }

    @Test func followersAndRepetitionsGetTheSameEvidenceDecidedByTheirPolicy() throws {
        var script = script()
        script.classify(1) { $0.idempotencyKey = "k" }
        #expect(
            script.classify(2) {
                $0.idempotencyKey = "k"
                $0.policy = "strict"
            } == [])
        script.examine("p1", 1, .generated)
        script.examine("k1", 1, .unknown)
        #expect(judge(&script) == ["reply 1: 200", "reply 2: 200"])
        script.classify(3) {
            $0.idempotencyKey = "k"
            $0.policy = "easy"
        }
        let verdicts = [1, 2, 3].compactMap { script.document($0)?.verdict }
        #expect(verdicts.map(\.action) == [.review, .block, .allow])
        #expect(verdicts.map(\.reasons) == [["provenance"], ["provenance"], []])
        #expect(Set([1, 2, 3].map { codes(script.document($0)) }).count == 1)
    }

    @Test func aDurableJobsEvidenceIsRecordedWithItsResult() throws {
        var script = Script(ensemble: .sampleWithEvidence) { $0.keepsJournal = true }
        for name in ["r1", "i1", "p1", "k1"] { script.join(name) }
        #expect(script.submit(1) == ["persist 1"])
        #expect(
            script.persisted(1)
                == ["acknowledge 1: 202", "evidence 1 to p1", "evidence 1 to k1", "job 1 to r1", "job 1 to i1"])
        judge(&script)
        script.examine("p1", 1, .generated)
        #expect(script.examine("k1", 1, .unknown) == ["record 1: 200", "release 1"])
        let job = try #require(script.journalled[1])
        #expect(script.recorded[job]?.evidence.map(\.report) == [.generated, .unknown])
    }

    @Test func aDrainWaitsForTheVerdictsOnly() {
        var script = script()
        script.classify(1)
        #expect(script.handle(.drain) == [])
        judge(&script)
        #expect(script.wait(.milliseconds(100)).contains("drained"))
    }

    @Test func anAbandonedRequestsEvidenceSaysWhy() {
        var script = script(["r1", "i1", "p1"])
        script.classify(1)
        script.handle(.abandon)
        #expect(codes(script.document(1)) == ["provenance 503 draining", "known 503 no_worker"])
    }

    @Test func evidenceIsNoReasonToRefuseAJobAndNotInThePace() {
        var script = script(["r1", "i1", "p1"], credit: 1)
        // The evidence worker has a backlog that grows, and is slow.
        for token in 1...20 {
            #expect(script.classify(token).allSatisfy { !$0.contains("429") })
            judge(&script, token)
            script.wait(.milliseconds(100))
            // The jobs in between have been answered, so the next one in its hands is the eleventh.
            if let held = [10: 1, 20: 11][token] { script.examine("p1", held, .silent) }
        }
        #expect(script.status.counters.rejected == 0)
    }

    @Test func statusAndModelsReportTheEvidenceWorkers() {
        var script = script(["r1", "i1", "p1"], credit: 1)
        script.classify(1)
        script.classify(2)
        let status = script.status
        #expect(status.models.map(\.name) == ["resnet", "inception", "locator", "provenance", "known"])
        #expect(status.models.map(\.workers) == [1, 1, 1, 1, 0])
        #expect(status.models.map(\.waiting)[3] == 1 && status.models.map(\.inFlight)[3] == 1)
        #expect(status.workers.map(\.model).contains("provenance"))
        script.ask(9, .models)
        guard case .models(let report)? = script.replies[9] else { preconditionFailure() }
        #expect(report.evidence?.map(\.name) == ["provenance", "known"])
        #expect(report.evidence?.map(\.workers) == [1, 0])
        #expect(report.namesWithoutWorkers.isEmpty)
    }

    @Test func workersOfTheSameKindShareTheLoad() {
        var script = script(["r1", "i1", "p1", "p2", "k1"])
        let lines = (1...2).flatMap { script.classify($0) }
        #expect(lines.contains("evidence 1 to p1") && lines.contains("evidence 2 to p2"))
    }
}

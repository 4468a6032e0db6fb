import BifronsWire
import Glibc
import Settings
import Testing
import WorkerService

/// Tests an evidence worker from a router's side, over ipc. Only what finds the evidence is fake.
@Suite struct EvidenceServiceTests {
    @Test func introducesItselfByItsKindOfEvidence() throws {
        let harness = try Harness()
        try harness.startExaminer()
        let hello = try harness.nextHello()
        #expect(hello.role == .evidence && hello.model == "provenance" && hello.credit == 4)
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func hangUpReadsTheFilesAgainAndRegistersTheWorkerAnew() throws {
        let harness = try Harness()
        let examiner = try ReloadingExaminer()
        try harness.startExaminer(examiner)
        #expect(try harness.welcome(epoch: 1).digest == "sha256:0")
        harness.kill(SIGHUP)
        try examiner.gate.waitUntilReached()
        // Images are examined meanwhile, and a second signal waits.
        harness.kill(SIGHUP)
        try harness.say(.examine(.init(job: 5, attempt: 1, remainingMilliseconds: 60_000)), [0])
        guard case .evidence(let evidence) = try harness.next() else { throw Harness.Unexpected() }
        #expect(evidence.epoch == 1)
        examiner.gate.open()
        #expect(try harness.welcome(epoch: 2).digest == "sha256:1")
        try examiner.gate.waitUntilReached()
        examiner.gate.open()
        #expect(try harness.welcome(epoch: 3).digest == "sha256:2")
        harness.kill()
        #expect(try harness.end() == .drained)
    }

    @Test func aWorkerThatReadsItsFilesDoesNotWaitForThemAtItsEnd() throws {
        let harness = try Harness()
        let examiner = try ReloadingExaminer()
        try harness.startExaminer(examiner)
        try harness.welcome()
        harness.kill(SIGHUP)
        try examiner.gate.waitUntilReached()
        harness.kill()
        #expect(try harness.end() == .abandoned)
        examiner.gate.open()
    }

    @Test func everyImageHasItsEvidenceOrAReason() throws {
        let harness = try Harness()
        try harness.startExaminer()
        try harness.welcome(epoch: 9)
        func examine(_ job: UInt64, _ image: [UInt8]) throws {
            try harness.say(.examine(.init(job: job, attempt: 1, remainingMilliseconds: 60_000)), image)
        }
        try examine(5, [0, 7])
        guard case .evidence(let evidence) = try harness.next() else { throw Harness.Unexpected() }
        #expect(evidence.epoch == 9 && evidence.job == 5 && evidence.report == FakeExaminer.report)
        try examine(6, [1])
        #expect(try harness.nextFailure() == (6, 422, "evidence_too_complex"))
        try examine(7, [2])
        #expect(try harness.nextFailure() == (7, 503, "inference_failed"))
        try harness.say(.examine(.init(job: 8, attempt: 1, remainingMilliseconds: 60_000)))
        #expect(try harness.nextFailure() == (8, 503, "job_incomplete"))
        harness.kill()
        #expect(try harness.end() == .drained)
    }
}

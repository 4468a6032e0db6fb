import BifronsWire
import Glibc
import TestKit
import Testing

/// Tests evidence workers with the real router: what they are sent, and what clients get.
@Suite struct EvidenceTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let ensemble = Files.ensembleWithoutEvidence
            .replacing(#""policies""#, with: #""evidence": ["provenance", "known"], "policies""#)
            .replacing(
                #""default": {"#,
                with: """
                    "strict": {"review": 1, "block": 1, "no_face": "allow", "clauses": [
                        {"if": {"provenance.claim": "ai_generated", "provenance.trust": "trusted"}, "at_least": "block",
                         "reason": "signed-ai"}]},
                    "default": {
                    """)
        try Files.write(Array(ensemble.utf8), to: "\(folder.path)/ensemble.json")
    }

    private func run(_ arguments: [String] = [], _ body: (Cluster) throws -> Void) throws {
        try Cluster.run(router: ["--models-folder=\(folder.path)"] + arguments, body)
    }

    private func score(_ workers: [TestWorker], logit: Float = -9) throws {
        for worker in workers { try worker.send(worker.script.score(try worker.job().job, logits: [logit])) }
    }

    private func codes(_ document: ResultDocument) -> [String] {
        document.evidence.map { "\($0.kind) \($0.status.rawValue)" + ($0.error.map { " \($0.code)" } ?? "") }
    }

    @Test func evidenceWorkersGetTheImageAndTheClientGetsTheirEvidence() throws {
        try run(["--evidence-wait=60s"]) { cluster in
            let networks = try cluster.testWorkers()
            let examiners = try [EvidenceKind.provenance, .known].map { try cluster.worker(.examiner($0)) }
            let client = try cluster.client()
            let image: [UInt8] = [1, 2, 3, 250]
            try client.send(Frames.classify(image, #""policy":"strict","budget_ms":60000"#))
            for (examiner, report) in zip(examiners, [EvidenceReport.generated, .unknown]) {
                let (message, payload) = try #require(try examiner.receive())
                guard case .examine(let job) = message else { throw TestWorker.NothingReceived() }
                #expect(payload == image && job.attempt == 1)
                try examiner.send(examiner.script.evidence(job.job, report))
            }
            try score(networks)
            let document = try client.receive().document
            #expect(document.evidence.map(\.report) == [.generated, .unknown])
            #expect(document.verdict?.action == .block && document.verdict?.reasons == ["signed-ai"])
            #expect(document.verdict?.label == .real && document.status == .ok)
            let status = try client.status()
            #expect(status.models.map(\.name).suffix(3) == ["locator", "provenance", "known"])
            #expect(status.models.suffix(2).map(\.workers) == [1, 1])
        }
    }

    @Test func withoutEvidenceWorkersTheVerdictComesAtOnceAndSaysSo() throws {
        try run(["--evidence-wait=60s"]) { cluster in
            let networks = try cluster.testWorkers()
            let client = try cluster.client()
            try client.send(Frames.classify([1], #""budget_ms":60000"#))
            try score(networks)
            let document = try client.receive().document
            #expect(codes(document) == ["provenance 503 no_worker", "known 503 no_worker"])
            #expect(document.status == .ok && document.verdict?.reasons == ["evidence_missing"])
        }
    }

    @Test func evidenceThatIsLateIsNotWaitedForAndGarbageIsDropped() throws {
        try run(["--evidence-wait=0s"]) { cluster in
            let networks = try cluster.testWorkers()
            let examiner = try cluster.worker(.examiner(.provenance))
            let client = try cluster.client()
            try client.send(Frames.classify([1]))
            let job = try examiner.job()
            // A claim that nobody knows, and a report that is no JSON.
            for text in [#"{"kind":"provenance","claim":"real"}"#, "\u{1}"] {
                let good = examiner.script.evidence(job.job, .silent).encoded()
                let report = Array(text.utf8)
                try examiner.send(bytes: [
                    Array(good.prefix(18)) + [UInt8(report.count), 0] + report + Array(good.suffix(10))
                ])
            }
            try score(networks)
            let document = try client.receive().document
            #expect(codes(document) == ["provenance 408 evidence_late", "known 503 no_worker"])
            try examiner.send(examiner.script.evidence(job.job, .silent))
            try cluster.router.wait { try client.status().counters.late == 1 }
            #expect(try client.status().counters.malformedMessages == 2)
        }
    }

    @Test func anImageThatKillsTwoEvidenceWorkersIsJudgedAllTheSame() throws {
        try run(["--evidence-wait=60s"]) { cluster in
            let networks = try cluster.testWorkers()
            let known = try cluster.worker(.examiner(.known))
            let client = try cluster.client()
            let first = try cluster.worker(.examiner(.provenance, "first"))
            try client.send(Frames.classify([66], #""budget_ms":60000"#))
            _ = try first.job()
            let second = try cluster.worker(.examiner(.provenance, "second"))
            first.die()
            #expect(try second.job().attempt == 2)
            second.die()
            try known.send(known.script.evidence(try known.job().job, .unknown))
            try score(networks)
            let document = try client.receive().document
            #expect(codes(document) == ["provenance 422 quarantined", "known 200"])
            #expect(document.status == .ok && document.verdict?.action == .allow)
        }
    }

    @Test func aDurableResultKeepsItsEvidenceAcrossARestart() throws {
        try run(["--evidence-wait=60s", "--journal=\(folder.path)"]) { cluster in
            let networks = try cluster.testWorkers()
            let provenance = try cluster.worker(.examiner(.provenance))
            let client = try cluster.client()
            let durable = #""durable":true,"id":"a","idempotency_key":"k","budget_ms":60000"#
            try client.send(Frames.classify([1], durable))
            try provenance.send(provenance.script.evidence(try provenance.job().job, .generated))
            try score(networks)
            let first = try client.receive().document
            #expect(codes(first) == ["provenance 200", "known 503 no_worker"])
            #expect(first.verdict?.action == .review && first.verdict?.reasons == ["provenance", "evidence_missing"])

            cluster.router.signal(SIGKILL)
            #expect(try cluster.router.waitForEnd() == .signal(SIGKILL))
            try cluster.restartRouter()
            // Without networks, the router would refuse the job before it looks into the journal.
            let successors = try cluster.testWorkers()
            let later = try cluster.client()
            #expect(try later.ask(Frames.request(#"{"verb":"fetch","id":"a"}"#)).document.evidence == first.evidence)
            // Another policy decides anew, by the evidence of then.
            let again = try later.ask(Frames.classify([1], durable + #","policy":"strict""#)).document
            #expect(again.evidence == first.evidence)
            #expect(again.verdict?.action == .block && again.verdict?.reasons == ["signed-ai"])
            withExtendedLifetime(successors) {}
        }
    }

    @Test func aWrongClauseIsRefusedAtTheStartByTheNameOfItsField() throws {
        let text = Files.text("\(folder.path)/ensemble.json").replacing("at_least", with: "atleast")
        try Files.write(Array(text.utf8), to: "\(folder.path)/ensemble.json")
        let router = try ChildProcess(
            Files.program("bifrons-router"),
            [
                "--models-folder=\(folder.path)", "--client-endpoint=ipc://\(folder.path)/c",
                "--worker-endpoint=ipc://\(folder.path)/w",
            ], name: "router", folder: folder.path)
        _ = try router.waitForEnd()
        #expect(
            router.standardError.contains(
                "policies.strict.clauses[0] has an unknown field 'atleast'; it may have if, reason, at_least, at_most"))
    }
}

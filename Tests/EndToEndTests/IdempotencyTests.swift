import BifronsWire
import Glibc
import TestKit
import Testing

/// Tests idempotency keys with the real router: what they identify, and which fields of a repeated request may differ.
@Suite struct IdempotencyTests {
    /// The additional fields of the two kinds of request: ordinary jobs, and durable jobs whose client waits. Keys work
    /// alike for both.
    private static let kinds = ["", #","durable":true"#]

    private func requestWithKey(_ image: UInt8, _ fields: String = "") -> [[UInt8]] {
        Frames.classify([image], #""idempotency_key":"k","budget_ms":60000"# + fields)
    }

    @Test(arguments: kinds, kinds) func aKeyIsRefusedForAnotherImageOrOtherOptions(first: String, second: String) throws
    {
        let folder = try TemporaryFolder()
        try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
            let workers = try cluster.testWorkers()
            let (client, other) = (try cluster.client(), try cluster.client())
            try client.send(requestWithKey(1, first))
            let jobs = try workers.map { try $0.job() }
            func expectMismatches() throws {
                let requests = [
                    (requestWithKey(2, second), "image"),
                    (requestWithKey(1, second + #","models":["resnet"]"#), "'models'"),
                    (requestWithKey(1, second + #","require":"all""#), "'require'"),
                    (requestWithKey(1, second + #","explain":true"#), "'explain'"),
                ]
                for (request, what) in requests {
                    let reply = try other.ask(request)
                    #expect(reply.status == 422 && reply.code == "idempotency_mismatch", "\(what)")
                    #expect(reply.document.error?.message.contains("another \(what);") == true)
                }
            }
            // While the first job is computed, and after its result.
            try expectMismatches()
            for (worker, job) in zip(workers, jobs) { try worker.send(worker.script.score(job.job, logits: [9])) }
            #expect(try client.receive().status == 200)
            try expectMismatches()
            let again = try other.ask(requestWithKey(1, second + #","policy":"default","metadata":{}"#))
            #expect(again.status == 200 && again.document.verdict?.action == .block)
        }
    }

    @Test func aDurableKeyIsRefusedForAnotherImageAcrossARestart() throws {
        let folder = try TemporaryFolder()
        try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
            let durable = #","durable":true,"wait":false,"id":"a""#
            var workers = try cluster.testWorkers()
            #expect(try cluster.client().ask(requestWithKey(1, durable)).status == 202)
            for isDone in [false, true] {
                cluster.router.signal(SIGKILL)
                _ = try cluster.router.waitForEnd()
                workers = []
                try cluster.restartRouter()
                let client = try cluster.client()
                workers = try cluster.testWorkers()
                let reply = try client.ask(requestWithKey(2, durable))
                #expect(reply.status == 422 && reply.code == "idempotency_mismatch", "done: \(isDone)")
                if isDone {
                    #expect(try client.ask(requestWithKey(1, durable)).status == 200)
                } else {
                    for worker in workers { try worker.scoreNextJob() }
                    try cluster.router.wait {
                        try client.ask(Frames.request(#"{"verb":"fetch","id":"a"}"#)).status == 200
                    }
                }
            }
        }
    }

    @Test(arguments: kinds, kinds) func requestsWithOneKeyAreEachDecidedByTheirOwnPolicy(first: String, second: String)
        throws
    {
        let folder = try TemporaryFolder()
        let ensemble = Files.ensembleWithoutEvidence.replacing(
            #""default": {"#,
            with: #""lax": {"review": 1, "block": 1, "no_face": "allow"}, "default": {"#)
        try Files.write(Array(ensemble.utf8), to: "\(folder.path)/ensemble.json")
        try Cluster.run(router: ["--journal=\(folder.path)", "--models-folder=\(folder.path)"]) { cluster in
            let workers = try cluster.testWorkers()
            let client = try cluster.client()
            try client.send(requestWithKey(1, first))
            for worker in workers { try worker.send(worker.script.score(try worker.job().job, logits: [9])) }
            let blocked = try #require(try client.receive().document.verdict)
            #expect(blocked.action == .block && blocked.policy == "default")
            let allowed = try #require(try client.ask(requestWithKey(1, second + #","policy":"lax""#)).document.verdict)
            #expect(allowed.action == .allow && allowed.policy == "lax")
            #expect(allowed.label == .aiGenerated && allowed.aiProbability == blocked.aiProbability)
            #expect(try client.ask(requestWithKey(1, second + #","policy":"none""#)).code == "unknown_policy")
            #expect(try client.ask(requestWithKey(1, second)).document.verdict == blocked)
        }
    }
}

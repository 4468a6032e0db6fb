import BifronsWire
import Glibc
import TestKit
import Testing

/// Tests that durable jobs survive whatever happens to the real router.
@Suite struct JournalTests {
    /// The folder of the journal, which outlives the routers.
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func fetch(_ id: String) -> [[UInt8]] {
        Frames.request(#"{"verb":"fetch","id":"\#(id)"}"#)
    }

    private func durable(_ id: String, _ fields: String = "") -> [[UInt8]] {
        Frames.classify([1, 2, 3], #""durable":true,"wait":false,"budget_ms":60000,"id":"\#(id)""# + fields)
    }

    /// Asks repeatedly until the job has a result, and returns it.
    private func result(of id: String, _ client: TestClient) throws -> TestClient.Reply {
        for _ in 0..<Bounds.patience / 20 {
            let reply = try client.ask(fetch(id))
            if reply.status != 202 { return reply }
            // The pause between two requests: no other message arrives.
            _ = try client.peer.receive(milliseconds: 20)
        }
        throw TestClient.NoReply()
    }

    @Test func everyAcknowledgedJobIsFoundAfterTheRouterIsKilled() throws {
        try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
            let client = try cluster.client()
            let ids = (1...20).map { "job \($0)" }
            var workers = try cluster.testWorkers()
            // The first job has its result, the others are with the workers or in the queue. It goes alone, because the
            // locator has two threads, so that jobs may overtake each other.
            #expect(try client.ask(durable(ids[0])).status == 202)
            for worker in workers { try worker.scoreNextJob() }
            let first = try result(of: ids[0], client)
            #expect(first.status == 200)
            for id in ids.dropFirst() { #expect(try client.ask(durable(id)).status == 202) }
            #expect(try client.ask(fetch(ids[1])).status == 202)

            cluster.router.signal(SIGKILL)
            #expect(try cluster.router.waitForEnd() == .signal(SIGKILL))
            workers = []
            try cluster.restartRouter()
            let later = try cluster.client()
            #expect(try later.ask(fetch(ids[0])).result == first.result)
            #expect(try later.ask(fetch(ids[1])).status == 202)
            workers = try cluster.testWorkers()
            for _ in ids.dropFirst() { for worker in workers { try worker.scoreNextJob() } }
            for id in ids {
                let reply = try result(of: id, later)
                #expect(reply.status == 200)
                #expect(reply.document.id == id)
            }
            #expect(try later.ask(fetch("another")).code == "unknown_job")
        }
    }

    @Test func keyIsComputedOnceAcrossARestart() throws {
        try Cluster.run(router: ["--journal=\(folder.path)/jobs"]) { cluster in
            let client = try cluster.client()
            var workers = try cluster.testWorkers()
            #expect(try client.ask(durable("a", #","idempotency_key":"k""#)).status == 202)
            for worker in workers { try worker.scoreNextJob() }
            let first = try result(of: "a", client)

            cluster.router.signal(SIGKILL)
            _ = try cluster.router.waitForEnd()
            workers = []
            try cluster.restartRouter()
            let later = try cluster.client()
            workers = try cluster.testWorkers()
            let again = try later.ask(durable("b", #","idempotency_key":"k""#))
            #expect(again.status == 200)
            #expect(again.document.verdict == first.document.verdict)
            // The next job that the workers see is another one.
            try expectService(later, workers)
            #expect(try later.ask(fetch("b")).document.verdict == first.document.verdict)
        }
    }

    @Test func jobsLeftByADrainedRouterAreFinishedAfterItsRestart() throws {
        try Cluster.run(router: ["--journal=\(folder.path)", "--drain-time=100ms"]) { cluster in
            let client = try cluster.client()
            var workers = try cluster.testWorkers()
            #expect(try client.ask(durable("a")).status == 202)
            cluster.router.signal(SIGTERM)
            #expect(try cluster.router.waitForEnd() == .exit(0))
            workers = []
            try cluster.restartRouter()
            let later = try cluster.client()
            #expect(try later.ask(fetch("a")).status == 202)
            workers = try cluster.testWorkers()
            for worker in workers { try worker.scoreNextJob() }
            #expect(try result(of: "a", later).status == 200)
        }
    }

    @Test func aCancelledJobStaysCancelledAcrossARestart() throws {
        try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
            let client = try cluster.client()
            let workers = try cluster.testWorkers()
            #expect(try client.ask(durable("a")).status == 202)
            #expect(try client.ask(Frames.request(#"{"verb":"cancel","id":"a"}"#)).status == 200)
            cluster.router.signal(SIGKILL)
            _ = try cluster.router.waitForEnd()
            _ = workers
            try cluster.restartRouter()
            #expect(try cluster.client().ask(fetch("a")).code == "cancelled")
        }
    }

    @Test func anUnreadableJournalRefusesOnlyDurableJobs() throws {
        let path = folder.path + "/journal.sqlite"
        try Files.write([UInt8](repeating: 0x5A, count: 8192), to: path)
        try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
            let client = try cluster.client()
            let workers = try cluster.testWorkers()
            let refused = try client.ask(durable("a"))
            #expect(refused.status == 503 && refused.code == "journal_unavailable")
            #expect(refused.document.error?.message.contains("file is not a database") == true)
            try expectService(client, workers)
            #expect(cluster.router.standardError.contains("journal fails"))
            let failing = try client.status().journal
            #expect(failing?.state == "failing" && failing?.reason?.contains("file is not a database") == true)
            // The journal is used again as soon as that is possible.
            remove(path)
            #expect(try client.ask(durable("b")).status == 202)
            let working = try #require(try client.status().journal)
            #expect(working.state == "ok" && working.reason == nil && working.unfinished == 1)
            #expect((1...working.maxBytes).contains(working.bytes))
        }
    }
}

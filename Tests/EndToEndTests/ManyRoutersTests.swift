import BifronsWire
import Glibc
import Synchronization
import TestKit
import Testing

extension EndToEndTests {
    /// Tests several real routers that do not know each other, and workers that serve all of them.
    @Suite struct ManyRoutersTests {
        /// The folder of the journals, which outlive the routers.
        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
        }

        /// Runs `count` routers, each with a journal.
        private func run(
            _ count: Int, _ earlier: [Cluster] = [], _ body: ([Cluster]) throws -> Void
        ) throws {
            if earlier.count == count { return try body(earlier) }
            let arguments = ["--journal=\(folder.path)/\(earlier.count)", "--worker-wait=60s"]
            try Cluster.run(heartbeat: "500ms", router: arguments) { try run(count, earlier + [$0], body) }
        }

        private func job(_ id: String, _ fields: String = "") -> [[UInt8]] {
            Frames.classify([1, 2, 3], #""budget_ms":60000,"id":"\#(id)""# + fields)
        }

        /// Asks repeatedly until the job has a result, and returns it.
        private func result(of id: String, _ client: TestClient) throws -> TestClient.Reply {
            for _ in 0..<Bounds.patience / 20 {
                let reply = try client.ask(Frames.request(#"{"verb":"fetch","id":"\#(id)"}"#))
                if reply.status != 202 { return reply }
                // The pause between two requests: no other message arrives.
                _ = try client.peer.receive(milliseconds: 20)
            }
            throw TestClient.NoReply()
        }

        @Test func aFloodAtOneRouterDoesNotStarveTheJobsOfAnother() throws {
            try run(2) { routers in
                let gate = try ServedWorker.Gate()
                let worker = try ServedWorker("resnet", routers: routers.map(\.workerEndpoint), maxBatch: 2, gate: gate)
                for router in routers { try router.waitForWorkers(["resnet"]) }
                let clients = try routers.map { try $0.client() }
                let resnet = #","models":["resnet"]"#
                for number in 1...100 { try clients[0].send(job("flood \(number)", resnet)) }
                try gate.waitForABatch()
                for number in 1...10 { try clients[1].send(job("\(number)", resnet)) }
                // The router reports them in flight, so the worker has as many as the credit allows.
                try routers[1].router.wait { try routers[1].client().status().models[0].inFlight == 2 }
                // At most 80 jobs, fewer than the flood has.
                for _ in 1...40 {
                    gate.releaseBatch()
                    try gate.waitForABatch()
                }
                for _ in 1...10 { #expect(try clients[1].receive().status == 200) }
                let left = try routers[0].client().status().queue.jobs
                #expect(left >= 20)
                gate.openPermanently()
                for _ in 1...100 { #expect(try clients[0].receive().status == 200) }
                withExtendedLifetime(worker) {}
            }
        }

        @Test func theDeathOfARouterLosesNoDurableJobAndTheOthersContinue() throws {
            try run(3) { routers in
                let endpoints = routers.map(\.workerEndpoint)
                let gate = try ServedWorker.Gate()
                let workers = [
                    try ServedWorker("resnet", routers: endpoints, gate: gate),
                    try ServedWorker("inception", routers: endpoints),
                ]
                for router in routers { try router.waitForWorkers(["resnet", "inception"]) }
                let clients = try routers.map { try $0.client() }
                let ids = (1...20).map { "durable \($0)" }
                for id in ids {
                    #expect(try clients[0].ask(job(id, #","durable":true,"wait":false"#)).status == 202)
                }
                // A client that waits and is not answered before the router dies.
                let keyed = job("keyed", #","durable":true,"idempotency_key":"k""#)
                try clients[0].send(keyed)
                try routers[0].router.wait { try routers[0].client().status().journal?.unfinished == 21 }

                routers[0].router.signal(SIGKILL)
                #expect(try routers[0].router.waitForEnd() == .signal(SIGKILL))
                gate.openPermanently()
                for client in clients.dropFirst() {
                    for number in 1...20 { try client.send(job("\(number)")) }
                    for _ in 1...20 { #expect(try client.receive().status == 200) }
                    #expect(try client.ask(Frames.request(#"{"verb":"fetch","id":"keyed"}"#)).code == "unknown_job")
                }

                try routers[0].restartRouter()
                let later = try routers[0].client()
                // The client's retry, which may come before the workers are back.
                let retry = try later.ask(keyed)
                #expect(retry.status == 200)
                for id in ids {
                    let reply = try result(of: id, later)
                    #expect(reply.status == 200 && reply.document.id == id)
                }
                #expect(try result(of: "keyed", later).document.verdict == retry.document.verdict)
                #expect(try later.status().counters.deduplicated == 1)
                #expect(try later.peer.receive(milliseconds: 0) == nil)
                withExtendedLifetime(workers) {}
            }
        }

        @Test func aWorkerFollowsTheAddressesOfADNSName() throws {
            // One port on several addresses of this machine. The system chooses the port for the first address.
            try Cluster.run(heartbeat: "500ms", router: ["--worker-endpoint=tcp://127.0.0.1:*"], cuts: false) { first in
                let word = first.router.standardError.split { " \n".contains($0) }
                    .first { $0.hasPrefix("workers=tcp://127.0.0.1:") }
                let port = try #require(word?.split(separator: ":").last)
                try Cluster.run(heartbeat: "500ms", router: ["--worker-endpoint=tcp://127.0.0.2:\(port)"], cuts: false)
                { second in
                    try Cluster.run(
                        heartbeat: "500ms", router: ["--worker-endpoint=tcp://127.0.0.3:\(port)"], cuts: false
                    ) {
                        third in
                        try follow(first, second, third, port: String(port))
                    }
                }
            }
        }

        /// The answers of the test's name server; nil: it fails.
        private final class Addresses: Sendable {
            struct Silent: Error {}

            let known = Mutex<[String]?>(["127.0.0.1"])
            private let asked = Mutex(0)

            var looks: Int { asked.withLock { $0 } }

            func lookUp(_ name: String) throws -> [String] {
                asked.withLock { $0 += 1 }
                guard name == "routers", let addresses = known.withLock({ $0 }) else { throw Silent() }
                return addresses
            }
        }

        private func follow(_ first: Cluster, _ second: Cluster, _ third: Cluster, port: String) throws {
            let addresses = Addresses()
            let endpoints = (1...3).map { "tcp://127.0.0.\($0):\(port)" }
            let locator = try ServedWorker.locator(routers: endpoints)
            let worker = try ServedWorker("resnet", routers: ["dns://routers:\(port)"]) { try addresses.lookUp($0) }
            func expectService(_ router: Cluster, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let reply = try router.client().ask(job("a", #","models":["resnet"]"#))
                #expect(reply.status == 200, sourceLocation: sourceLocation)
            }
            func credit(_ router: Cluster) throws -> Int? { try router.client().status().networks.first?.credit }
            try first.waitForWorkers(["resnet"])
            try expectService(first)
            #expect(try credit(first) == 16)

            addresses.known.withLock { $0 = ["127.0.0.2", "127.0.0.1"] }
            try second.waitForWorkers(["resnet"])
            try expectService(second)
            try first.router.wait { try credit(first) == 8 && credit(second) == 8 }

            // The first address is removed, but is served as long as its connection lasts.
            addresses.known.withLock { $0 = ["127.0.0.2", "127.0.0.3"] }
            try third.waitForWorkers(["resnet"])
            try expectService(first)
            try first.router.wait { try credit(first) == 5 }
            #expect(worker.said("router is gone") == 0)
            first.router.signal(SIGKILL)
            _ = try first.router.waitForEnd()
            try second.router.wait { try worker.said("router is gone") == 1 && credit(second) == 8 }

            // A failing name server does no harm.
            addresses.known.withLock { $0 = nil }
            let looks = addresses.looks
            try second.router.wait { addresses.looks >= looks + 3 }
            #expect(worker.said("name of routers cannot be resolved") == 1)
            try expectService(second)
            try expectService(third)
            withExtendedLifetime((locator, worker)) {}
        }
    }
}

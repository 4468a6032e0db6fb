import BifronsWire
import FoundationEssentials
import Glibc
import TestKit
import Testing

extension EndToEndTests {
    /// Tests one real gateway in front of two real routers that do not know each other.
    @Suite(.serialized) struct GatewayRoutersTests {
        private static let image = ["Content-Type: image/jpeg"]

        /// Runs two clusters with journals, each with test workers.
        private func run(_ body: (_ first: Cluster, _ second: Cluster, [[TestWorker]]) throws -> Void) throws {
            let folders = [try TemporaryFolder(), try TemporaryFolder()]
            try Cluster.run(router: ["--journal=\(folders[0].path)"]) { first in
                try Cluster.run(router: ["--journal=\(folders[1].path)"]) { second in
                    try body(first, second, try [first, second].map { try $0.testWorkers() })
                }
            }
        }

        @Test func aDurableJobIsFoundAtEitherRouter() throws {
            try run { first, second, workers in
                let gateway = try first.startGateway(["--router=\(second.clientEndpoint)"])
                for (index, cluster) in [first, second].enumerated() {
                    let fields = "\"id\":\"job-\(index)\",\"durable\":true,\"wait\":false,\"budget_ms\":60000"
                    #expect(try cluster.client().ask(Frames.classify([1], fields)).status == 202)
                    #expect(try gateway.ask("GET", "/v1/jobs/job-\(index)").status == 202)
                }
                for worker in workers[0] { try worker.scoreNextJob() }
                var result = try gateway.ask("GET", "/v1/jobs/job-0")
                try gateway.process.wait {
                    result = try gateway.ask("GET", "/v1/jobs/job-0")
                    return result.status != 202
                }
                #expect(result.status == 200)
                #expect(try gateway.ask("DELETE", "/v1/jobs/job-1").status == 200)
                #expect(try gateway.ask("GET", "/v1/jobs/job-1").status == 408)
                let unknown = try gateway.ask("GET", "/v1/jobs/job-2")
                #expect(unknown.status == 404)
                #expect(unknown.text.contains(#""code":"unknown_job""#))

                // An unknown job may be with the unreachable router, so the answer is not 404. Jobs of the reachable
                // router are still found.
                second.router.signal(SIGKILL)
                _ = try second.router.waitForEnd()
                for path in ["/v1/jobs/job-1", "/v1/jobs/job-2"] {
                    let refused = try gateway.ask("GET", path)
                    #expect(refused.status == 503)
                    #expect(refused.headers["retry-after"] == "1")
                    #expect(refused.text.contains(second.clientEndpoint))
                    #expect(!refused.text.contains(first.clientEndpoint))
                }
                #expect(try gateway.ask("GET", "/v1/jobs/job-0").status == 200)
                #expect(try gateway.ask("GET", "/readyz").status == 200)
                try second.restartRouter()
                try gateway.process.wait { try gateway.ask("GET", "/v1/jobs/job-1").status == 408 }
                #expect(try gateway.ask("GET", "/v1/jobs/job-2").status == 404)
            }
        }

        @Test func aKeyIsComputedOnceAcrossGateways() throws {
            try run { first, second, workers in
                let gateways = [
                    try first.startGateway(["--router=\(second.clientEndpoint)"]),
                    try second.startGateway(["--router=\(first.clientEndpoint)"]),
                ]
                // 404 for an unknown job proves that a gateway is connected to both routers.
                for gateway in gateways { #expect(try gateway.ask("GET", "/v1/jobs/none").status == 404) }
                for key in 0..<6 {
                    let headers = Self.image + ["Idempotency-Key: key-\(key)"]
                    let locations = try gateways.map { gateway in
                        let accepted = try gateway.ask("POST", "/v1/jobs?budget_ms=60000", headers, body: [1])
                        #expect(accepted.status == 202)
                        return try #require(accepted.headers["location"])
                    }
                    // One router has both jobs: the second request joined the first.
                    let reports = try [first, second].map { try $0.client().status() }
                    #expect(reports.map(\.queue.jobs).sorted() == [0, 2])
                    let owner = try #require(reports.firstIndex { $0.queue.jobs == 2 })
                    for worker in workers[owner] { try worker.scoreNextJob() }
                    for (gateway, location) in zip(gateways, locations) {
                        try gateway.process.wait { try gateway.ask("GET", location).status == 200 }
                    }
                }
                let counters = try [first, second].map { try $0.client().status().counters }
                #expect(counters.map(\.deduplicated).reduce(0, +) == 6)
            }
        }

        @Test func metricsDistinguishTheRouters() throws {
            try run { first, second, _ in
                let gateway = try first.startGateway(["--router=\(second.clientEndpoint)"])
                func metrics() throws -> String { try gateway.ask("GET", "/metrics").text }
                for cluster in [first, second] {
                    #expect(try metrics().contains("\nbifrons_up{router=\"\(cluster.clientEndpoint)\"} 1\n"))
                }
                let path = try first.write(Array(try metrics().utf8), to: "metrics")
                let check = try first.run(
                    "/bin/sh", ["-c", "exec \(Files.root)/scripts/promtool check metrics < \(path)"])
                #expect(try check.waitForEnd() == .exit(0), "\(check.standardOutput) \(check.standardError)")
                #expect(check.standardError.isEmpty)
                second.router.signal(SIGKILL)
                _ = try second.router.waitForEnd()
                #expect(try metrics().contains("\nbifrons_up{router=\"\(second.clientEndpoint)\"} 0\n"))
                #expect(try metrics().contains("\nbifrons_up{router=\"\(first.clientEndpoint)\"} 1\n"))
            }
        }
    }
}

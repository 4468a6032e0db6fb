import BifronsWire
import FoundationEssentials
import Glibc
import Hashing
import Keyring
import TestKit
import Testing

extension EndToEndTests {
    /// Tests that clients who share a gateway cannot see or affect each other's jobs and keys.
    @Suite(.serialized) struct TenantsTests {
        private static let image = ["Content-Type: image/jpeg"]

        private static func bearer(_ name: String) -> [String] { ["Authorization: Bearer token of \(name)"] }

        /// Starts a gateway with tokens for ann and bob.
        private static func gateway(_ cluster: Cluster, _ arguments: [String] = []) throws -> TestGateway {
            let lines = ["ann", "bob"].map { "\($0) \(SHA256.hexDigest(of: Array("token of \($0)".utf8)))\n" }
            let tokens = try cluster.write(Array(lines.joined().utf8), to: "tokens")
            return try cluster.startGateway(["--tokens=\(tokens)"] + arguments)
        }

        private static func ask(
            _ gateway: TestGateway, _ name: String, _ method: String, _ path: String, _ key: String? = nil,
            image: [UInt8]? = nil
        ) throws -> HTTPConnection.Answer {
            let headers =
                bearer(name) + (image == nil ? [] : Self.image) + (key.map { ["Idempotency-Key: \($0)"] } ?? [])
            return try gateway.ask(method, path, headers, body: image ?? [])
        }

        private func document(_ answer: HTTPConnection.Answer) throws -> ResultDocument {
            try JSONDecoder().decode(ResultDocument.self, from: Data(answer.body))
        }

        @Test(arguments: [false, true]) func jobsAndKeysOfDifferentTokensAreSeparate(hasKeys: Bool) throws {
            let folder = try TemporaryFolder()
            try Cluster.run(keys: hasKeys, router: ["--journal=\(folder.path)"]) { cluster in
                var workers = try cluster.testWorkers()
                var gateway = try Self.gateway(cluster)
                for (name, image) in [("ann", 1), ("bob", 2)] as [(String, UInt8)] {
                    let answer = try Self.ask(
                        gateway, name, "POST", "/v1/jobs?id=a&budget_ms=60000", "k", image: [image])
                    #expect(answer.status == 202, "\(answer.text)")
                }
                // Neither sees or cancels the other's jobs, and no answer reveals that they exist.
                #expect(try Self.ask(gateway, "ann", "POST", "/v1/jobs?id=b&budget_ms=60000", image: [3]).status == 202)
                for method in ["GET", "DELETE"] {
                    let other = try Self.ask(gateway, "bob", method, "/v1/jobs/b")
                    let none = try Self.ask(gateway, "bob", method, "/v1/jobs/c")
                    #expect(other.status == 404 && other.text.contains("unknown_job"), "\(other.text)")
                    #expect(other.text.replacing("'b'", with: "'c'").replacing("\"b\"", with: "\"c\"") == none.text)
                }
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/jobs/b").status == 202)
                #expect(try Self.ask(gateway, "ann", "DELETE", "/v1/jobs/a").status == 200)
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/jobs/a").status == 408)
                #expect(try Self.ask(gateway, "bob", "GET", "/v1/jobs/a").status == 202)

                // A restarted router and gateway know the owners too.
                cluster.router.signal(SIGKILL)
                gateway.process.signal(SIGKILL)
                _ = try (cluster.router.waitForEnd(), gateway.process.waitForEnd())
                workers = []
                try cluster.restartRouter()
                _ = try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#))
                gateway = try Self.gateway(cluster)
                #expect(try Self.ask(gateway, "bob", "DELETE", "/v1/jobs/b").status == 404)
                #expect(try Self.ask(gateway, "bob", "GET", "/v1/jobs/a").status == 202)
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/jobs/a").status == 408)
                workers = try cluster.testWorkers()
                for _ in 0..<2 { for worker in workers { try worker.scoreNextJob() } }
                for (name, id) in [("bob", "a"), ("ann", "b")] {
                    try gateway.process.wait { try Self.ask(gateway, name, "GET", "/v1/jobs/\(id)").status == 200 }
                }
                // bob's key has its result; ann's job was cancelled, so her key has none.
                #expect(try Self.ask(gateway, "bob", "POST", "/v1/jobs", "k", image: [2]).status == 200)
                let mismatch = try Self.ask(gateway, "bob", "POST", "/v1/jobs", "k", image: [1])
                #expect(mismatch.status == 422 && mismatch.text.contains("idempotency_mismatch"), "\(mismatch.text)")
                #expect(try Self.ask(gateway, "ann", "POST", "/v1/jobs", "k", image: [9]).status == 202)
            }
        }

        @Test func aKeyNeverReturnsTheResultOfAnotherToken() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try Self.gateway(cluster)
                for (name, logit) in [("ann", 5), ("bob", -5)] as [(String, Float)] {
                    let connection = try gateway.connect()
                    try connection.send(
                        "POST", "/v1/classify?budget_ms=60000", Self.image + Self.bearer(name) + ["Idempotency-Key: k"],
                        body: [1])
                    for worker in workers {
                        try worker.send(worker.script.score(try worker.job().job, logits: [logit]))
                    }
                    let verdict = try document(try connection.receive()).verdict
                    #expect(verdict?.label == (logit > 0 ? .aiGenerated : .real))
                }
                let again = try Self.ask(gateway, "ann", "POST", "/v1/classify", "k", image: [1])
                #expect(try document(again).verdict?.label == .aiGenerated)
            }
        }

        @Test func eachTokenHasItsOwnClientLimits() throws {
            try Cluster.run(router: ["--max-client-jobs=1"]) { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try Self.gateway(cluster)
                let path = "/v1/classify?budget_ms=60000"
                let (ann, bob) = (try gateway.connect(), try gateway.connect())
                try ann.send("POST", path, Self.image + Self.bearer("ann"), body: [1])
                for worker in workers { _ = try worker.job() }
                let refused = try Self.ask(gateway, "ann", "POST", path, image: [2])
                #expect(refused.status == 429 && refused.text.contains("client_queue_full"))
                try bob.send("POST", path, Self.image + Self.bearer("bob"), body: [3])
                for worker in workers { try worker.scoreNextJob() }
                #expect(try bob.receive().status == 200)
            }
        }

        @Test func aDisconnectionCancelsOnlyTheClientsOwnJobOfAnID() throws {
            try Cluster.run(keys: true) { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try Self.gateway(cluster)
                let path = "/v1/classify?budget_ms=60000&id=same"
                let bob = try gateway.connect()
                var ann: HTTPConnection? = try gateway.connect()
                try bob.send("POST", path, Self.image + Self.bearer("bob"), body: [1])
                var jobs: [RouterMessage.Job] = []
                for worker in workers { jobs.append(try worker.job()) }
                try ann?.send("POST", path, Self.image + Self.bearer("ann"), body: [2])
                for worker in workers { _ = try worker.job() }
                let client = try cluster.client()
                #expect(try client.status().queue.jobs == 2)
                ann = nil
                try gateway.process.wait { try client.status().counters.cancelled == 1 }
                for (worker, job) in zip(workers, jobs) { try worker.send(worker.script.score(job.job)) }
                #expect(try bob.receive().status == 200)
            }
        }

        @Test func aTenantSeesOnlyItsOwnDrift() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try Self.gateway(cluster)
                let ann = try gateway.connect()
                try ann.send("POST", "/v1/classify?budget_ms=60000", Self.bearer("ann") + Self.image, body: [1, 2, 3])
                for worker in workers { try worker.scoreNextJob() }
                #expect(try ann.receive().status == 200)
                for (name, tenants) in [("ann", ["ann"]), ("bob", [])] {
                    let report = try DriftReport.decode(Self.ask(gateway, name, "GET", "/v1/drift").body)
                    #expect(report.images.map(\.tenant) == tenants)
                    let metrics = try Self.ask(gateway, name, "GET", "/metrics").text
                    #expect(metrics.contains(#"tenant="ann""#) == (name == "ann"))
                }
            }
        }

        @Test func aRevokedTokenIsAnEvent() throws {
            try Cluster.run { cluster in
                let gateway = try Self.gateway(cluster)
                let bob = try gateway.connect()
                try bob.send("GET", "/v1/events", Self.bearer("bob"))
                #expect(try bob.receive().status == 200)
                let line = "bob \(SHA256.hexDigest(of: Array("token of bob".utf8)))\n"
                _ = try cluster.write(Array(line.utf8), to: "tokens")
                gateway.process.signal(SIGHUP)
                var event = ""
                repeat { event = try bob.receive(upTo: "\n\n") } while !event.contains("event: token_revoked\n")
                // Whose token it was is nobody else's business.
                #expect(!event.contains("ann"))
            }
        }

        // MARK: Keys

        @Test func aGatewaysKeyMayReadTheStatusAndOnlyItMayNameOwners() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(keys: true, router: ["--journal=\(folder.path)"]) { cluster in
                #expect(try cluster.startGateway().ask("GET", "/v1/status").status == 200)
                for role in [AllowList.Role.client, .operator, .gateway] {
                    let client = try cluster.client(as: role)
                    for verb in Verb.allCases {
                        let header = #"{"verb":"\#(verb.rawValue)","id":"x","owner":"ann"}"#
                        try client.send(Frames.request(header, image: [1]))
                        let frames = try #require(try client.peer.receive())
                        let isRefused = String(decoding: frames[1], as: UTF8.self).contains("not_allowed")
                        // Nobody may change policies or check the ledger on behalf of an owner.
                        let isForOperators = [.putPolicy, .activatePolicy, .verify].contains(verb)
                        #expect(isRefused == (role != .gateway || isForOperators), "\(verb) of \(role)")
                    }
                }
            }
        }

        @Test func aGatewayNeedsItsOwnKeyOnlyWithTokens() throws {
            try Cluster.run(keys: true) { cluster in
                let keys = try #require(cluster.keys)
                unlink("\(keys.path)/gateway.secret")
                #expect(try cluster.startGateway().ask("GET", "/v1/status").status == 200)
                let tokens = try cluster.write([], to: "tokens")
                let gateway = try cluster.run(
                    Files.program("bifrons-gateway"),
                    [
                        "--router=\(cluster.clientEndpoint)", "--http-port=0", "--keys=\(keys.path)",
                        "--tokens=\(tokens)",
                    ])
                #expect(gateway.wait(milliseconds: 0) == .exit(1))
                #expect(gateway.standardError.contains("has no gateway.secret"), "\(gateway.standardError)")
            }
        }
    }
}

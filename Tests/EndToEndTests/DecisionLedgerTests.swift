import BifronsWire
import FoundationEssentials
import Glibc
import Hashing
import TestKit
import Testing

extension EndToEndTests {
    /// Tests the decision ledger and the versions of policies through the real router and gateway.
    @Suite(.serialized) struct DecisionLedgerTests {
        private static let marker = "person-4711-marker"

        /// Starts a gateway with tokens for ann, bob and an operator.
        private static func gateway(_ cluster: Cluster) throws -> TestGateway {
            let lines = [("ann", ""), ("bob", ""), ("root", " operator")].map { name, role in
                "\(name) \(SHA256.hexDigest(of: Array("token of \(name)".utf8)))\(role)\n"
            }
            let tokens = try cluster.write(Array(lines.joined().utf8), to: "tokens")
            return try cluster.startGateway(["--tokens=\(tokens)"])
        }

        private static func ask(
            _ gateway: TestGateway, _ name: String, _ method: String, _ path: String, _ body: String = "",
            _ headers: [String] = []
        ) throws -> HTTPConnection.Answer {
            try gateway.ask(
                method, path, ["Authorization: Bearer token of \(name)"] + headers, body: Array(body.utf8))
        }

        /// Classifies an image of ann's or bob's with scripted workers and returns the answer.
        private static func classify(
            _ gateway: TestGateway, _ workers: [TestWorker], _ name: String, _ query: String = ""
        ) throws -> ResultDocument {
            let connection = try gateway.connect()
            try connection.send(
                "POST", "/v1/classify?budget_ms=60000\(query)",
                ["Authorization: Bearer token of \(name)", "Content-Type: image/jpeg"], body: [1, 2, 3])
            for worker in workers { try worker.scoreNextJob() }
            let answer = try connection.receive()
            #expect(answer.status == 200, "\(answer.text)")
            return try JSONDecoder().decode(ResultDocument.self, from: Data(answer.body))
        }

        private static let subject = #"&subject=%7B%22type%22:%22user%22,%22id%22:%22\#(marker)%22%7D"#

        @Test func decisionsAreKeptTriedReplayedAndErased() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                var workers = try cluster.testWorkers()
                var gateway = try Self.gateway(cluster)
                let first = try Self.classify(gateway, workers, "ann", Self.subject)
                let second = try Self.classify(gateway, workers, "bob")
                let id = try #require(first.decision)
                #expect(first.verdict?.policyVersion == 1)

                // Each token sees its own, the operator sees all.
                for (name, expected) in [("ann", [id]), ("bob", [second.decision]), ("root", [id, second.decision])] {
                    let page = try Self.ask(gateway, name, "GET", "/v1/decisions")
                    for decision in [id, second.decision] {
                        #expect(page.text.contains(decision ?? "?") == expected.contains(decision), "\(name)")
                    }
                }
                #expect(try Self.ask(gateway, "bob", "GET", "/v1/decisions/\(id)").status == 404)
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/decisions/\(id)").text.contains(#""same":true"#))

                // A stricter version is tried, stored and activated, and the next verdict is its.
                let draft = #"{"review": 0.0, "block": 0.0}"#
                let trial = try Self.ask(gateway, "root", "POST", "/v1/policies/try", #"{"policy": \#(draft)}"#)
                #expect(trial.status == 200 && trial.text.contains(#""block":"#), "\(trial.text)")
                #expect(try Self.ask(gateway, "ann", "PUT", "/v1/policies/default", draft).status == 400)
                let stored = try Self.ask(gateway, "root", "PUT", "/v1/policies/default", draft)
                #expect(stored.status == 201 && stored.text.contains(#""version":2"#), "\(stored.text)")
                let late = try Self.ask(
                    gateway, "root", "PUT", "/v1/policies/default", draft, [#"If-Match: "sha256:0""#])
                #expect(late.status == 412 && late.text.contains("policy_changed"), "\(late.text)")
                let path = "/v1/policies/default/activate"
                #expect(try Self.ask(gateway, "root", "POST", path, #"{"version": 2}"#).status == 200)
                let third = try Self.classify(gateway, workers, "ann")
                #expect(third.verdict?.policyVersion == 2 && third.verdict?.action == .block)

                // An answer by `best_effort` does not wait for the disk, but the ledger answers in order.
                #expect(
                    try Self.ask(gateway, "root", "GET", "/v1/decisions?order=newest&limit=1").text
                        .contains(third.decision ?? "?"))

                // After kill -9 everything is as it was.
                cluster.router.signal(SIGKILL)
                gateway.process.signal(SIGKILL)
                _ = try (cluster.router.waitForEnd(), gateway.process.waitForEnd())
                workers = []
                try cluster.restartRouter()
                _ = try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#))
                gateway = try Self.gateway(cluster)
                workers = try cluster.testWorkers()
                #expect(try Self.classify(gateway, workers, "bob").verdict?.policyVersion == 2)
                let checked = try Self.ask(gateway, "root", "POST", "/v1/decisions/verify")
                #expect(checked.text.contains(#""checked":4"#) && !checked.text.contains("problem"), "\(checked.text)")
                let blocked = try #require(third.decision)
                let statement = try Self.ask(gateway, "ann", "GET", "/v1/decisions/\(blocked)/statement")
                #expect(
                    statement.status == 200 && statement.text.contains(#""puid":"\#(blocked)""#), "\(statement.text)")
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/decisions/\(id)/statement").status == 409)
                let batch = try Self.ask(gateway, "ann", "GET", "/v1/statements?category=STATEMENT_CATEGORY_SELF_HARM")
                #expect(
                    batch.text.contains(#""puid":"\#(blocked)""#) && batch.text.contains("SELF_HARM"), "\(batch.text)")
                let csv = try Self.ask(gateway, "root", "GET", "/v1/decisions?format=csv")
                #expect(csv.text.split(separator: "\r\n").count == 5, "\(csv.text)")
                #expect(csv.text.contains(Self.marker))

                // Nothing of an erased subject is left in any file.
                func files() -> [String] {
                    Files.names(in: folder.path).filter { Files.text("\(folder.path)/\($0)").contains(Self.marker) }
                }
                #expect(!files().isEmpty)
                #expect(
                    try Self.ask(gateway, "bob", "DELETE", "/v1/subjects/user/\(Self.marker)").text.contains(
                        #""decisions":0"#))
                let erased = try Self.ask(gateway, "ann", "DELETE", "/v1/subjects/user/\(Self.marker)")
                #expect(erased.status == 200 && erased.text.contains(#""decisions":1"#), "\(erased.text)")
                #expect(files() == [])
                #expect(try Self.ask(gateway, "root", "POST", "/v1/decisions/verify").text.contains(#""checked":4"#))
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/decisions/\(id)").text.contains(#""kind":"erase""#))
            }
        }

        @Test func decisionsAreReviewedAppealedAndOutliveARestart() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)", "--review-bytes=1MiB"]) { cluster in
                let workers = try cluster.testWorkers()
                var gateway = try Self.gateway(cluster)
                let policy = #"{"review": 0.0, "block": 1.0, "blind": 1}"#
                #expect(try Self.ask(gateway, "root", "PUT", "/v1/policies/default", policy).status == 201)
                let path = "/v1/policies/default/activate"
                #expect(try Self.ask(gateway, "root", "POST", path, #"{"version": 2}"#).status == 200)
                let id = try #require(try Self.classify(gateway, workers, "ann", Self.subject).decision)

                #expect(try Self.ask(gateway, "bob", "GET", "/v1/reviews/next").text.contains(#""waiting":0"#))
                let next = try Self.ask(gateway, "ann", "GET", "/v1/reviews/next?reviewer=eve")
                #expect(next.text.contains(id) && !next.text.contains("logits"), "\(next.text)")
                let image = try Self.ask(gateway, "ann", "GET", "/v1/reviews/\(id)/image")
                #expect(image.body == [1, 2, 3] && image.headers["x-content-type-options"] == "nosniff")
                #expect(try Self.ask(gateway, "bob", "GET", "/v1/reviews/\(id)/image").status == 404)

                // The lease is still there after kill -9.
                cluster.router.signal(SIGKILL)
                gateway.process.signal(SIGKILL)
                _ = try (cluster.router.waitForEnd(), gateway.process.waitForEnd())
                try cluster.restartRouter()
                _ = try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#))
                gateway = try Self.gateway(cluster)
                let answer = { (lease: String) in
                    try Self.ask(
                        gateway, "ann", "POST", "/v1/reviews/\(id)",
                        #"{"outcome": "real", "reviewer": "eve", "note": "\#(Self.marker)"\#(lease)}"#)
                }
                #expect(try answer("").text.contains("review_leased"))
                let lease = try #require(next.text.firstMatch(of: /"lease":"([0-9a-f]{16})"/)).1
                let stored = try answer(#", "lease": "\#(lease)""#)
                #expect(stored.status == 200 && stored.text.contains(#""kind":"review""#), "\(stored.text)")
                // What reviewers say of a statement's decision makes it one that people took part in.
                #expect(try Self.ask(gateway, "root", "DELETE", "/v1/reviews/\(id)?reviewer=joe").status == 409)

                let appeal = { (item: String) in
                    try Self.ask(
                        gateway, "ann", "POST", "/v1/appeals",
                        #"{"appealId": "a-1", "actionedItem": \#(item), "appealReason": "\#(Self.marker)"}"#)
                }
                #expect(try appeal(#"{"id": "none", "typeId": "user"}"#).status == 404)
                #expect(try appeal(#"{"id": "\#(Self.marker)", "typeId": "user"}"#).status == 204)
                #expect(try Self.ask(gateway, "ann", "GET", "/v1/reviews/next").text.contains(#""lane":"appeal""#))

                let erased = try Self.ask(gateway, "ann", "DELETE", "/v1/subjects/user/\(Self.marker)")
                #expect(erased.text.contains(#""images":1"#), "\(erased.text)")
                let left = Files.names(in: folder.path).filter {
                    Files.text("\(folder.path)/\($0)").contains(Self.marker)
                }
                #expect(left == [])
            }
        }

        @Test func theCommandLineStoresAndActivatesWhatItReadsFromAPipe() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                let policy = try cluster.write(Array(#"{"review": 0.1, "block": 0.2}"#.utf8), to: "policy.json")
                let router = "--router=\(cluster.clientEndpoint)"
                let commands = [
                    #"cat policy.json | "$0" policy put default - "$1""#, #""$0" policy put default policy.json "$1""#,
                    #""$0" policy activate default@3 "$1""#, #""$0" policy list "$1""#,
                ].joined(separator: " && ").replacing("policy.json", with: policy)
                let shell = try cluster.run("/bin/sh", ["-c", commands, Files.program("bifrons"), router])
                #expect(try shell.waitForEnd() == .exit(0), "\(shell.standardError)")
                #expect(shell.standardOutput.contains("default@3 decides from now on"))
                #expect(shell.standardOutput.contains("default       3       3"), "\(shell.standardOutput)")
            }
        }

        @Test func withoutAJournalPoliciesAreShownAndCannotBeChanged() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let policies = try gateway.ask("GET", "/v1/policies/default", [], body: [])
                #expect(policies.status == 200 && policies.text.contains(#""version":1"#), "\(policies.text)")
                let stored = try gateway.ask(
                    "PUT", "/v1/policies/default", [], body: Array(#"{"review": 0.1, "block": 0.2}"#.utf8))
                #expect(stored.status == 503 && stored.text.contains("--journal"), "\(stored.text)")
            }
        }
    }
}

import BifronsWire
import BifronsZeroMQ
import Glibc
import Keyring
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests authentication: CURVE keys, roles, and reloading the allow-list.
    @Suite(.serialized) struct KeysTests {
        private static let bifrons = Files.program("bifrons")

        private static func rewriteList(_ cluster: Cluster, _ change: (String) -> String) throws {
            let path = try #require(cluster.keys).path + "/allowed"
            try Files.write(Array(change(Files.text(path)).utf8), to: path)
            cluster.router.signal(SIGHUP)
        }

        private static func without(_ role: String) -> (String) -> String {
            { list in list.split(separator: "\n").filter { !$0.contains(" \(role) ") }.joined(separator: "\n") }
        }

        @Test func theWholeServiceWorksWithKeysThatNeverAppearInLogs() throws {
            try Cluster.run(keys: true, heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let image = TestImages.jpeg(width: 120, height: 90)
                let client = try cluster.client(as: .client)
                #expect(try client.ask(Frames.classify(image)).status == 200)
                let refused = try client.ask(Frames.request(#"{"verb":"status"}"#))
                #expect(refused.status == 400 && refused.code == "not_allowed")
                let path = try cluster.write(image, to: "image.jpg")
                let options = ["--keys=\(try #require(cluster.keys).path)", "--router=\(cluster.clientEndpoint)"]
                for command in [["classify", path], ["status"], ["models", "--ready"]] {
                    let process = try cluster.run(Self.bifrons, command + options)
                    #expect(process.wait(milliseconds: 0) == .exit(0), "\(command): \(process.standardError)")
                }
                let text = ([cluster.router] + cluster.workers).map(\.standardError).joined()
                for name in [
                    "router.public", "router.secret", "client.secret", "worker.secret", "gateway.secret",
                    "operator.secret",
                ] {
                    let key = Files.text("\(try #require(cluster.keys).path)/\(name)").dropLast()
                    #expect(key.utf8.count == 40 && !text.contains(key), "\(name) is in a log")
                }
                #expect(!text.contains("not allowed"))
            }
        }

        @Test func handshakesWithoutAListedKeyAreRefused() throws {
            try Cluster.run(keys: true) { cluster in
                try ExampleTests.preparePython(cluster)
                let attacks = try cluster.run(
                    Files.python,
                    [
                        "\(Files.root)/Tests/Attacks/handshakes.py", cluster.clientEndpoint, cluster.workerEndpoint,
                        try #require(cluster.keys).path,
                    ])
                #expect(attacks.wait(milliseconds: 0) == .exit(0), "\(attacks.standardError)")
                let lines = attacks.standardOutput.split(separator: "\n")
                #expect(lines.count == 13)
                for line in lines {
                    #expect(line.hasSuffix(line.hasPrefix("a listed key") ? ": answered" : ": refused"), "\(line)")
                }
                #expect(cluster.router.standardError.contains("unlisted key"))
            }
        }

        @Test func aRevokedKeyLosesItsRightsWithoutAffectingOtherConnections() throws {
            try Cluster.run(keys: true) { cluster in
                let (revoked, other) = (try cluster.client(as: .client), try cluster.client())
                let ping = Frames.request(#"{"verb":"ping"}"#)
                #expect(try revoked.ask(ping).status == 200)
                let list = Files.text(try #require(cluster.keys).path + "/allowed")
                try Self.rewriteList(cluster, Self.without("client"))
                try cluster.router.wait { try revoked.ask(ping).code == "not_allowed" }
                #expect(try revoked.ask(Frames.classify([1])).code == "not_allowed")
                #expect(try other.ask(ping).status == 200)
                let late = try cluster.client(as: .client)
                try late.send(ping)
                #expect(try other.ask(ping).status == 200)
                try Self.rewriteList(cluster) { _ in list }
                try cluster.router.wait { try revoked.ask(ping).status == 200 }
                // It was refused until now and kept reconnecting, and its request waited.
                #expect(try late.receive().status == 200)
            }
        }

        @Test func aRevokedWorkerIsUnregisteredAndLosesItsJobs() throws {
            try Cluster.run(keys: true) { cluster in
                let worker = try cluster.worker(ScriptedWorker("test", serving: "resnet"))
                let client = try cluster.client()
                try client.send(Frames.classify([1], #""models":["resnet"],"budget_ms":2000"#))
                let job = try worker.job()
                try Self.rewriteList(cluster, Self.without("worker"))
                try cluster.router.wait { cluster.router.standardError.contains("allow-list was read again") }
                try worker.send(worker.script.score(job.job))
                #expect(try client.receive().code == "worker_lost")
                #expect(try client.status().networks.isEmpty)
            }
        }

        @Test func anInvalidAllowListIsIgnoredOnReloadAndRefusedAtTheStart() throws {
            try Cluster.run(keys: true) { cluster in
                let client = try cluster.client(as: .client)
                try Self.rewriteList(cluster) { $0 + "nonsense\n" }
                try cluster.router.wait { cluster.router.standardError.contains("the old one stays") }
                #expect(cluster.router.standardError.contains("line 6"))
                #expect(try client.ask(Frames.request(#"{"verb":"ping"}"#)).status == 200)
                let router = try cluster.run(
                    Files.program("bifrons-router"),
                    [
                        "--client-endpoint=\(cluster.clientEndpoint)-2",
                        "--worker-endpoint=\(cluster.workerEndpoint)-2",
                        "--models-folder=\(Files.models)", "--keys=\(try #require(cluster.keys).path)",
                    ])
                #expect(router.wait(milliseconds: 0) == .exit(1))
                #expect(router.standardError.contains("line 6"))
            }
        }

        @Test func onlyAnOperatorsKeyMayCancelAnotherClientsJob() throws {
            try Cluster.run(keys: true) { cluster in
                let workers = try cluster.testWorkers()
                let (client, boss) = (try cluster.client(as: .client), try cluster.client())
                let cancel = Frames.request(#"{"verb":"cancel","id":"x"}"#)
                try boss.send(Frames.classify([1], #""id":"x""#))
                for worker in workers { _ = try worker.job() }
                #expect(try client.ask(cancel).code == "not_allowed")
                try boss.send(cancel)
                #expect(try boss.receive().code == "cancelled")
                #expect(try boss.receive().status == 200)
            }
        }

        /// Returns the MiB sent of an endless message, and the MiB by which the router grew.
        private static func endlessMessage(_ cluster: Cluster) throws -> (sent: Int, grown: Int) {
            try ExampleTests.preparePython(cluster)
            let attack = try cluster.run(
                Files.python,
                ["\(Files.root)/Tests/Attacks/endless_message.py", cluster.clientEndpoint, "\(cluster.router.pid)"])
            #expect(attack.wait(milliseconds: 0) == .exit(0), "\(attack.standardError)")
            let words = attack.standardOutput.split(separator: " ")
            try #require(words.count == 6)
            return (try #require(Int(words[0])), try #require(Int(words[3])))
        }

        @Test func aPeerWithoutKeysCannotSendAnEndlessMessage() throws {
            try Cluster.run(keys: true) { cluster in
                let (sent, grown) = try Self.endlessMessage(cluster)
                // Some of it is in system buffers before the router closes the connection.
                #expect(sent < 8 && grown < 8)
                #expect(try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#)).status == 200)
            }
        }

        /// libzmq leaves this open; docs/threat_model.md describes it.
        @Test func withoutKeysAnEndlessMessageCostsItsSizeAndOthersAreServed() throws {
            try Cluster.run { cluster in
                let (sent, grown) = try Self.endlessMessage(cluster)
                #expect(sent == 128 && (64...192).contains(grown))
                #expect(try cluster.client().ask(Frames.request(#"{"verb":"ping"}"#)).status == 200)
            }
        }

        @Test func upWithoutATerminalForwardsSIGHUPToTheRouter() throws {
            let folder = try TemporaryFolder()
            let keys = try KeyFolder.make(at: "\(folder.path)/our keys")
            let context = try Context()
            let clientEndpoint = "ipc://\(folder.path)/clients"
            let up = try ChildProcess(
                "/usr/bin/setsid",
                [
                    Self.bifrons, "up", "--client-endpoint=\(clientEndpoint)",
                    "--worker-endpoint=ipc://\(folder.path)/workers", "--models-folder=\(Files.models)",
                    "--cache-folder=\(Files.root)/.cache/tests", "--keys=\(keys.path)",
                ], name: "up", folder: folder.path, diesWithTests: false)
            var options = SocketOptions()
            options.curve = try keys.client(.operator)
            let client = TestClient(try Peer(clientEndpoint, context, options: options))
            try Cluster.wait(for: ["locator", "resnet", "inception"], client, while: [up])
            try up.wait { up.standardOutput.contains(" IMAGE\n") }
            let hint = try #require(up.standardOutput.firstMatch(of: /for instance: (.*) IMAGE\n/)).1
            let image = "\(folder.path)/image.jpg"
            try Files.write(TestImages.jpeg(width: 120, height: 90), to: image)
            let copied = try ChildProcess(
                "/bin/sh", ["-c", "cd / && \(hint) --budget-ms=25000 \(image)"], name: "copied", folder: folder.path,
                diesWithTests: false)
            #expect(try copied.waitForEnd() == .exit(0), "\(hint): \(copied.standardError)")
            up.signal(SIGHUP)
            try up.wait { up.standardError.contains("allow-list was read again") }
            #expect(try client.ask(Frames.request(#"{"verb":"ping"}"#)).status == 200)
            up.signal(SIGTERM)
            #expect(try up.waitForEnd() == .exit(0), "\(up.standardError)")
        }

        /// Returns what a command prints when the router refuses these keys, or the lack of keys.
        private static func refusal(_ cluster: Cluster, _ keys: KeyFolder?) throws -> String {
            let options = ["--router=\(cluster.clientEndpoint)"] + (keys.map { ["--keys=\($0.path)"] } ?? [])
            let process = try cluster.run(Self.bifrons, ["status"] + options)
            #expect(process.wait(milliseconds: 0) == .exit(69))
            return process.standardError
        }

        @Test(arguments: [false, true]) func missingAndUnsuitableKeysAreReported(overTCP: Bool) throws {
            let folder = try TemporaryFolder()
            let foreign = try KeyFolder.make(at: "\(folder.path)/foreign")
            let unlisted = try KeyFolder.make(at: "\(folder.path)/unlisted")
            try Cluster.run(keys: true, overTCP: overTCP) { cluster in
                let publicKey = Files.bytes("\(try #require(cluster.keys).path)/router.public")
                try Files.write(publicKey, to: "\(unlisted.path)/router.public")
                #expect(try Self.refusal(cluster, nil).contains("wants keys, and this client has none"))
                #expect(try Self.refusal(cluster, foreign).contains("refuses this client's keys"))
                // The connection may end before or after the command gives up.
                #expect(try Self.refusal(cluster, unlisted).contains("its list 'allowed' must have this client's"))
            }
            try Cluster.run(overTCP: overTCP) { cluster in
                let said = try Self.refusal(cluster, foreign)
                #expect(said.contains("has no keys, and this client has"))
            }
        }

        @Test func keygenDoesNotOverwriteKeys() throws {
            let folder = try TemporaryFolder()
            func keygen() throws -> ChildProcess {
                let process = try ChildProcess(
                    Self.bifrons, ["keygen", "\(folder.path)/keys"], name: "keygen", folder: folder.path,
                    diesWithTests: false)
                _ = try process.waitForEnd()
                return process
            }
            #expect(try keygen().wait(milliseconds: 0) == .exit(0))
            let before = Files.text("\(folder.path)/keys/router.secret")
            let again = try keygen()
            #expect(again.wait(milliseconds: 0) == .exit(1))
            #expect(again.standardError.contains("nothing is overwritten"))
            #expect(Files.text("\(folder.path)/keys/router.secret") == before)
        }
    }
}

import BifronsWire
import BifronsZeroMQ
import Glibc
import Testing

extension EndToEndTests {
    /// Tests what a peer can do to the router by connecting, without sending a valid message.
    @Suite(.serialized) struct ConnectionTests {
        private static let ping = Frames.request(#"{"verb":"ping"}"#)

        private static func resident(_ process: ChildProcess) throws -> Int {
            let line = Files.text("/proc/\(process.pid)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return try #require(line.flatMap { Int($0.filter(\.isNumber)) }) / 1024
        }

        @Test func connectionsBeyondTheLimitAreEndedAndExistingClientsServed() throws {
            try Cluster.run(router: ["--max-connections=20"]) { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                #expect(try client.ask(Self.ping).status == 200)
                var crowd = try (0..<300).map { _ in
                    let peer = try RawPeer(cluster.clientEndpoint)
                    peer.send(RawPeer.handshake)
                    return peer
                }
                try cluster.router.wait { crowd.count { $0.hasEnded() } >= 281 }
                try expectService(client, workers)
                #expect(crowd.count { $0.hasEnded() } == 281)
                #expect(cluster.router.standardError.contains("max-connections"))
                // A refused client reconnects, and is admitted once there is room.
                crowd = []
                let late = try cluster.client()
                try cluster.router.wait {
                    try late.send(Self.ping)
                    return try late.peer.receive(milliseconds: 500) != nil
                }
            }
        }

        @Test func theRouterRefusesToStartWithTooFewDescriptorsForItsConnections() throws {
            try Cluster.run { cluster in
                let router = try cluster.run(
                    "/bin/sh",
                    [
                        "-c", "ulimit -n 3000; exec \"$0\" \"$@\"", Files.program("bifrons-router"),
                        "--client-endpoint=\(cluster.clientEndpoint)-2",
                        "--worker-endpoint=\(cluster.workerEndpoint)-2", "--models-folder=\(Files.models)",
                    ])
                #expect(router.wait(milliseconds: 0) == .exit(1))
                #expect(router.standardError.contains("needs 4000 descriptors and the system allows 3000"))
            }
        }

        @Test func anEndlessMessageOverTCPEndsItsConnectionAndOthersAreServed() throws {
            try Cluster.run(overTCP: true) { cluster in
                try ExampleTests.preparePython(cluster)
                let client = try cluster.client()
                #expect(try client.ask(Self.ping).status == 200)
                let before = try Self.resident(cluster.router)
                let attack = try cluster.run(
                    Files.python,
                    [
                        "\(Files.root)/Tests/Attacks/endless_message.py", cluster.clientEndpoint,
                        "\(cluster.router.pid)", "100000",
                    ])
                #expect(attack.wait(milliseconds: 0) == .exit(0), "\(attack.standardError)")
                // The limit of one message is 33 MiB. How much arrives between two checks depends on the machine.
                let sent = try #require(attack.standardOutput.split(separator: " ").first.flatMap { Int($0) })
                #expect((32..<10_000).contains(sent), "\(attack.standardOutput)")
                #expect(try client.ask(Self.ping).status == 200)
                try cluster.router.wait { cluster.router.standardError.contains("message without end") }
                try cluster.router.wait { try Self.resident(cluster.router) < before + 64 }
            }
        }

        @Test func anImageOfTheMaximumSizeArrivesOverTCP() throws {
            try Cluster.run(overTCP: true) { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                try client.send(Frames.classify(Array(repeating: 7, count: 20_000_000), #""budget_ms":60000"#))
                for worker in workers { try worker.scoreNextJob() }
                #expect(try client.receive().status == 200)
                #expect(!cluster.router.standardError.contains("connections were ended"))
            }
        }

        @Test func aClientThatNeverReadsCostsBoundedMemoryAndLosesItsReplies() throws {
            try Cluster.run { cluster in
                try ExampleTests.preparePython(cluster)
                let client = try cluster.client()
                let attack = try cluster.run(
                    Files.python,
                    ["\(Files.root)/Tests/Attacks/deaf_client.py", cluster.clientEndpoint, "\(cluster.router.pid)"])
                #expect(attack.wait(milliseconds: 0) == .exit(0), "\(attack.standardError)")
                let grown = attack.standardOutput.split(separator: "\n").compactMap { line in
                    line.split(separator: " ").dropFirst(3).first.flatMap { Int($0) }
                }
                try #require(grown.count == 5)
                // 5096 replies may wait, and each keeps the 8 KiB buffer of its request. 30,000 would take 240 MiB.
                #expect(grown.allSatisfy { $0 < 96 }, "\(grown)")
                try cluster.router.wait { try client.status().counters.undelivered > 0 }
                #expect(try client.ask(Self.ping).status == 200)
            }
        }
    }
}

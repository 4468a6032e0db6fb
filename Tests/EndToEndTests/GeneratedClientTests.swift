import Glibc
import TestKit
import Testing

extension EndToEndTests {
    /// Tests a client that is generated from the gateway's OpenAPI document, with the real programs.
    @Suite(.serialized) struct GeneratedClientTests {
        @Test func generatedClientReadsEveryAnswer() throws {
            // One journal for a working cluster, and one for a cluster whose jobs never get a worker.
            let (journal, idleJournal) = (try TemporaryFolder(), try TemporaryFolder())
            try Cluster.run(
                heartbeat: "500ms", router: ["--journal=\(journal.path)"], workers: ["resnet", "inception"]
            ) { cluster in
                try ExampleTests.preparePython(cluster)
                let gateway = try cluster.startGateway(["--image-bytes=1000000"])
                let busy = try cluster.startGateway(["--http-client-requests=1"])
                let listener = try busy.connect()
                try listener.send("GET", "/v1/events")
                #expect(try listener.receive().status == 200)
                // SHA-256 of "one".
                let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
                let tokens = try cluster.write(Array("first \(hash)\n".utf8), to: "tokens")
                try Cluster.run(router: ["--journal=\(idleJournal.path)", "--worker-wait=10m"]) { idleCluster in
                    let idle = try idleCluster.startGateway()
                    try Cluster.run { lostCluster in
                        let lost = try lostCluster.startGateway()
                        let locked = try lostCluster.startGateway(["--tokens=\(tokens)"])
                        lostCluster.router.signal(SIGKILL)
                        _ = try lostCluster.router.waitForEnd()
                        let folder = try TemporaryFolder()
                        let check = try ChildProcess(
                            Files.python,
                            ["\(Files.root)/Tests/Clients/generated.py", folder.path]
                                + [gateway, idle, busy, locked, lost].map(\.url),
                            name: "generated", folder: cluster.path, diesWithTests: false)
                        var end: ChildProcess.End?
                        // Generating the client and about thirty calls.
                        for _ in 0..<4 where end == nil { end = check.wait(milliseconds: Bounds.patience) }
                        #expect(end == .exit(0), "\(check.standardOutput) \(check.standardError)")
                    }
                }
            }
        }
    }
}

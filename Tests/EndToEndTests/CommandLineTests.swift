import FoundationEssentials
import Glibc
import TestImages
import Testing
import Wire
import ZeroMQ

extension EndToEndTests {
    /// `bifrons`, as people and scripts use it.
    @Suite(.serialized) struct CommandLineTests {
        private static let bifrons = Files.program("bifrons")

        private struct Line: Decodable {
            var status: Int
        }

        @Test func classifyTellsOfEveryFileInOrder() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                var folder = ""
                for name in ["a.jpg", "c.jpg", "d.jpg"] {
                    let path = try cluster.write(TestImages.jpeg(width: 120, height: 90), to: "pictures/\(name)")
                    folder = String(path.dropLast("/\(name)".count))
                }
                _ = try cluster.write(Array("GIF89a".utf8), to: "pictures/b.jpg")
                let process = try cluster.run(
                    Self.bifrons, ["classify", "--json", "--router=\(cluster.clientEndpoint)", folder])
                #expect(process.wait(milliseconds: 0) == .exit(1), "\(process.standardError)")
                let statuses = try process.standardOutput.split(separator: "\n").map {
                    try JSONDecoder().decode(Line.self, from: Data($0.utf8)).status
                }
                #expect(statuses == [200, 415, 200, 200])
            }
        }

        @Test(arguments: [["status"], ["models"], ["classify", "/dev/null"]])
        func withoutServiceTheExitStatusSaysSo(command: [String]) throws {
            let folder = try TemporaryFolder()
            let process = try ChildProcess(
                Self.bifrons, command + ["--router=ipc://\(folder.path)/none"], name: "bifrons", folder: folder.path,
                diesWithTests: false)
            #expect(try process.waitForEnd() == .exit(69))
            #expect(!process.standardError.isEmpty)
        }

        @Test(arguments: [["nope"], ["classify"], ["status", "--router=nowhere"], ["up", "--max-jobs=many"]])
        func usageErrorsHaveTheirExitStatus(command: [String]) throws {
            let folder = try TemporaryFolder()
            let process = try ChildProcess(
                Self.bifrons, command, name: "bifrons", folder: folder.path, diesWithTests: false)
            #expect(try process.waitForEnd() == .exit(2))
        }

        @Test func upServesUntilItIsAskedToStop() throws {
            let folder = try TemporaryFolder()
            let context = try Context()
            let clientEndpoint = "ipc://\(folder.path)/clients"
            let up = try ChildProcess(
                Self.bifrons,
                [
                    "up", "--client-endpoint=\(clientEndpoint)", "--worker-endpoint=ipc://\(folder.path)/workers",
                    "--models-folder=\(Files.models)", "--cache-folder=\(Files.root)/.cache/tests",
                ], name: "up", folder: folder.path, diesWithTests: false)
            let client = TestClient(try Peer(clientEndpoint, context))
            try Cluster.wait(for: ["resnet", "inception"], client, while: [up])
            #expect(try client.ask(Frames.classify(TestImages.jpeg(width: 120, height: 90))).status == 200)
            up.signal(SIGTERM)
            #expect(try up.waitForEnd() == .exit(0), "\(up.standardError)")
            #expect(up.standardOutput.contains("drained"))
        }
    }
}

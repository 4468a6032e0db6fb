import BifronsWire
import BifronsZeroMQ
import FoundationEssentials
import Glibc
import TestImages
import Testing

extension EndToEndTests {
    /// Tests `bifrons` as people and scripts use it.
    @Suite(.serialized) struct CommandLineTests {
        private static let bifrons = Files.program("bifrons")

        private struct Line: Decodable {
            var status: Int
        }

        @Test func classifyReportsEveryFileInOrder() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                var folder = ""
                for name in ["a.jpg", "c.jpg", "d.jpg"] {
                    let path = try cluster.write(TestImages.jpeg(width: 120, height: 90), to: "images/\(name)")
                    folder = String(path.dropLast("/\(name)".count))
                }
                _ = try cluster.write(Array("8BPS".utf8), to: "images/b.jpg")
                let process = try cluster.run(
                    Self.bifrons,
                    ["classify", "--json", "--budget-ms=25000", "--router=\(cluster.clientEndpoint)", folder])
                #expect(process.wait(milliseconds: 0) == .exit(1), "\(process.standardError)")
                let statuses = try process.standardOutput.split(separator: "\n").map {
                    try JSONDecoder().decode(Line.self, from: Data($0.utf8)).status
                }
                #expect(statuses == [200, 415, 200, 200])
            }
        }

        @Test(.timeLimit(.minutes(5))) func classifyReportsEveryImageOfAMixedFolderWithoutHanging() throws {
            struct Named: Decodable {
                var file: String
                var status: Int
                var bytes: String?

                enum CodingKeys: String, CodingKey {
                    case file, status
                    case bytes = "file_base64"
                }
            }
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let image = TestImages.jpeg(width: 120, height: 90)
                for name in ["a.jpg", "b.tiff", "notes.txt", ".DS_Store"] {
                    let other = name == "b.tiff" ? "II*\0" : "text"
                    _ = try cluster.write(name == "a.jpg" ? image : Array(other.utf8), to: "mixed/\(name)")
                }
                let folder = "\(cluster.path)/mixed"
                // A name in Latin-1, as old cameras and archives write it.
                let odd = Array("\(folder)/caf".utf8) + [0xE9, 0x2E, 0x6A, 0x70, 0x67]
                let plain = try cluster.write(image, to: "mixed/c.jpg")
                #expect(rename(plain, odd.map { CChar(bitPattern: $0) } + [0]) == 0)
                #expect(mkfifo("\(folder)/pipe.jpg", 0o600) == 0)
                // Started by a shell, so that the name on the command line is not UTF-8 either.
                let script = "exec \"$0\" classify --json --budget-ms=25000 --router=\"$1\" \"$2\" \"$2\"/caf?.jpg"
                let process = try cluster.run(
                    "/bin/sh", ["-c", script, Self.bifrons, cluster.clientEndpoint, folder])
                #expect(process.wait(milliseconds: 0) == .exit(1), "\(process.standardError)")
                let lines = try process.standardOutput.split(separator: "\n").map {
                    try JSONDecoder().decode(Named.self, from: Data($0.utf8))
                }
                #expect(lines.map(\.status) == [200, 415, 200, 200])
                #expect(lines.last?.file == "\(folder)/caf\\xE9.jpg")
                #expect(lines.last?.bytes.flatMap { Data(base64Encoded: $0) }.map { Array($0) } == odd)
                #expect(
                    process.standardError.contains(
                        "passed over 3 that are no images: 1 .txt, 1 hidden, 1 named pipe"),
                    "\(process.standardError)")
            }
        }

        @Test func classifyReadsAPipeOfTheShell() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let path = try cluster.write(TestImages.jpeg(width: 120, height: 90), to: "a.jpg")
                let script = "\"$0\" classify --budget-ms=25000 --router=\"$1\" <(cat \"$2\")"
                let process = try cluster.run("/bin/bash", ["-c", script, Self.bifrons, cluster.clientEndpoint, path])
                #expect(process.wait(milliseconds: 0) == .exit(0), "\(process.standardError)")
            }
        }

        @Test(arguments: [["status"], ["models"], ["classify", "/dev/null"]])
        func commandsExitWith69WithoutAService(command: [String]) throws {
            let folder = try TemporaryFolder()
            let process = try ChildProcess(
                Self.bifrons, command + ["--router=ipc://\(folder.path)/none"], name: "bifrons", folder: folder.path,
                diesWithTests: false)
            #expect(try process.waitForEnd() == .exit(69))
            #expect(!process.standardError.isEmpty)
        }

        @Test func statusModelsAndBenchWorkWithARunningService() throws {
            struct Bench: Decodable {
                var verdicts: Int
                var errors: [String: Int]
            }
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "inception"]) { cluster in
                let image = try cluster.write(TestImages.jpeg(width: 120, height: 90), to: "image.jpg")
                func output(_ command: [String], _ status: Int32 = 0) throws -> [UInt8] {
                    let process = try cluster.run(Self.bifrons, command + ["--router=\(cluster.clientEndpoint)"])
                    #expect(process.wait(milliseconds: 0) == .exit(status), "\(process.standardError)")
                    return Array(process.standardOutput.utf8)
                }
                let status = try StatusReport.decode(output(["status", "--json"]))
                #expect(Set(status.workers.map(\.model)) == ["resnet", "inception", "locator"])
                let models = try ModelsReport.decode(output(["models", "--ready", "--json"]))
                #expect(models.models.allSatisfy { $0.workers == 1 })
                let bench = try JSONDecoder().decode(
                    Bench.self,
                    from: Data(
                        output([
                            "bench", "--images=\(image)", "--seconds=3", "--warm-up=0", "--budget-ms=25000", "--json",
                        ])))
                #expect(bench.verdicts > 0)
                #expect(bench.errors.isEmpty)
                cluster.workers[0].signal(SIGTERM)
                _ = try cluster.workers[0].waitForEnd()
                _ = try output(["models", "--ready"], 69)
            }
        }

        private static let isDefaultRouterThere = {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(5555).bigEndian
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
            } == 0
        }()

        /// Runs `bifrons classify` without naming a router and with its own folder for temporary files.
        private func classifyAlone(in folder: TemporaryFolder) throws -> ChildProcess {
            mkdir("\(folder.path)/tmp", 0o700)
            try Files.write(TestImages.jpeg(width: 120, height: 90), to: "\(folder.path)/image.jpg")
            return try ChildProcess(
                "/usr/bin/env",
                [
                    "-u", "BIFRONS_ROUTER", "-u", "BIFRONS_CONFIG", "TMPDIR=\(folder.path)/tmp",
                    "BIFRONS_MODELS_FOLDER=\(Files.models)", "BIFRONS_CACHE_FOLDER=\(Files.root)/.cache/tests",
                    Self.bifrons, "classify", "--json", "\(folder.path)/image.jpg",
                ], name: "bifrons", folder: folder.path, diesWithTests: false)
        }

        @Test(.enabled(if: !isDefaultRouterThere, "somebody listens at the default router's port"))
        func classifyWithoutARouterRunsATemporaryClusterAndCleansUp() throws {
            let folder = try TemporaryFolder()
            let process = try classifyAlone(in: folder)
            #expect(try process.waitForEnd() == .exit(0), "\(process.standardError)")
            let line = try JSONDecoder().decode(Line.self, from: Data(process.standardOutput.utf8))
            #expect(line.status == 200)
            #expect(Files.names(in: "\(folder.path)/tmp").isEmpty)
        }

        @Test(.enabled(if: !isDefaultRouterThere, "somebody listens at the default router's port"))
        func interruptingClassifyAlsoStopsItsTemporaryCluster() throws {
            let folder = try TemporaryFolder()
            let process = try classifyAlone(in: folder)
            try process.wait {
                Files.names(in: "\(folder.path)/tmp").contains { !Files.names(in: "\(folder.path)/tmp/\($0)").isEmpty }
            }
            process.signal(SIGINT)
            #expect(try process.waitForEnd() == .signal(SIGINT), "\(process.standardError)")
            #expect(Files.names(in: "\(folder.path)/tmp").isEmpty)
        }

        @Test(arguments: [["nope"], ["classify"], ["status", "--router=nowhere"], ["up", "--max-jobs=many"]])
        func usageErrorsExitWith2(command: [String]) throws {
            let folder = try TemporaryFolder()
            let process = try ChildProcess(
                Self.bifrons, command, name: "bifrons", folder: folder.path, diesWithTests: false)
            #expect(try process.waitForEnd() == .exit(2))
        }

        @Test func upServesUntilItIsStopped() throws {
            let folder = try TemporaryFolder()
            let context = try Context()
            let clientEndpoint = "ipc://\(folder.path)/clients"
            let up = try ChildProcess(
                Self.bifrons,
                [
                    "up", "--client-endpoint=\(clientEndpoint)", "--worker-endpoint=ipc://\(folder.path)/workers",
                    "--http-port=0", "--workers=1",
                    "--models-folder=\(Files.models)", "--cache-folder=\(Files.root)/.cache/tests",
                ], name: "up", folder: folder.path, diesWithTests: false)
            let client = TestClient(try Peer(clientEndpoint, context))
            try Cluster.wait(for: ["locator", "resnet", "inception"], client, while: [up])
            #expect(try client.ask(Frames.classify(TestImages.jpeg(width: 120, height: 90))).status == 200)

            try up.wait {
                up.standardOutput.contains("gateway is ready: pages and HTTP API at http://127.0.0.1:")
            }

            // The death of a worker is reported in one line, and the worker is restarted.
            kill(try child(of: up.pid, with: "--model=\(Files.models)/resnet"), SIGKILL)
            try up.wait {
                up.standardOutput.split(separator: "\n").count { $0.hasPrefix("worker resnet is ready") } == 2
            }
            let deaths = up.standardOutput.split(separator: "\n").filter { $0.contains("ended") }
            #expect(deaths == ["worker resnet ended by signal 9; restarting in 0.2 s"])
            #expect(try client.ask(Frames.classify(TestImages.jpeg(width: 120, height: 90))).status == 200)

            up.signal(SIGTERM)
            #expect(try up.waitForEnd() == .exit(0), "\(up.standardError)")
            #expect(up.standardOutput.contains("drained"))
        }

        /// Returns the process that `parent` started with an argument.
        private func child(of parent: pid_t, with argument: String) throws -> pid_t {
            for pid in Files.names(in: "/proc").compactMap({ pid_t($0) }) {
                // The format is: PID (NAME) STATE PARENT …
                let status = Files.text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
                let words = Files.bytes("/proc/\(pid)/cmdline").split(separator: 0)
                if status.count > 1, status[1] == "\(parent)", words.contains(Array(argument.utf8)[...]) { return pid }
            }
            throw NoSuchChild(argument: argument)
        }

        private struct NoSuchChild: Error {
            var argument: String
        }
    }
}

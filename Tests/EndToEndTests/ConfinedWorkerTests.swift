import BifronsWire
import Glibc
import Sandbox
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests the sandbox of workers: what a decoder that an image has taken over can do in it, and that a worker still
    /// does its work.
    @Suite(.serialized) struct ConfinedWorkerTests {
        private static let version = Confinement.landlockVersion ?? 0
        /// Whether this kernel has all of the sandbox.
        private static let isComplete = version >= 4
        private static let refused = "Operation not permitted"
        private static let denied = "Permission denied"

        /// Returns the port of a router that the system chose.
        private func workerPort(of cluster: Cluster) throws -> String {
            let words = cluster.router.standardError.split { " \n".contains($0) }
            let word = words.first { $0.hasPrefix("workers=tcp://127.0.0.1:") }
            return String(try #require(word?.split(separator: ":").last))
        }

        /// Runs a worker with a hostile decoder.
        ///
        /// - Parameters:
        ///   - cluster: The cluster with the router.
        ///   - endpoint: The router's endpoint for the hostile worker.
        ///   - served: The router's endpoint for the network that it works for.
        ///   - sandbox: The worker's setting.
        ///   - missing: The part of the sandbox that the kernel is made to lack, if any.
        ///   - body: The test. `expect` has the decoder try something, and checks the outcome.
        private func attack(
            _ cluster: Cluster, at endpoint: String, served: String, sandbox: String = "required",
            without missing: String? = nil,
            _ body: (_ worker: ChildProcess, _ expect: (_ order: String, _ outcome: String) throws -> Void) throws ->
                Void
        ) throws {
            let words = [
                Files.program("hostile-worker"), "--model=none", "--router=\(endpoint)", "--sandbox=\(sandbox)",
                "--decode-threads=1",
            ]
            let all = (missing.map { [Files.program("kernel-without"), $0] } ?? []) + words
            let worker = try ChildProcess(all[0], Array(all.dropFirst()), name: "hostile", folder: cluster.path)
            let network = try ServedWorker("resnet", routers: [served])
            let client = try cluster.client()
            do {
                try Cluster.wait(for: ["resnet", "locator"], client, while: [cluster.router, worker])
                try body(worker) { order, outcome in
                    let reply = try client.ask(Frames.classify(Array(order.utf8), #""models":["resnet"]"#))
                    #expect(reply.status == 422 && reply.document.error?.message == outcome, "\(order): \(reply)")
                }
            } catch {
                Issue.record("the hostile worker said: \(worker.standardError)")
                throw error
            }
            withExtendedLifetime(network) {}
        }

        @Test(.enabled(if: isComplete)) func aDecoderThatWasTakenOverReachesNothing() throws {
            try Cluster.run(heartbeat: "500ms", cuts: false) { cluster in
                let kept = try cluster.write([1], to: "kept")
                try attack(cluster, at: cluster.workerEndpoint, served: cluster.workerEndpoint) { worker, expect in
                    for thread in ["", "library "] {
                        for order in [
                            "open /etc/passwd", "open \(kept)", "write \(kept)", "write \(cluster.path)/new",
                            "remove \(kept)", "datagram", "raw", "signal 1", "code",
                        ] {
                            try expect(thread + order, Self.refused)
                        }
                        for order in ["connect 80", "listen"] {
                            try expect(thread + order, "no socket: " + Self.refused)
                        }
                        // What the worker itself needs.
                        for order in ["thread", "unix"] { try expect(thread + order, "done") }
                    }
                    #expect(
                        try cluster.client().status().workers.compactMap(\.sandbox).sorted()
                            == ["landlock \(Self.version), seccomp", "off"])
                    worker.signal(SIGTERM)
                    #expect(try worker.waitForEnd() == .exit(0))
                }
                #expect(Files.bytes(kept) == [1])
            }
        }

        @Test(.enabled(if: isComplete), arguments: ["127.0.0.1", "localhost"])
        func aDecoderThatWasTakenOverReachesNoOtherPort(host: String) throws {
            let arguments = ["--worker-endpoint=tcp://127.0.0.1:*"]
            try Cluster.run(overTCP: true, heartbeat: "500ms", router: arguments, cuts: false) { cluster in
                let port = try workerPort(of: cluster)
                let other = try #require(cluster.clientEndpoint.split(separator: ":").last)
                let kept = try cluster.write([1], to: "kept")
                let isNamed = host == "localhost"
                try attack(
                    cluster, at: "tcp://\(host):\(port)", served: "tcp://127.0.0.1:\(port)"
                ) { worker, expect in
                    for thread in ["", "library "] {
                        try expect(thread + "connect \(port)", "done")
                        try expect(thread + "connect \(other)", Self.denied)
                        try expect(thread + "multipath \(other)", "no socket: " + Self.refused)
                        try expect(thread + "listen", Self.refused)
                        try expect(thread + "write /etc/new", Self.refused)
                        // A router's name has to be looked up: that takes files of the system, and DNS.
                        try expect(thread + "open /etc/hosts", isNamed ? "done" : Self.refused)
                        try expect(thread + "open \(kept)", isNamed ? Self.denied : Self.refused)
                        try expect(thread + "datagram", isNamed ? "done" : Self.refused)
                        try expect(thread + "unix", Self.refused)
                    }
                }
            }
        }

        @Test(arguments: ["fork", "spawn", "execute", "library fork"]) func anotherProcessEndsTheWorker(order: String)
            throws
        {
            try Cluster.run(heartbeat: "500ms", cuts: false) { cluster in
                let endpoint = cluster.workerEndpoint
                try attack(cluster, at: endpoint, served: endpoint, sandbox: "best-effort") { worker, _ in
                    let client = try cluster.client()
                    try client.send(Frames.classify(Array(order.utf8), #""models":["resnet"]"#))
                    #expect(try worker.waitForEnd() == .signal(SIGSYS))
                    withExtendedLifetime(client) {}
                }
            }
        }

        @Test func withoutLandlockTheFilterDoesWhatItCan() throws {
            let arguments = ["--worker-endpoint=tcp://127.0.0.1:*"]
            try Cluster.run(overTCP: true, heartbeat: "500ms", router: arguments, cuts: false) { cluster in
                let endpoint = "tcp://127.0.0.1:\(try workerPort(of: cluster))"
                try attack(
                    cluster, at: endpoint, served: endpoint, sandbox: "best-effort", without: "landlock"
                ) { worker, expect in
                    for order in ["open /etc/passwd", "write \(cluster.path)/new", "datagram", "unix", "listen"] {
                        try expect(order, Self.refused)
                    }
                    #expect(worker.standardError.contains("the sandbox is incomplete"))
                    #expect(
                        try cluster.client().status().workers.compactMap(\.sandbox).contains("no Landlock, seccomp"))
                }
            }
        }

        @Test(.enabled(if: isComplete)) func aConfinedWorkerServesReconnectsAndDrains() throws {
            try Cluster.run(keys: true, heartbeat: "500ms", cuts: false) { cluster in
                for model in ["resnet", "locator"] { try cluster.startWorker(of: model, ["--sandbox=required"]) }
                func expectService() throws {
                    try cluster.waitForWorkers(["resnet"])
                    let client = try cluster.client()
                    // So many at once that batches of all sizes are computed, for each of which the engine makes code.
                    let images = (0..<24).map { TestImages.jpeg(width: 120 + $0, height: 90) }
                    for image in images {
                        try client.send(Frames.classify(image, #""models":["resnet"],"budget_ms":60000"#))
                    }
                    for _ in images { #expect(try client.receive().status == 200) }
                    let expected = "landlock \(Self.version), seccomp"
                    #expect(try client.status().workers.map(\.sandbox) == [expected, expected])
                }
                try expectService()
                cluster.router.signal(SIGKILL)
                _ = try cluster.router.waitForEnd()
                try cluster.restartRouter()
                try expectService()
                for worker in cluster.workers {
                    worker.signal(SIGTERM)
                    #expect(try worker.waitForEnd() == .exit(0))
                    #expect(worker.standardError.contains("worker has drained"))
                }
            }
        }

        @Test(.enabled(if: isComplete), arguments: ["tcp://127.0.0.1", "tcp://localhost", "dns://localhost"])
        func aConfinedWorkerFindsItsRouterAgain(host: String) throws {
            let endpoint = "--worker-endpoint=tcp://127.0.0.1:"
            try Cluster.run(heartbeat: "500ms", router: [endpoint + "*"], cuts: false) { first in
                let port = try workerPort(of: first)
                try first.startWorker(of: "resnet", ["--sandbox=required"], router: "\(host):\(port)")
                try first.waitForWorkers(["resnet"], isLocating: false)
                first.router.signal(SIGKILL)
                _ = try first.router.waitForEnd()
                try Cluster.run(heartbeat: "500ms", router: [endpoint + port], cuts: false) { second in
                    try second.waitForWorkers(["resnet"], isLocating: false)
                    first.workers[0].signal(SIGTERM)
                    #expect(try first.workers[0].waitForEnd() == .exit(0))
                }
            }
        }

        @Test(
            .enabled(if: isComplete),
            arguments: [
                ("landlock", "this kernel has no Landlock", "no Landlock, seccomp"),
                ("seccomp", "this kernel has no filter of system calls", "landlock \(version), no seccomp"),
            ]) func whatTheKernelLacksIsSaid(part: String, sentence: String, state: String) throws
        {
            try Cluster.run(heartbeat: "500ms", cuts: false) { cluster in
                let words = cluster.workerWords("resnet", ["--sandbox=required"], without: part)
                let worker = try cluster.run(words[0], Array(words.dropFirst()))
                #expect(worker.wait(milliseconds: 0) == .exit(78))
                let lines = worker.standardError.split(separator: "\n")
                #expect(lines.count == 1)
                let start = "bifrons-worker: the sandbox is required and incomplete: "
                #expect(lines.first?.hasPrefix(start + sentence) == true, "\(worker.standardError)")

                try cluster.startWorker(of: "resnet", without: part)
                try cluster.waitForWorkers(["resnet"], isLocating: false)
                let found = try cluster.client().status().workers.map(\.sandbox)
                #expect(found == [state])
            }
        }

        @Test func sandboxCanBeLeftOff() throws {
            try Cluster.run(cuts: false) { cluster in
                try cluster.startWorker(of: "resnet", ["--sandbox=off"])
                try cluster.waitForWorkers(["resnet"], isLocating: false)
                #expect(try cluster.client().status().workers.map(\.sandbox) == ["off"])
            }
        }
    }
}

import BifronsWire
import Glibc
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests how the programs start, stop, die and restart.
    @Suite(.serialized) struct ClusterTests {
        private static let images = (1...8).map {
            TestImages.jpeg(width: 96 + $0, height: 96, pattern: .noise(seed: UInt64($0)))
        }

        @Test func sameImageGetsTheSameScoreFromEveryWorker() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "resnet", "inception"]) { cluster in
                let client = try cluster.client()
                var scores: Set<Double> = []
                var names: Set<String> = []
                for _ in 0..<6 {
                    let fields = #""metadata":{"a": [1]},"budget_ms":25000"#
                    let reply = try client.ask(Frames.classify(Self.images[0], fields))
                    #expect(reply.status == 200)
                    #expect(String(decoding: reply.result, as: UTF8.self).contains(#""metadata":{"a": [1]}"#))
                    scores.insert(try #require(reply.document.models.first?.aiProbability))
                    names.insert(try #require(reply.document.models.first?.worker))
                }
                #expect(scores.count == 1)
                #expect(names.count == 2)
            }
        }

        @Test func jobsWaitForTheFirstWorkersToBeStarted() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--worker-wait=60s", "--journal=\(folder.path)"], cuts: false) { cluster in
                let client = try cluster.client()
                let fields = #""budget_ms":60000,"id":"#
                for job in 0..<4 {
                    let durable = #","durable":true,"wait":false"#
                    let id = "\"durable \(job)\""
                    let reply = try client.ask(Frames.classify(Self.images[job], fields + id + durable))
                    #expect(reply.status == 202)
                }
                for job in 0..<4 {
                    try client.send(Frames.classify(Self.images[job], fields + "\"plain \(job)\""))
                }
                // The numbers that an autoscaler uses.
                let watcher = try cluster.client()
                try cluster.router.wait { try watcher.status().models.map(\.waiting) == [8, 8, 8] }
                for model in ["resnet", "inception", "locator"] { try cluster.startWorker(of: model) }
                for _ in 0..<4 { #expect(try client.receive().status == 200) }
                for job in 0..<4 {
                    // Jobs are dispatched in the order of their arrival, so these are finished or almost finished.
                    try cluster.router.wait {
                        try watcher.ask(Frames.request(#"{"verb":"fetch","id":"durable \#(job)"}"#)).status == 200
                    }
                }
            }
        }

        @Test func killingOneOfTwoWorkersUnderLoadLosesNoJob() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet", "resnet"]) { cluster in
                let client = try cluster.client()
                let (jobs, window) = (60, 8)
                func send(_ job: Int) throws {
                    try client.send(
                        [Array("\(job)".utf8), []]
                            + Frames.classify(Self.images[job % 8], #""models":["resnet"],"budget_ms":60000"#))
                }
                for job in 0..<window { try send(job) }
                var answered: Set<[UInt8]> = []
                for job in 0..<jobs {
                    let reply = try client.receive()
                    #expect(reply.status == 200)
                    answered.insert(reply.envelope[0])
                    if job == jobs / 3 { cluster.workers[0].signal(SIGKILL) }
                    if job + window < jobs { try send(job + window) }
                }
                #expect(answered.count == jobs)
                #expect(try cluster.workers[0].waitForEnd() == .signal(SIGKILL))
                #expect(try client.status().networks.count == 1)
            }
        }

        @Test func routerDrainsOnSIGTERM() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                try client.send(Frames.classify([1], #""id":"before""#))
                let jobs = try workers.map { try $0.job().job }
                cluster.router.signal(SIGTERM)
                // The signal takes a moment. Until then more jobs may be admitted, and they are answered.
                var refused: TestClient.Reply
                repeat {
                    refused = try client.ask(Frames.classify([1], #""budget_ms":1"#))
                } while refused.status == 408
                #expect(refused.code == "draining")
                #expect(try client.status().router.draining)
                for (worker, job) in zip(workers, jobs) { try worker.send(worker.script.score(job)) }
                let last = try client.receive()
                #expect(last.status == 200)
                #expect(last.document.id == "before")
                #expect(try cluster.router.waitForEnd() == .exit(0))
            }
        }

        @Test func drainEndsAtItsTimeLimit() throws {
            try Cluster.run(router: ["--drain-time=200ms"]) { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                try client.send(Frames.classify([1]))
                for worker in workers { _ = try worker.job() }
                cluster.router.signal(SIGTERM)
                let reply = try client.receive()
                #expect(reply.code == "draining")
                #expect(try cluster.router.waitForEnd() == .exit(0))
            }
        }

        @Test func workerDrainsOnSIGTERM() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                for image in Self.images { try client.send(Frames.classify(image, #""models":["resnet"]"#)) }
                #expect(try client.receive().status == 200)
                // Without a worker, a job that the router has not read yet would be refused.
                try cluster.client().waitForStatus { $0.counters.accepted == Self.images.count }
                cluster.workers[0].signal(SIGTERM)
                // Its jobs in flight are answered. The others have no worker and end when their budget is spent. A job
                // that crosses the worker's last message on the way is lost by it, and waits less long for another.
                for _ in Self.images.dropFirst() {
                    let reply = try client.receive()
                    let isLost = reply.status == 503 && reply.code == "worker_lost"
                    #expect(
                        [200, 408].contains(reply.status) || isLost, "\(String(decoding: reply.result, as: UTF8.self))")
                }
                #expect(try cluster.workers[0].waitForEnd() == .exit(0))
                let status = try client.status()
                #expect(status.networks.isEmpty)
                #expect(status.counters.workersLost == 0)
            }
        }

        @Test func aPausedWorkerIsOutOfRotationUntilItContinues() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let client = try cluster.client()
                func workers() throws -> Int { try client.status().networks.count }
                let clock = ContinuousClock()
                let stopped = clock.now
                cluster.workers[0].signal(SIGSTOP)
                try cluster.router.wait { try workers() == 0 }
                // Three heartbeats, and some more time for a busy machine.
                #expect(clock.now - stopped < .milliseconds(1500) + .seconds(2))
                cluster.workers[0].signal(SIGCONT)
                try cluster.router.wait { try workers() == 1 }
                #expect(try client.ask(Frames.classify(Self.images[0], #""models":["resnet"]"#)).status == 200)
            }
        }

        @Test(arguments: [
            (precision: "f32", file: "model.onnx", change: ("", ""), fault: "SHA-256"),
            ("int8", "model.int8.onnx", ("", ""), "SHA-256"),
            ("int8", "manifest.json", (#""width": "#, #""width": -"#), "input.width"),
        ])
        func workerRefusesADamagedModel(
            precision: String, file: String, change: (String, String), fault: String
        ) throws {
            let folder = try TemporaryFolder()
            for name in ["manifest.json", "model.onnx", "model.int8.onnx", "canary.png"] {
                try Files.write(Files.bytes("\(Files.models)/resnet/\(name)"), to: "\(folder.path)/\(name)")
            }
            let path = "\(folder.path)/\(file)"
            var bytes = Files.bytes(path)
            if change.0.isEmpty {
                bytes[bytes.count / 2] ^= 1
            } else {
                let text = String(decoding: bytes, as: UTF8.self)
                try #require(text.contains(change.0))
                bytes = Array(text.replacing(change.0, with: change.1).utf8)
            }
            try Files.write(bytes, to: path)
            let worker = try ChildProcess(
                Files.program("bifrons-worker"),
                [
                    "--model=\(folder.path)", "--precision=\(precision)", "--router=ipc://\(folder.path)/none",
                    "--cache-folder=\(folder.path)",
                ],
                name: "worker", folder: folder.path)
            #expect(try worker.waitForEnd() == .exit(78))
            let lines = worker.standardError.split(separator: "\n")
            #expect(lines.count == 1)
            #expect(lines.first?.contains(path) == true && lines.first?.contains(fault) == true, "\(lines)")
        }

        @Test(arguments: [
            ("\"preprocessing\": 3", "\"preprocessing\": 2", "preprocessing is 2, and this build knows version 3"),
            ("\"kind\": \"faces\"", "\"kind\": \"face\"", "output.kind"), ("", "", "cannot be read"),
        ])
        func aLocatorWithAnUnsuitableManifestReportsTheReason(field: String, other: String, fault: String) throws {
            let folder = try TemporaryFolder()
            let manifest = Files.text("\(Files.models)/locator/manifest.json").replacing(field, with: other)
            if !field.isEmpty { try Files.write(Array(manifest.utf8), to: "\(folder.path)/manifest.json") }
            let worker = try ChildProcess(
                Files.program("bifrons-worker"),
                ["--model=\(folder.path)", "--router=ipc://\(folder.path)/none", "--cache-folder=\(folder.path)"],
                name: "worker", folder: folder.path)
            #expect(try worker.waitForEnd() == .exit(78))
            #expect(
                worker.standardError.contains("\(folder.path)/manifest.json") && worker.standardError.contains(fault))
        }

        @Test func aWorkerReconnectsToARestartedRouter() throws {
            // While there is no router, the worker keeps trying. Once there is one, the worker connects within seconds.
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                cluster.router.signal(SIGKILL)
                #expect(try cluster.router.waitForEnd() == .signal(SIGKILL))
                try cluster.restartRouter()
                try cluster.waitForWorkers(["resnet"])
                #expect(
                    try cluster.client().ask(Frames.classify(Self.images[0], #""models":["resnet"]"#)).status == 200)
            }
        }

        @Test func aFullQueueRefusesJobsWithARetryTime() throws {
            try Cluster.run(router: ["--max-jobs=1"]) { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                try client.send(Frames.classify([1], #""id":"in""#))
                let jobs = try workers.map { try $0.job().job }
                let refused = try client.ask(Frames.classify([1], #""id":"out""#))
                #expect(refused.status == 429)
                #expect(refused.document.id == "out")
                #expect((1...60_000).contains(refused.document.retryAfterMilliseconds ?? 0))
                for (worker, job) in zip(workers, jobs) { try worker.send(worker.script.score(job)) }
                #expect(try client.receive().document.id == "in")
                try expectService(client, workers)
            }
        }

        @Test func cancelEndsTheJobOfAnotherClient() throws {
            try Cluster.run { cluster in
                let (client, other) = (try cluster.client(), try cluster.client())
                let workers = try cluster.testWorkers()
                try client.send(Frames.classify([1], #""id":"x""#))
                for worker in workers { _ = try worker.job() }
                #expect(try other.ask(Frames.request(#"{"verb":"cancel","id":"x"}"#)).status == 200)
                let reply = try client.receive()
                #expect(reply.status == 408)
                #expect(reply.code == "cancelled")
            }
        }
    }
}

import BifronsWire
import FoundationEssentials
import Glibc
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests the real gateway over real sockets: its requests to the router, and what clients may do to it.
    @Suite(.serialized) struct GatewayTests {
        private static let image = ["Content-Type: image/jpeg"]

        private struct Results: Decodable {
            let results: [ResultDocument]
        }

        private func decode<Value: Decodable>(_ answer: HTTPConnection.Answer, as type: Value.Type = Value.self) throws
            -> Value
        {
            try JSONDecoder().decode(type, from: Data(answer.body))
        }

        // MARK: Classifying

        @Test func aResultIsPassedOnFromTheRouter() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                // Twice over one connection.
                for id in ["a", "b"] {
                    try connection.send(
                        "POST", "/v1/classify?id=\(id)&metadata=%7B%22n%22%3A%20%5B1%5D%7D&budget_ms=60000", Self.image,
                        body: [1, 2, 3])
                    for worker in workers { try worker.scoreNextJob() }
                    let answer = try connection.receive()
                    #expect(answer.status == 200)
                    #expect(answer.headers["content-type"] == "application/json")
                    let document: ResultDocument = try decode(answer)
                    #expect(document.id == id)
                    #expect(document.verdict?.policy == "default")
                    #expect(answer.text.contains(#""metadata":{"n": [1]}"#))
                }
            }
        }

        @Test func missingModelsGiveAPartialResultOrAProblem() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let refused = try gateway.ask("POST", "/v1/classify?id=x", Self.image, body: [1])
                #expect(refused.status == 503)
                #expect(refused.headers["content-type"] == "application/problem+json")
                #expect(refused.text.contains(#""code":"no_worker""#))
                #expect(refused.text.contains(#""id":"x""#))
                let worker = try cluster.worker(ScriptedWorker("r", serving: "resnet"))
                let connection = try gateway.connect()
                try connection.send("POST", "/v1/classify", Self.image, body: [1])
                try worker.scoreNextJob()
                #expect(try connection.receive().status == 206)
            }
        }

        @Test func aFormOfSeveralImagesGetsTheirResultsInOrder() throws {
            try Cluster.run(workers: ["resnet", "inception"]) { cluster in
                let images = (0..<3).map { TestImages.jpeg(width: 64 + $0, height: 64, pattern: .noise(seed: 7)) }
                var files = images.enumerated().map { ("f", "\($0.offset).jpg", $0.element) }
                files.insert(("f", "broken.txt", Array("no image".utf8)), at: 1)
                let (headers, body) = TestGateway.form(files, ["budget_ms": "120000"])
                let gateway = try cluster.startGateway()
                let results = try decode(try gateway.ask("POST", "/v1/classify", headers, body: body), as: Results.self)
                    .results
                #expect(results.map(\.status.rawValue) == [200, 415, 200, 200])
                #expect(results.compactMap(\.image?.width) == (0..<3).map { 64 + $0 })
                let (single, one) = TestGateway.form([files[0]])
                let alone = try gateway.ask("POST", "/v1/classify?budget_ms=120000", single, body: one)
                #expect(try decode(alone, as: ResultDocument.self).verdict == results[0].verdict)
            }
        }

        @Test func aRefusalOfTheRouterIsAProblemWithItsStatus() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                for (method, path, headers, status, code) in [
                    ("POST", "/v1/classify?models=vgg", Self.image, 404, "unknown_model"),
                    ("POST", "/v1/jobs", Self.image, 503, "journal_unavailable"),
                    ("GET", "/v1/jobs/x", [], 404, "unknown_job"),
                ] {
                    let answer = try gateway.ask(method, path, headers, body: Array("anything".utf8))
                    #expect(answer.status == status)
                    #expect(answer.headers["content-type"] == "application/problem+json")
                    #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
                }
                _ = workers
            }
        }

        @Test func aTemporaryRefusalHasARetryTime() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let (headers, body) = TestGateway.form([("file", "a.jpg", [1, 2, 3])])
                for (method, path, code) in [
                    ("POST", "/v1/classify", "no_worker"), ("POST", "/v1/classify?require=all", "no_worker"),
                    ("POST", "/v1/jobs", "journal_unavailable"), ("GET", "/readyz", "no_worker"),
                ] {
                    let answer = try gateway.ask(
                        method, path, method == "GET" ? [] : headers, body: method == "GET" ? nil : body)
                    #expect(answer.status == 503, "\(path)")
                    #expect(answer.headers["content-type"] == "application/problem+json")
                    #expect(answer.headers["x-content-type-options"] == "nosniff")
                    #expect(answer.headers["traceparent"] != nil)
                    #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
                    #expect(answer.text.contains("\"status\":503"))
                    #expect(answer.headers["retry-after"] == "5", "\(path)")
                }
                #expect(try gateway.ask("POST", "/", headers, body: body).headers["retry-after"] == "5")
            }
        }

        @Test func theLegacyAPIAnswersInItsOldForm() throws {
            try Cluster.run(workers: ["resnet", "inception"]) { cluster in
                struct Model: Decodable {
                    let result: String
                    let confidence: Double
                }
                let gateway = try cluster.startGateway()
                let image = try cluster.write(TestImages.jpeg(width: 96, height: 96), to: "image.jpg")
                func curl(_ form: String) throws -> ChildProcess {
                    try cluster.run(
                        "/usr/bin/curl",
                        ["-s", "-m", "120", "-w", "%{http_code}", "-F", form, gateway.url + "/?budget_ms=120000"])
                }
                let output = try curl("file=@\(image)").standardOutput
                #expect(output.hasSuffix("200"))
                let models = try JSONDecoder().decode([String: Model].self, from: Data(output.dropLast(3).utf8))
                #expect(models.keys.sorted() == ["model1", "model2"])
                for model in models.values {
                    #expect(["Real", "Fake"].contains(model.result))
                    #expect((0.5...1).contains(model.confidence))
                }
                #expect(try curl("other=@\(image)").standardOutput == #"{"error":"No file part"}400"#)
                #expect(
                    try curl("file=@\(image);filename=\"\"").standardOutput == #"{"error":"No selected file"}400"#)
                #expect(try curl("file=text").standardOutput == #"{"error":"No file part"}400"#)
            }
        }

        @Test func manyUploadsAtOnceAreAllAnswered() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let image = TestImages.jpeg(width: 96, height: 96)
                let connections = try (0..<64).map { _ in try gateway.connect() }
                for connection in connections {
                    try connection.send("POST", "/v1/classify?budget_ms=60000", Self.image, body: image)
                }
                for _ in connections { for worker in workers { try worker.scoreNextJob() } }
                #expect(try connections.map { try $0.receive().status } == Array(repeating: 200, count: 64))
            }
        }

        // MARK: Durable jobs

        @Test func aDurableJobSurvivesTheDeathOfTheGateway() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                let workers = try cluster.testWorkers()
                var gateway = try cluster.startGateway()
                let accepted = try gateway.ask(
                    "POST", "/v1/jobs?budget_ms=60000", Self.image + ["Idempotency-Key: k"], body: [1, 2, 3])
                #expect(accepted.status == 202)
                let location = try #require(accepted.headers["location"])
                #expect(try gateway.ask("GET", location).status == 202)
                gateway.process.signal(SIGKILL)
                #expect(try gateway.process.waitForEnd() == .signal(SIGKILL))
                for worker in workers { try worker.scoreNextJob() }
                gateway = try cluster.startGateway()
                var result = try gateway.ask("GET", location)
                try gateway.process.wait {
                    result = try gateway.ask("GET", location)
                    return result.status != 202
                }
                #expect(result.status == 200)
                // The key already has a result, so no worker is needed.
                let again = try gateway.ask("POST", "/v1/jobs", Self.image + ["Idempotency-Key: k"], body: [1, 2, 3])
                #expect(again.status == 200)
                #expect(
                    try decode(again, as: ResultDocument.self).verdict
                        == decode(result, as: ResultDocument.self).verdict)
            }
        }

        @Test func deletedJobIsCancelled() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let accepted = try gateway.ask("POST", "/v1/jobs?id=a%20b&budget_ms=60000", Self.image, body: [1])
                #expect(accepted.headers["location"] == "/v1/jobs/a%20b")
                #expect(try gateway.ask("DELETE", "/v1/jobs/a%20b").status == 200)
                let result = try gateway.ask("GET", "/v1/jobs/a%20b")
                #expect(result.status == 408)
                #expect(result.text.contains(#""code":"cancelled""#))
                _ = workers
            }
        }

        // MARK: The state of the service

        @Test func readinessNamesTheMissingWorkers() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                #expect(try gateway.ask("GET", "/healthz").status == 200)
                let worker = try cluster.worker(ScriptedWorker("r", serving: "resnet"))
                let missing = try gateway.ask("GET", "/readyz")
                #expect(missing.status == 503)
                #expect(missing.text.contains("no worker serves inception"))
                let other = try cluster.worker(ScriptedWorker("i", serving: "inception"))
                #expect(try gateway.ask("GET", "/readyz").status == 200)
                #expect(try gateway.ask("HEAD", "/readyz").body.isEmpty)
                _ = (worker, other)
            }
        }

        /// Runs Prometheus's own checker on the whole cluster's metrics.
        @Test func metricsPassThePrometheusChecker() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let connection = try gateway.connect()
                try connection.send("POST", "/v1/classify", Self.image, body: [1])
                for worker in workers { try worker.scoreNextJob() }
                #expect(try connection.receive().status == 200)
                let path = try cluster.write(try gateway.ask("GET", "/metrics").body, to: "metrics")
                let check = try cluster.run(
                    "/bin/sh", ["-c", "exec \(Files.root)/scripts/promtool check metrics < \(path)"])
                #expect(try check.waitForEnd() == .exit(0), "\(check.standardOutput) \(check.standardError)")
                #expect(check.standardError.isEmpty)
                let text = Files.text(path)
                #expect(text.contains("bifrons_verdicts_total{label="))
                #expect(
                    text.contains("bifrons_worker_compute_seconds_count{worker=\"test-resnet\",model=\"resnet\"} 1\n"))
            }
        }

        /// Sends requests that follow the document's schema and requests that violate it. The answers must be as
        /// documented.
        @Test func theGatewayConformsToItsOpenAPIDocument() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"], workers: ["resnet", "inception"]) { cluster in
                let gateway = try cluster.startGateway()
                let check = try ChildProcess(
                    "/usr/bin/env",
                    [
                        "SCHEMATHESIS_HOOKS=\(Files.root)/Tests/support/schemathesis_hooks.py",
                        "\(Files.root)/.venv-test/bin/schemathesis", "run", "\(gateway.url)/openapi.json",
                        "--checks=all",
                        // The schema accepts any bytes as an image, and a job may end before it is cancelled.
                        "--exclude-checks=positive_data_acceptance,ensure_resource_availability", "--max-examples=15",
                        "--seed=1",
                        "--exclude-operation-id=events", "--no-color", "--suppress-health-check=all",
                        "--request-timeout=30",
                    ], name: "schemathesis", folder: cluster.path, diesWithTests: false)
                var end: ChildProcess.End?
                // Several thousand requests, some of them with images.
                for _ in 0..<8 where end == nil { end = check.wait(milliseconds: Bounds.patience) }
                #expect(end == .exit(0), "\(check.standardOutput)")
            }
        }

        @Test func statusAndModelsReportsArePassedOn() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                #expect(try StatusReport.decode(try gateway.ask("GET", "/v1/status").body).queue.jobs == 0)
                #expect(try ModelsReport.decode(try gateway.ask("GET", "/v1/models").body).models.count == 2)
                let metrics = try gateway.ask("GET", "/metrics")
                #expect(metrics.headers["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
                #expect(metrics.text.contains("\nbifrons_up 1\n"))
            }
        }

        @Test func eventsContinueAndReportALostRouter() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let listeners = try (0..<3).map { _ in try gateway.connect() }
                for listener in listeners { try listener.send("GET", "/v1/events") }
                for listener in listeners {
                    #expect(try listener.receive().headers["content-type"] == "text/event-stream")
                    for _ in 0..<2 { #expect(try listener.status().contains("event: status\ndata: {")) }
                }
                cluster.router.signal(SIGKILL)
                _ = try cluster.router.waitForEnd()
                var event = ""
                repeat { event = try listeners[0].status() } while event.contains("event: status")
                #expect(event.contains("event: down\ndata: {\"error\":\""))
                try cluster.restartRouter()
                repeat { event = try listeners[0].status() } while event.contains("event: down")
                #expect(event.contains("event: status"))
                // Open event streams do not keep a gateway from stopping.
                gateway.process.signal(SIGTERM)
                #expect(try gateway.process.waitForEnd() == .exit(0))
                try listeners[0].waitForEnd()
            }
        }

        @Test func eventsOfOperatorsHaveIDsAndGoOnAfterTheLast() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let gateway = try cluster.startGateway()
                let listener = try gateway.connect()
                try listener.send("GET", "/v1/events")
                #expect(try listener.receive().status == 200)
                let first = try #require(try listener.event("worker_joined").firstMatch(of: /id: (\w+)-1\n/))
                cluster.workers[0].signal(SIGKILL)
                let lost = try listener.event("worker_lost")
                #expect(lost.contains("id: \(first.1)-"))
                #expect(lost.contains(#""kind":"worker_lost""#))
                let id = try #require(lost.firstMatch(of: /id: (\S+)\n/)).1
                #expect(id.hasPrefix(first.1))
                let later = try gateway.connect()
                try later.send("GET", "/v1/events", ["Last-Event-ID: \(id)"])
                #expect(try later.receive().status == 200)
                // Nothing that came before is sent again.
                #expect(try later.receive(upTo: "\n\n").contains("event: status"))
            }
        }

        @Test func historyAndDriftAreReported() throws {
            try Cluster.run(heartbeat: "500ms", workers: ["resnet"]) { cluster in
                let gateway = try cluster.startGateway()
                let image = TestImages.png(width: 64, height: 64)
                #expect(
                    try gateway.ask(
                        "POST", "/v1/classify?models=resnet&budget_ms=25000", ["Content-Type: image/png"], body: image
                    ).status == 200)
                let minutes = try HistoryReport.decode(try gateway.ask("GET", "/v1/status/history").body)
                #expect(minutes.actions.values.joined().reduce(0, +) == 1)
                #expect(minutes.workers.keys.sorted() == ["inception", "locator", "resnet"])
                #expect(abs(Double(minutes.fromMs) / 1000 - Date().timeIntervalSince1970) < 600)
                let drift = try DriftReport.decode(try gateway.ask("GET", "/v1/drift").body)
                #expect(drift.images.map(\.formats["png"]) == [1])
                #expect(drift.images.map(\.withoutFace) == [1])
                #expect(drift.models.isEmpty)
                let metrics = try gateway.ask("GET", "/metrics").text
                #expect(metrics.contains("bifrons_drift_images{tenant=\"\"} 1\n"))
                #expect(metrics.contains("bifrons_drift_no_face_ratio{tenant=\"\"} 1\n"))
            }
        }

        @Test func aLostRouterIsReportedWith503UntilItReturns() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                cluster.router.signal(SIGKILL)
                _ = try cluster.router.waitForEnd()
                let refused = try gateway.ask("POST", "/v1/classify", Self.image, body: [1])
                #expect(refused.status == 503)
                #expect(refused.headers["retry-after"] == "1")
                #expect(refused.text.contains("no_router"))
                #expect(try gateway.ask("GET", "/metrics").text.contains("\nbifrons_up 0\n"))
                try cluster.restartRouter()
                let workers = try cluster.testWorkers()
                let connection = try gateway.connect()
                try connection.send("POST", "/v1/classify", Self.image, body: [1])
                for worker in workers { try worker.scoreNextJob() }
                #expect(try connection.receive().status == 200)
            }
        }

        @Test func aRequestInFlightIsAnsweredBeforeTheGatewayStops() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let connection = try gateway.connect()
                try connection.send("POST", "/v1/classify", Self.image, body: [1])
                let jobs = try workers.map { try $0.job().job }
                gateway.process.signal(SIGTERM)
                for (worker, job) in zip(workers, jobs) { try worker.send(worker.script.score(job)) }
                #expect(try connection.receive().status == 200)
                #expect(try gateway.process.waitForEnd() == .exit(0))
            }
        }

        // MARK: Limits

        @Test func thousandsOfConnectionsAreServed() throws {
            // Each connection takes a descriptor in this process and one in the gateway.
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let crowd = min(10_000, Int(clamping: limit.rlim_cur) - 500)
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway([
                    "--http-connections=20000", "--http-timeout=10m",
                ])
                let connections = try (0..<crowd).map { _ in try gateway.connect() }
                for connection in [connections[0], connections[crowd / 2], connections[crowd - 1]] {
                    try connection.send("GET", "/healthz")
                    #expect(try connection.receive().status == 200)
                }
            }
        }

        @Test func tokensAreRequiredAndReloadedOnSIGHUP() throws {
            try Cluster.run { cluster in
                // SHA-256 of "one" and of "two".
                let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
                let two = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
                let path = try cluster.write(Array("first \(one)\n".utf8), to: "tokens")
                let gateway = try cluster.startGateway(["--tokens=\(path)"])
                func status(_ path: String, _ token: String?) throws -> Int {
                    try gateway.ask("GET", path, token.map { ["Authorization: Bearer \($0)"] } ?? []).status
                }
                #expect(try status("/v1/models", nil) == 401)
                #expect(try status("/v1/models", "two") == 401)
                #expect(try status("/v1/models", "one") == 200)
                #expect(try status("/metrics", nil) == 401)
                #expect(try status("/readyz", nil) == 503)
                #expect(try status("/openapi.json", nil) == 200)
                _ = try cluster.write(Array("second \(two)\n".utf8), to: "tokens")
                gateway.process.signal(SIGHUP)
                try gateway.process.wait { try status("/v1/models", "two") == 200 }
                #expect(try status("/v1/models", "one") == 401)
                _ = try cluster.write(Array("nonsense".utf8), to: "tokens")
                gateway.process.signal(SIGHUP)
                try gateway.process.wait { gateway.process.standardError.contains("tokens cannot be used") }
                #expect(try status("/v1/models", "two") == 200)
                #expect(gateway.process.standardError.contains("caller=second"))
                #expect(!gateway.process.standardError.contains("Bearer"))
            }
        }

        @Test func aPortInUseIsReported() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let second = try cluster.run(Files.program("bifrons-gateway"), ["--http-port=\(gateway.port)"])
                #expect(try second.waitForEnd() == .exit(1))
                #expect(
                    second.standardError.contains("port \(gateway.port)")
                        && second.standardError.contains("--http-port"))
            }
        }
    }
}

extension HTTPConnection {
    /// Returns the next report of the status, or of a router that is down. Events of operators are skipped.
    fileprivate func status() throws -> String {
        while true {
            let event = try receive(upTo: "\n\n")
            if event.contains("event: status\n") || event.contains("event: down\n") { return event }
        }
    }

    /// Returns the next event of this name.
    fileprivate func event(_ name: String) throws -> String {
        while true {
            let event = try receive(upTo: "\n\n")
            if event.contains("event: \(name)\n") { return event }
        }
    }
}

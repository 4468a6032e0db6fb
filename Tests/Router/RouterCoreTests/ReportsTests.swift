import BifronsWire
import RouterCore
import TestKit
import Testing

struct ReportsTests {
    @Test func statusReportsQueuesWorkersAndCounters() throws {
        var script = Script(locators: .byHand) {
            $0.version = "9.9"
            $0.maxCropBytes = 1000
        }
        script.join("r1", credit: 1, metrics: ["roc_auc": 0.97])
        script.join("i1", credit: 8)
        var locator = ScriptedWorker.locator("l1", credit: 1)
        locator.sandbox = WorkerMessage.Sandbox(landlock: 7, seccomp: true)
        script.join(locator)
        script.wait(.seconds(2))
        script.classify(1, bytes: 10)
        script.cut("l1", 1)
        script.wait(.milliseconds(30))
        script.classify(2, bytes: 20)
        script.cut("l1", 2)
        script.score("i1", 1)
        script.fail("i1", 2, .unprocessable)
        script.classify(3, bytes: 30)
        script.classify(4, bytes: 40)
        script.ask(5, .status, id: "s")
        guard case .status(let report)? = script.replies[5] else { preconditionFailure() }
        #expect(report.id == "s")
        #expect(report.router.version == "9.9")
        #expect(report.router.uptimeS == 2.03)
        #expect(!report.router.draining)
        #expect(report.queue.jobs == 4)
        #expect(report.queue.bytes == 100)
        // The crops of two images, and the room reserved for those of a third.
        #expect(report.queue.cropBytes == 3 * 18)
        #expect(report.queue.maxCropBytes == 1000)
        #expect(report.queue.oldestMs == 30)
        #expect(report.models.map(\.name) == ["resnet", "inception", "locator"])
        #expect(report.models.map(\.workers) == [1, 1, 1])
        #expect(report.models.map(\.waiting) == [1, 0, 1])
        #expect(report.models.map(\.inFlight) == [1, 0, 1])
        #expect(report.workers.map(\.name) == ["r1", "i1", "l1"])
        #expect(report.workers.map(\.model) == ["resnet", "inception", "locator"])
        #expect(report.workers[0].metrics == ["roc_auc": 0.97])
        #expect(report.workers.map(\.sandbox) == ["off", "off", "landlock 7, seccomp"])
        #expect(report.workers.map(\.inFlight) == [1, 0, 1])
        #expect(report.workers.map(\.scored) == [0, 1, 2])
        #expect(report.workers.map(\.failed) == [0, 1, 0])
        #expect(report.workers[1].lastHeardMs == 0)
        #expect(report.counters.accepted == 4)
        #expect(report.counters.bytesReceived == 100)
        #expect(report.counters.repliesByStatus == [:])
        #expect(report.counters.reports == 1)
        #expect(try StatusReport.decode(report.encoded()) == report)
    }

    @Test func everyReplyIsCountedByItsStatus() {
        var script = Script()
        script.join("r1")
        script.ask(1, .ping)
        script.classify(2) { $0.models = ["vgg"] }
        script.classify(3) { $0.budgetMilliseconds = 1 }
        script.wait(.milliseconds(1))
        script.classify(4)
        script.score("r1", 4)
        script.ask(5, .models)
        let counters = script.status.counters
        #expect(counters.repliesByStatus == ["206": 1, "404": 1, "408": 1])
        #expect(counters.reports == 3)
        #expect(counters.overBudget == 1)
        #expect(script.status.counters.reports == 4)
    }

    @Test func latencyQuantilesCoverTheAnswersOfJobs() {
        var script = Script()
        script.join("r1", credit: 200)
        for token in 1...100 { script.classify(token) { $0.models = ["resnet"] } }
        for token in 1...100 {
            script.wait(.milliseconds(10))
            script.score("r1", token)
        }
        let latency = script.status.latencyMs
        #expect(latency.count == 100)
        #expect(abs(latency.p50 - 500) <= 5)
        #expect(abs(latency.p99 - 990) <= 10)
        #expect(abs(latency.max - 1000) <= 10)
    }

    @Test func scoresAndResultsAreCountedInHistograms() {
        var script = Script(locators: .byHand)
        for name in ["r1", "i1", "l1"] { script.join(name) }
        for token in 1...2 {
            script.classify(token)
            script.wait(.milliseconds(5))
            script.cut("l1", token)
            script.wait(.milliseconds(20))
            script.score("r1", token)
            script.wait(.milliseconds(20))
            script.score("i1", token)
        }
        let report = script.status
        // A scripted worker reports 2 ms of computing.
        #expect(report.models.map(\.computeMs.count) == [2, 2, 2])
        #expect(report.models.map(\.computeMs.sum) == [4, 4, 4])
        // The networks' queueing time starts when the crops arrive.
        #expect(report.models.map(\.queueMs.sum) == [36, 76, 6])
        #expect(report.models.map(\.batch.counts.first) == [2, 2, 2])
        #expect(report.workers.map(\.computeMs) == report.models.map(\.computeMs))
        #expect(report.latencyHistogramMs.count == 2)
        #expect(report.latencyHistogramMs.sum == 90)
    }

    @Test func verdictsAreCountedByLabelAndAction() {
        var script = Script()
        script.join("r1")
        script.join("i1")
        for (token, logit) in [(1, -8), (2, 8), (3, 8)] as [(Int, Float)] {
            script.classify(token) { $0.idempotencyKey = token > 1 ? "a key" : nil }
            // The third job gets the second one's result.
            guard token < 3 else { continue }
            script.score("r1", token, logit: logit)
            script.score("i1", token, logit: logit)
        }
        #expect(script.status.verdicts.byLabel == ["real": 1, "ai_generated": 2, "no_face": 0])
        #expect(script.status.verdicts.byAction == ["allow": 1, "review": 0, "block": 2])
    }

    @Test func modelsReportListsTheServedVersions() {
        var script = Script()
        for (name, version) in [("r1", "1.0.0"), ("r2", "1.0.0"), ("r3", "2.0.0")] {
            var worker = ScriptedWorker(name, serving: "resnet")
            worker.version = version
            worker.metrics = ["roc_auc": 0.9]
            script.join(worker)
        }
        script.ask(1, .models, id: "m")
        guard case .models(let report)? = script.replies[1] else { preconditionFailure() }
        #expect(report.id == "m")
        #expect(
            report.models == [
                ModelsReport.Model(
                    name: "resnet", workers: 3,
                    served: [
                        ModelsReport.Served(
                            version: "1.0.0", digest: "sha256:00ff", metrics: ["roc_auc": 0.9], workers: 2),
                        ModelsReport.Served(
                            version: "2.0.0", digest: "sha256:00ff", metrics: ["roc_auc": 0.9], workers: 1),
                    ]),
                ModelsReport.Model(name: "inception", workers: 0, served: []),
            ])
        let served = ModelsReport.Served(version: "1.0.0", digest: "sha256:00ff", metrics: [:], workers: 1)
        #expect(report.locator == ModelsReport.Model(name: "locator", workers: 1, served: [served]))
        #expect(report.policies.map(\.name) == ["audited", "careful", "default", "easy", "strict"])
        #expect(report.policies[1].noFace == .block)
    }
}

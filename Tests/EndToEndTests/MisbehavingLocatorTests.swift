import BifronsWire
import TestKit
import Testing

extension EndToEndTests {
    /// Tests broken or hostile locators: they are dropped and counted, and good jobs are answered.
    @Suite(.serialized) struct MisbehavingLocatorTests {
        private static let face = WorkerMessage.Face(box: Box(x: 10, y: 20, width: 30, height: 40))

        private static func run(_ body: (Cluster, TestClient) throws -> Void) throws {
            try Cluster.run(cuts: false) { cluster in try body(cluster, try cluster.client()) }
        }

        @Test func imagesWithoutALocatorAreRefused() throws {
            try Self.run { cluster, client in
                let networks = try cluster.testWorkers()
                let reply = try client.ask(Frames.classify([1]))
                withExtendedLifetime(networks) {}
                #expect(reply.status == 503)
                #expect(reply.code == "no_worker")
                #expect(reply.document.error?.message == "no worker serves locator")
            }
        }

        @Test func cropsReachTheNetworksAndFacesReachTheClient() throws {
            try Self.run { cluster, client in
                let locator = try cluster.worker(.locator())
                let networks = try cluster.testWorkers()
                try client.send(Frames.classify([1]))
                try locator.cutNextJob(faces: [Self.face])
                for network in networks {
                    let (message, payload) = try #require(try network.receive())
                    guard case .score(let job) = message else { throw TestWorker.NothingReceived() }
                    #expect(payload?.count == CropSpecification.sample.cropBytes)
                    try network.send(network.script.score(job.job, logits: [2]))
                }
                let document = try client.receive().document
                #expect(document.status == .ok)
                #expect(document.faces?.map(\.box) == [Self.face.box])
                #expect(document.locator?.worker == "locator-1")
            }
        }

        /// Tests wrong answers: wrong number, size or specification, or for a job that the worker never had.
        @Test func wrongCropsAreDroppedAndTheJobGoesToAnotherLocator() throws {
            try Self.run { cluster, client in
                let network = try cluster.worker(ScriptedWorker("resnet", serving: "resnet"))
                for number in 0..<6 {
                    let bad = try cluster.worker(.locator("bad-\(number)"))
                    try client.send(Frames.classify([1], #""models":["resnet"]"#))
                    let job = try bad.job().job
                    let good = try cluster.worker(.locator("good-\(number)"))
                    var (message, frames) = bad.script.crops(job, faces: [Self.face])
                    switch number {
                    case 0: frames[0].removeLast()
                    case 1: frames.append(frames[0])
                    case 2:
                        (message, frames) = bad.script.crops(job, of: [.sample, .centralSample], faces: [Self.face])
                    case 3: (message, frames) = bad.script.crops(job, of: [.centralSample])
                    case 4: (message, frames) = (bad.script.score(job), [])
                    default: (message, frames) = bad.script.crops(job, facesFound: .some(nil))
                    }
                    try bad.send((message, frames))
                    // Crops that no router asked for are dropped.
                    try bad.send(bad.script.crops(job ^ 1 << 40))
                    try good.cutNextJob()
                    try network.scoreNextJob()
                    let reply = try client.receive()
                    #expect(reply.status == 200, "case \(number): \(reply.document)")
                    #expect(reply.document.attempts == 2)
                    try bad.send(bad.script.bye)
                    try good.send(good.script.bye)
                    try client.waitForStatus { $0.workers.count == 1 }
                }
                #expect(try client.status().queue.cropBytes == 0)
            }
        }

        @Test func wrongCropsOfTwoLocatorsFailTheJob() throws {
            try Self.run { cluster, client in
                let networks = try cluster.testWorkers()
                let locators = try ["a", "b"].map { try cluster.worker(.locator($0, credit: 1)) }
                try client.send(Frames.classify([1]))
                let first = try locators[0].receive(milliseconds: 500) == nil ? 1 : 0
                let job = UInt64(1) << 4
                try locators[first].send(locators[first].script.crops(job, of: [.centralSample]))
                let again = try locators[1 - first].job()
                #expect(again.job == job && again.attempt == 2)
                try locators[1 - first].send(locators[1 - first].script.crops(job, of: [.centralSample]))
                let reply = try client.receive()
                #expect(reply.status == 503)
                #expect(reply.code == "answer_malformed")
                withExtendedLifetime(networks) {}
            }
        }

        @Test func tooFewScoresInBothAttemptsFailTheJob() throws {
            try Self.run { cluster, client in
                let locator = try cluster.worker(.locator())
                let network = try cluster.worker(ScriptedWorker("resnet", serving: "resnet"))
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                try locator.cutNextJob(faces: [Self.face, Self.face])
                for _ in 0..<2 { try network.send(network.script.score(try network.job().job, logits: [1])) }
                #expect(try client.receive().code == "answer_malformed")
            }
        }

        @Test func aJobSurvivesTheDeathOfItsLocator() throws {
            try Self.run { cluster, client in
                let networks = try cluster.testWorkers()
                let first = try cluster.worker(.locator("first"))
                try client.send(Frames.classify([1]))
                _ = try first.job()
                first.die()
                let second = try cluster.worker(.locator("second"))
                try second.cutNextJob()
                for network in networks { try network.scoreNextJob() }
                #expect(try client.receive().status == 200)
            }
        }

        /// The crops are sent again; the image is not decoded again.
        @Test func aDeadNetworkWorkersCropsGoToAnotherWorker() throws {
            try Self.run { cluster, client in
                let locator = try cluster.worker(.locator())
                let first = try cluster.worker(ScriptedWorker("first", serving: "resnet"))
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                try locator.cutNextJob()
                _ = try first.job()
                first.die()
                let second = try cluster.worker(ScriptedWorker("second", serving: "resnet"))
                try second.scoreNextJob()
                #expect(try client.receive().status == 200)
                #expect(try locator.receive(milliseconds: 0) == nil)
            }
        }

        @Test func imageThatKilledTwoLocatorsIsQuarantined() throws {
            try Self.run { cluster, client in
                let networks = try cluster.testWorkers()
                let first = try cluster.worker(.locator("first"))
                try client.send(Frames.classify([1], #""budget_ms":60000"#))
                _ = try first.job()
                first.die()
                let second = try cluster.worker(.locator("second"))
                _ = try second.job()
                second.die()
                let reply = try client.receive()
                #expect(reply.status == 422)
                let told = "2 workers of locator died with this image in their hands; it is not tried again"
                #expect(reply.document.error?.message == told)
                withExtendedLifetime(networks) {}
            }
        }

        @Test func aModelThatNoLocatorCanCutForIsNamed() throws {
            try Self.run { cluster, client in
                let locator = try cluster.worker(.locator())
                var specification = CropSpecification.sample
                specification.preprocessing = 9
                let network = try cluster.worker(ScriptedWorker("new", serving: "resnet", as: .network(specification)))
                let reply = try client.ask(Frames.classify([1], #""models":["resnet"]"#))
                #expect(reply.status == 503)
                #expect(reply.code == "crops_unavailable")
                #expect(reply.document.error?.message.contains("resnet") == true)
                withExtendedLifetime((locator, network)) {}
            }
        }

        @Test func aWorkerWhoseCropsAreTooLargeIsPermanentlyRejected() throws {
            try Self.run { cluster, _ in
                let specification = CropSpecification(
                    kind: .face(margin: 1), width: 4096, height: 4096, preprocessing: 3)
                let worker = try cluster.worker(
                    ScriptedWorker("huge", serving: "resnet", as: .network(specification)), registered: false)
                try worker.send(worker.script.hello)
                guard case .bye(let reason, isFinal: true)? = try worker.receive()?.message else {
                    Issue.record("no final BYE came")
                    return
                }
                #expect(reason.contains("'resnet'"))
            }
        }
    }
}

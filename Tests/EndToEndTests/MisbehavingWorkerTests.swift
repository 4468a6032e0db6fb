import BifronsWire
import TestKit
import Testing

extension EndToEndTests {
    /// Tests broken or hostile workers: they are dropped and counted, and good jobs are answered.
    @Suite(.serialized) struct MisbehavingWorkerTests {
        private static func resnet(_ name: String = "bad", credit: UInt32 = 4) -> ScriptedWorker {
            ScriptedWorker(name, serving: "resnet", credit: credit)
        }

        @Test func aWorkerOfAnUnknownModelIsRejected() throws {
            try Cluster.run { cluster in
                let unknownPeer = try cluster.worker(ScriptedWorker("vgg", serving: "vgg"), registered: false)
                try unknownPeer.send(unknownPeer.script.hello)
                guard case .bye(let reason, isFinal: false)? = try unknownPeer.receive()?.message else {
                    Issue.record("no BYE came")
                    return
                }
                #expect(reason.contains("'vgg'"))
                let client = try cluster.client()
                #expect(try client.ask(Frames.classify([1])).code == "no_worker")
                try expectService(client, try cluster.testWorkers())
            }
        }

        @Test func anExcessiveCreditIsCapped() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let greedy = try cluster.worker(Self.resnet(credit: .max))
                let jobs = Limits.workerCredit + 44
                for _ in 0..<jobs { try client.send(Frames.classify([1])) }
                var taken: [UInt64] = []
                for _ in 0..<Limits.workerCredit { taken.append(try greedy.job().job) }
                try client.waitForStatus { $0.models.first?.waiting == jobs - Limits.workerCredit }
                #expect(try client.status().networks.first?.credit == Limits.workerCredit)
                #expect(try greedy.receive(milliseconds: 0) == nil)
                for job in taken { try greedy.send(greedy.script.score(job)) }
                for _ in 0..<jobs - Limits.workerCredit { try greedy.scoreNextJob() }
                for _ in 0..<jobs { #expect(try client.receive().status == 206) }
            }
        }

        @Test func aWorkerWithoutCreditGetsNoJobs() throws {
            try Cluster.run { cluster in
                let idle = try cluster.worker(Self.resnet("idle", credit: 0))
                let client = try cluster.client()
                let reply = try client.ask(Frames.classify([1], #""models":["resnet"],"budget_ms":50"#))
                #expect(reply.status == 408)
                #expect(try idle.receive(milliseconds: 0) == nil)
                try idle.send(idle.script.credit(1))
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                try idle.scoreNextJob()
                #expect(try client.receive().status == 200)
            }
        }

        @Test func duplicateAnswersAreDropped() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let worker = try cluster.worker(Self.resnet())
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                let job = try worker.job().job
                for _ in 0..<3 { try worker.send(worker.script.score(job)) }
                try worker.send(worker.script.fail(job, .unavailable))
                #expect(try client.receive().status == 200)
                try client.waitForStatus { $0.counters.unknown == 3 }
                #expect(try client.peer.receive(milliseconds: 0) == nil)
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                try worker.scoreNextJob()
                #expect(try client.receive().status == 200)
            }
        }

        @Test func answersToJobsOfOtherWorkersAreDropped() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let honest = try cluster.worker(Self.resnet("honest"))
                let liar = try cluster.worker(Self.resnet("liar", credit: 0))
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                let job = try honest.job().job
                for id in [job, 0, job + 1, .max] { try liar.send(liar.script.score(id, logits: [30])) }
                try client.waitForStatus { $0.counters.unknown == 4 }
                try honest.send(honest.script.score(job, logits: [-3]))
                let reply = try client.receive()
                #expect(reply.document.verdict?.label == .real)
                #expect(reply.document.models.first?.worker == "honest")
            }
        }

        @Test func malformedMessagesAreDropped() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let worker = try cluster.worker(Self.resnet())
                var random = SeededGenerator(seed: 2)
                let good = worker.script.score(1).encoded()
                let version = Limits.workerProtocolVersion
                let garbage: [[[UInt8]]] =
                    [[[]], [[version]], [[version, 99]], [good + [0]], [good, good], [Array(good.dropLast())]]
                    + (0..<100).map { _ in [[version, 99] + random.bytes(upTo: 200)] }
                for frames in garbage { try worker.send(bytes: frames) }
                try client.waitForStatus { $0.counters.malformedMessages == garbage.count }
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                try worker.scoreNextJob()
                #expect(try client.receive().status == 200)
            }
        }

        @Test(arguments: [0, 1, 3, 4, Limits.workerProtocolVersion + 1, .max] as [UInt8])
        func aWorkerOfAnotherProtocolVersionIsToldTheRequiredOne(version: UInt8) throws {
            try Cluster.run { cluster in
                let worker = try cluster.worker(Self.resnet(), registered: false)
                try worker.send(bytes: [[version] + worker.script.hello.encoded().dropFirst()])
                let frames = try #require(try worker.receiveFrames())
                #expect(frames.count == 1)
                // The format that version 3 reads: version, BYE, a 16-bit count, text.
                let (head, count) = (frames[0].prefix(2), Int(frames[0][2]) | Int(frames[0][3]) << 8)
                #expect(Array(head) == [version, 69])
                let text = String(decoding: frames[0].dropFirst(4).prefix(count), as: UTF8.self)
                #expect(text.contains("version \(Limits.workerProtocolVersion)"))
                #expect(frames[0].count == 4 + count + (version < 4 ? 0 : 1))
                try expectService(try cluster.client(), try cluster.testWorkers())
            }
        }

        @Test func anOversizedMessageEndsTheConnection() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let worker = try cluster.worker(Self.resnet())
                try worker.send(bytes: [Array(repeating: 1, count: 1_000_000)])
                try client.waitForStatus { $0.counters.malformedMessages == 1 }
                try worker.send(bytes: [Array(repeating: 1, count: Limits.cropSetBytes + 1)])
                try client.waitForStatus { $0.counters.workersLost == 1 }
                try expectService(client, try cluster.testWorkers())
            }
        }

        @Test func messagesOfAnUnknownPeerAreAnsweredWithResync() throws {
            try Cluster.run { cluster in
                let unknownPeer = try cluster.worker(Self.resnet(), registered: false)
                try unknownPeer.send(unknownPeer.script.ping())
                #expect(try unknownPeer.receive()?.message == .resync)
                try unknownPeer.register()
                #expect(try cluster.client().status().counters.strangers == 1)
            }
        }

        @Test func theJobOfASilentWorkerGoesToAnotherWorker() throws {
            try Cluster.run(heartbeat: "500ms") { cluster in
                let client = try cluster.client()
                let silent = try cluster.worker(Self.resnet("silent"))
                try client.send(Frames.classify([1], #""models":["resnet"],"budget_ms":30000"#))
                let job = try silent.job()
                try client.waitForStatus { $0.counters.workersLost == 1 }
                let other = try cluster.worker(Self.resnet("other"))
                let again = try other.job()
                #expect(again.job == job.job)
                #expect(again.attempt == 2)
                try other.send(other.script.score(again.job))
                let reply = try client.receive()
                #expect(reply.status == 200)
                #expect(reply.document.attempts == 2)
                // The worker is told with a RESYNC, and its late answer is ignored.
                try silent.send(silent.script.score(job.job))
                #expect(try silent.receive()?.message == .resync)
            }
        }

        @Test func theJobOfADeadWorkerGoesToAnotherWorkerAtOnce() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let workers = try ["a", "b"].map { try cluster.worker(Self.resnet($0, credit: 1)) }
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                let first = workers[try workers[0].receive(milliseconds: 500) == nil ? 1 : 0]
                let second = workers[first === workers[0] ? 1 : 0]
                first.die()
                try second.scoreNextJob()
                let reply = try client.receive()
                #expect(reply.status == 200)
                #expect(reply.document.attempts == 2)
            }
        }

        @Test func jobThatKilledTwoWorkersIsQuarantined() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                #expect(try client.receive().code == "no_worker")
                let first = try cluster.worker(Self.resnet("first"))
                try client.send(Frames.classify([1], #""models":["resnet"]"#))
                _ = try first.job()
                first.die()
                let second = try cluster.worker(Self.resnet("second"))
                _ = try second.job()
                second.die()
                let reply = try client.receive()
                #expect(reply.status == 422)
                #expect(reply.code == "quarantined")
                try expectService(client, try cluster.testWorkers())
            }
        }

        /// Runs two workers of each model, restarted when they die, and one image whose crops kill any worker that
        /// scores them.
        @Test func onePoisonImageAmongTwoHundredIsTheOnlyOneLost() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                var started = 0
                func start(_ model: String) throws -> TestWorker {
                    started += 1
                    return try cluster.worker(.init("\(model)-\(started)", serving: model, credit: 16))
                }
                var workers = try ["resnet", "inception", "resnet", "inception"].map(start)
                for number in 1...201 {
                    let image: [UInt8] = number == 77 ? [66] : [1]
                    try client.send(Frames.classify(image, #""id":"\#(number)","budget_ms":60000"#))
                }
                var replies: [TestClient.Reply] = []
                var rounds = 0
                while replies.count < 201, rounds < 20_000 {
                    rounds += 1
                    for (index, worker) in workers.enumerated() {
                        guard let received = try worker.receive(milliseconds: 0),
                            case .score(let job) = received.message
                        else { continue }
                        if received.payload?.first == 66 {
                            worker.die()
                            workers[index] = try start(worker.script.model)
                        } else {
                            try worker.send(worker.script.score(job.job))
                        }
                    }
                    while let reply = try client.receive(milliseconds: 1) { replies.append(reply) }
                }
                #expect(replies.filter { $0.status == 200 }.count == 200)
                #expect(replies.filter { $0.code == "quarantined" }.map(\.document.id) == ["77"])
            }
        }

        @Test func anAnswerAfterTheBudgetIsCountedAsLate() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let slow = try cluster.worker(Self.resnet("slow"))
                let reply = try client.ask(Frames.classify([1], #""models":["resnet"],"budget_ms":100"#))
                #expect(reply.code == "budget_spent")
                try slow.scoreNextJob()
                try client.waitForStatus { $0.counters.late == 1 }
            }
        }
    }
}

import BifronsWire
import BifronsZeroMQ
import Testing

@testable import BifronsClient

@Suite(.timeLimit(.minutes(5))) struct BifronsClientTests {
    private let folder: TemporaryFolder
    private let context: Context
    private let endpoint: String

    init() throws {
        folder = try TemporaryFolder()
        context = try Context()
        endpoint = folder.endpoint("router")
    }

    private func client(
        _ routers: [String]? = nil, connectTimeout: Duration = .seconds(10), grace: Duration = .seconds(10)
    ) throws -> BifronsClient {
        var options = BifronsClient.Options(routers: routers ?? [endpoint])
        options.connectTimeout = connectTimeout
        options.grace = grace
        return try BifronsClient(options)
    }

    private func failure(_ task: Task<Reply, any Error>) async -> ClientError.Code? {
        do {
            _ = try await task.value
            return nil
        } catch {
            return (error as? ClientError)?.code
        }
    }

    @Test func answersOutOfOrderReachTheirCalls() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let tasks = (0..<5).map { index in Task { try await client.classify([UInt8(index)]) } }
        var requests: [ScriptedRouter.Request] = []
        for _ in tasks { requests.append(try #require(try await router.receive())) }
        for request in requests.shuffled() {
            try router.answer(request, #"{"id": "x", "status": 200, "attempts": \#(try #require(request.image)[0])}"#)
        }
        for (index, task) in tasks.enumerated() {
            let reply = try await task.value
            #expect(reply.document.attempts == index)
            #expect(String(decoding: reply.bytes, as: UTF8.self).hasPrefix(#"{"id": "x","#))
        }
    }

    @Test func headerAndImageArriveAsGiven() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let options = try ClassifyOptions(id: "mine", models: ["resnet"], requirement: .all)
        let task = Task { try await client.classify([1, 2, 3], options) }
        let request = try #require(try await router.receive())
        #expect(request.image == [1, 2, 3])
        #expect(request.header.contains(#""verb":"classify","id":"mine""#))
        #expect(request.header.contains(#""models":["resnet"],"require":"all""#))
        try router.answer(request, #"{"status": 422, "error": {"code": "image_corrupt", "message": "broken"}}"#)
        let reply = try await task.value
        #expect(reply.document.status == .unprocessable)
        #expect(reply.document.error?.code == "image_corrupt")
    }

    @Test func aCallWithoutAnAnswerFailsAfterBudgetAndGrace() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client(grace: .milliseconds(50))
        let task = Task { try await client.classify([1], try ClassifyOptions(budget: .milliseconds(50))) }
        #expect(try await router.receive() != nil)
        #expect(await failure(task) == .noAnswer)
    }

    @Test func aMissingRouterIsAnErrorWithARemedy() async throws {
        let client = try client(connectTimeout: .milliseconds(30))
        let error = await #expect(throws: ClientError.self) { try await client.classify([1]) }
        #expect(error?.code == .noRouter)
        #expect(
            error?.description
                == "no router answered at \(endpoint) within 30 ms; start one with 'bifrons up' or name another with --router"
        )
        await #expect(throws: ClientError.self) { try await client.ping(timeout: .milliseconds(20)) }
    }

    @Test func callsWaitForARouterThatStartsLater() async throws {
        let client = try client()
        let task = Task { try await client.classify([1]) }
        let router = try ScriptedRouter(endpoint, context)
        try router.answer(try #require(try await router.receive()), #"{"status": 200}"#)
        #expect(try await task.value.document.status == .ok)
    }

    @Test func callsOfADeadRouterAreSentAgainAfterItsRestart() async throws {
        let client = try client()
        var router: ScriptedRouter? = try ScriptedRouter(endpoint, context)
        let tasks = (0..<3).map { index in
            Task { try await client.classify([UInt8(index)], try ClassifyOptions(budget: .seconds(9))) }
        }
        for _ in tasks { #expect(try await router?.receive() != nil) }
        router = nil
        let next = try ScriptedRouter(endpoint, context)
        for _ in tasks {
            let request = try #require(try await next.receive())
            #expect(!request.header.contains(#""budget_ms":9000"#))  // the time that has passed is subtracted
            try next.answer(request, #"{"status": 200, "attempts": \#(try #require(request.image)[0])}"#)
        }
        for (index, task) in tasks.enumerated() { #expect(try await task.value.document.attempts == index) }
    }

    @Test func callsThatNeverReachedADeadRouterAreSentOnlyOnce() async throws {
        let client = try client()
        var router: ScriptedRouter? = try ScriptedRouter(endpoint, context, holding: 1)
        let image = [UInt8](repeating: 1, count: 100_000)
        let tasks = (0..<50).map { _ in Task { try await client.classify(image) } }
        #expect(try await router?.receive() != nil)
        router = nil
        let next = try ScriptedRouter(endpoint, context)
        for _ in tasks {
            let request = try #require(try await next.receive())
            try next.answer(request, #"{"status": 200}"#)
        }
        for task in tasks { _ = try await task.value }
        let last = Task { try await client.classify([9]) }
        let request = try #require(try await next.receive())
        #expect(request.image?.count == 1)
        try next.answer(request, #"{"status": 200}"#)
        _ = try await last.value
    }

    @Test func callsOfADeadRouterGoToAnotherRouter() async throws {
        let other = folder.endpoint("other")
        let client = try client([endpoint, other])
        var first: ScriptedRouter? = try ScriptedRouter(endpoint, context)
        let task = Task { try await client.classify([7]) }
        #expect(try await first?.receive() != nil)
        let second = try ScriptedRouter(other, context)
        first = nil
        let request = try #require(try await second.receive())
        try second.answer(request, #"{"status": 200}"#)
        #expect(try await task.value.document.status == .ok)
    }

    @Test func callsAreSpreadOverTheRouters() async throws {
        let other = folder.endpoint("other")
        let routers = [try ScriptedRouter(endpoint, context), try ScriptedRouter(other, context)]
        let client = try client([endpoint, other])
        // A router that has received a request is connected. It holds the request until both have received one.
        var first: [ScriptedRouter.Request?] = [nil, nil]
        var pending: [Task<Reply, any Error>] = []
        while first.contains(where: { $0 == nil }) {
            pending.append(Task { try await client.classify([0]) })
            for (index, router) in routers.enumerated() {
                while let request = try await router.receive(milliseconds: 20) {
                    if first[index] == nil {
                        first[index] = request
                    } else {
                        try router.answer(request, #"{"status": 200}"#)
                    }
                }
            }
        }
        for (index, router) in routers.enumerated() { try router.answer(first[index]!, #"{"status": 200}"#) }
        for task in pending { _ = try await task.value }
        let tasks = (0..<10).map { _ in Task { try await client.classify([1]) } }
        var requests: [(ScriptedRouter, ScriptedRouter.Request)] = []
        for router in routers {
            for _ in 0..<5 { requests.append((router, try #require(try await router.receive()))) }
        }
        for (router, request) in requests { try router.answer(request, #"{"status": 200}"#) }
        for task in tasks { _ = try await task.value }
    }

    @Test func aCancelledTaskCancelsItsJobAtTheRouter() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let options = try ClassifyOptions(id: "job")
        let task = Task { try await client.classify([1], options) }
        let request = try #require(try await router.receive())
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let cancel = try #require(try await router.receive())
        #expect(cancel.header == #"{"verb":"cancel","id":"job"}"#)
        // The cancellation names the owner of the job.
        let owned = try ClassifyOptions(id: "job", owner: "ann")
        let another = Task { try await client.classify([1], owned) }
        _ = try #require(try await router.receive())
        another.cancel()
        await #expect(throws: CancellationError.self) { try await another.value }
        let second = try #require(try await router.receive())
        #expect(second.header == #"{"verb":"cancel","id":"job","owner":"ann"}"#)
        // Late answers are dropped.
        try router.answer(request, #"{"status": 408}"#)
        try router.answer(cancel, #"{"status": 200}"#)
        let next = Task { try await client.classify([2]) }
        try router.answer(try #require(try await router.receive()), #"{"status": 200}"#)
        #expect(try await next.value.document.status == .ok)
    }

    /// A router would cancel the latest job of an id, which may be another one.
    @Test func aCancelledTaskDoesNotCancelAnotherJobWithTheSameID() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let options = try ClassifyOptions(id: "job")
        let task = Task { try await client.classify([1], options) }
        _ = try #require(try await router.receive())
        let other = Task { try await client.classify([2], options) }
        let request = try #require(try await router.receive())
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let next = Task { try await client.classify([3]) }
        let following = try #require(try await router.receive())
        #expect(following.image == [3])
        for request in [request, following] { try router.answer(request, #"{"status": 200}"#) }
        #expect(try await other.value.document.status == .ok)
        #expect(try await next.value.document.status == .ok)
    }

    @Test func aRefusedJobIsRetriedWithTheSameIDAtItsRetryTime() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let task = Task { try await client.classify([1], patience: .milliseconds(1)) }
        let first = try #require(try await router.receive())
        let id = try #require(try RequestHeader.decode(Array(first.header.utf8)).id)
        let full = #"{"id": "\#(id)", "status": 429, "retry_after_ms": 1}"#
        try router.answer(first, full)
        // The patience is used up after the second try.
        let second = try #require(try await router.receive())
        #expect(try RequestHeader.decode(Array(second.header.utf8)).id == id)
        try router.answer(second, full)
        #expect(try await task.value.document.status == .tooManyRequests)
    }

    // MARK: Several routers

    private static let unknownJob = #"{"status": 404, "error": {"code": "unknown_job", "message": "no such job"}}"#

    @Test(arguments: [Verb.fetch, .cancel])
    func aJobIsLookedUpAtEveryRouterAndTheOneThatKnowsItAnswers(verb: Verb) async throws {
        let other = folder.endpoint("other")
        let routers = [try ScriptedRouter(endpoint, context), try ScriptedRouter(other, context)]
        let client = try client([endpoint, other])
        for knowing in routers.indices {
            let task = Task {
                try await verb == .fetch ? client.fetch("j", owner: "ann") : client.cancel("j", owner: "ann")
            }
            for (index, router) in routers.enumerated() {
                let request = try #require(try await router.receive())
                #expect(request.header.contains(#""verb":"\#(verb)","id":"j""#))
                #expect(request.header.contains(#""owner":"ann""#))
                try router.answer(request, index == knowing ? #"{"status": 202}"# : Self.unknownJob)
            }
            #expect(try await task.value.document.status == .accepted)
        }
    }

    @Test func aJobUnknownToEveryRouterIsNotFound() async throws {
        let other = folder.endpoint("other")
        let routers = [try ScriptedRouter(endpoint, context), try ScriptedRouter(other, context)]
        let client = try client([endpoint, other])
        let task = Task { try await client.request(RequestHeader(verb: .fetch, id: "j"), image: nil) }
        for router in routers { try router.answer(try #require(try await router.receive()), Self.unknownJob) }
        #expect(try await task.value == Array(Self.unknownJob.utf8))
    }

    /// A stored result may have any status. But a router that cannot look up a job has not answered 404.
    @Test func aFailedLookupIsNotReportedAsAnUnknownJob() async throws {
        let other = folder.endpoint("other")
        let routers = [try ScriptedRouter(endpoint, context), try ScriptedRouter(other, context)]
        let client = try client([endpoint, other])
        let failing = #"{"status": 503, "error": {"code": "journal_unavailable", "message": "the disk is gone"}}"#
        for answers in [[failing, Self.unknownJob], [Self.unknownJob, failing]] {
            let task = Task { try await client.request(RequestHeader(verb: .fetch, id: "j"), image: nil) }
            for (router, answer) in zip(routers, answers) {
                try router.answer(try #require(try await router.receive()), answer)
            }
            #expect(try await task.value == Array(failing.utf8))
        }
    }

    @Test func aJobUnknownElsewhereMayBeAtADisconnectedRouter() async throws {
        let away = folder.endpoint("away")
        let router = try ScriptedRouter(endpoint, context)
        let client = try client([away, endpoint], connectTimeout: .milliseconds(300))
        let task = Task { try await client.request(RequestHeader(verb: .fetch, id: "j"), image: nil) }
        try router.answer(try #require(try await router.receive()), Self.unknownJob)
        let error = await #expect(throws: ClientError.self) { try await task.value }
        #expect(error?.code == .noRouter)
        #expect(
            error?.description
                == "the job 'j' may be with a router that did not answer: \(away); no other knows it")
        // A router that is disconnected delays no answer of another.
        let known = Task { try await client.request(RequestHeader(verb: .fetch, id: "k"), image: nil) }
        try router.answer(try #require(try await router.receive()), #"{"status": 200}"#)
        #expect(try await known.value == Array(#"{"status": 200}"#.utf8))
    }

    @Test func requestsWithOneKeyGoToTheSameRouterFromEveryClient() async throws {
        let other = folder.endpoint("other")
        let endpoints = [endpoint, other]
        let routers = [try ScriptedRouter(endpoint, context), try ScriptedRouter(other, context)]
        let clients = [try client([endpoint, other]), try client([other, endpoint])]
        // Both clients are connected when both have an answer.
        for client in clients {
            let task = Task { try await client.request(RequestHeader(verb: .fetch, id: "j"), image: nil) }
            for router in routers { try router.answer(try #require(try await router.receive()), Self.unknownJob) }
            _ = try await task.value
        }
        for key in (0..<10).map({ "key-\($0)" }) {
            let owner = endpoints.indices.max {
                Rendezvous.weight(of: endpoints[$0], for: key) < Rendezvous.weight(of: endpoints[$1], for: key)
            }!
            let options = try ClassifyOptions(idempotencyKey: key)
            for client in clients {
                let task = Task { try await client.classify([1], options) }
                try routers[owner].answer(try #require(try await routers[owner].receive()), #"{"status": 200}"#)
                #expect(try await task.value.document.status == .ok)
            }
        }
    }

    @Test func closingFailsCallsInFlightAndLaterOnes() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let tasks = (0..<3).map { _ in Task { try await client.classify([1]) } }
        for _ in tasks { #expect(try await router.receive() != nil) }
        client.close()
        for task in tasks { #expect(await failure(task) == .closed) }
        #expect(await failure(Task { try await client.classify([1]) }) == .closed)
        client.close()
    }

    @Test func malformedMessagesAreDropped() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let task = Task { try await client.classify([1]) }
        let request = try #require(try await router.receive())
        let peer = request.envelope[0]
        try router.send([peer, []])
        try router.send([peer, [1, 2, 3], [], [4]])
        try router.send([peer, Array(repeating: 9, count: 8), [], Array("BIFRONS1".utf8), Array("{}".utf8)])
        try router.send([peer] + Array(repeating: [0], count: 40))
        try router.answer(request, #"{"status": 200}"#)
        #expect(try await task.value.document.status == .ok)
    }

    @Test(arguments: ["", "[]", "{", #"{"status": "fine"}"#])
    func unreadableAnswerIsAnError(_ text: String) async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let task = Task { try await client.classify([1]) }
        try router.answer(try #require(try await router.receive()), text)
        #expect(await failure(task) == .malformedAnswer)
    }

    @Test func pingMeasuresTheRoundTripTime() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let ping = Task { try await client.ping(timeout: .seconds(5)) }
        let request = try #require(try await router.receive())
        #expect(request.header.contains(#""verb":"ping""#))
        #expect(request.image == nil)
        try router.answer(request, #"{"status": 200}"#)
        #expect(try await ping.value > .zero)
    }

    @Test func pingDistinguishesABusyRouterFromAMissingOne() async throws {
        let nobody = try client([folder.endpoint("nobody")])
        let none = await #expect(throws: ClientError.self) {
            try await nobody.ping(timeout: .seconds(60), connectTimeout: .milliseconds(20))
        }
        #expect(none?.code == .noRouter)
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let ping = Task { try await client.ping(timeout: .seconds(2), connectTimeout: .milliseconds(1900)) }
        #expect(try await router.receive() != nil)
        let busy = await #expect(throws: ClientError.self) { try await ping.value }
        #expect(busy?.code == .noAnswer)
    }

    @Test(arguments: [Int.min, 0, .max])
    func anOutOfRangeBudgetIsClamped(_ budget: Int) async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        var header = RequestHeader(verb: .classify)
        header.budgetMilliseconds = budget
        let task = Task { [header] in try await client.request(header, image: [1]) }
        let request = try #require(try await router.receive())
        let sent = try RequestHeader.decode(Array(request.header.utf8))
        #expect(budget > 0 ? sent.budgetMilliseconds > 500_000 : sent.budgetMilliseconds == 1)
        try router.answer(request, #"{"status": 200}"#)
        _ = try await task.value
    }

    @Test func statusAndModelsReportsAreDecoded() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let models = ModelsReport(
            id: nil, models: [.init(name: "a", workers: 0, served: [])], locator: nil, policies: [])
        let askedModels = Task { try await client.models() }
        try router.answer(
            try #require(try await router.receive()), String(decoding: models.encoded(), as: UTF8.self))
        #expect(try await askedModels.value == models)
        let status = StatusReport(
            id: nil, router: .init(version: "1", uptimeS: 1, draining: false, answersPerSecond: 0),
            queue: .init(jobs: 0, maxJobs: 1, bytes: 0, maxBytes: 1, oldestMs: nil),
            models: [.init(name: "a", workers: 0, waiting: 0, inFlight: 0)], workers: [],
            latencyMs: .init(count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0), counters: .init())
        let askedStatus = Task { try await client.status() }
        try router.answer(
            try #require(try await router.receive()), String(decoding: status.encoded(), as: UTF8.self))
        #expect(try await askedStatus.value == status)
    }

    @Test func refusedReportIsAnErrorWithTheReason() async throws {
        let router = try ScriptedRouter(endpoint, context)
        let client = try client()
        let task = Task { try await client.status() }
        try router.answer(
            try #require(try await router.receive()),
            #"{"status": 503, "error": {"code": "draining", "message": "going away"}}"#)
        let error = await #expect(throws: ClientError.self) { try await task.value }
        #expect(error?.description == "the router answers status with 503: going away")
    }

    @Test func anImageOverTheSizeLimitIsNotSent() async throws {
        let client = try client()
        let image = [UInt8](repeating: 0, count: Limits.imageBytes + Limits.frameSlackBytes + 1)
        let reply = try await client.classify(image, try ClassifyOptions(id: "big"))
        #expect(reply.document.status == .tooLarge)
        #expect(reply.document.id == "big")
    }

    @Test func malformedEndpointIsRefusedAtOnce() {
        #expect(throws: ClientError.self) { try client(["nonsense"]) }
    }
}

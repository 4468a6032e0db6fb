import BifronsClient
import BifronsWire
import BifronsZeroMQ
import Testing

/// Runs the code of the library's articles (`BifronsClient.docc`) against a router with scripted answers.
/// `scripts/check` compares this code with the articles.
@Suite(.timeLimit(.minutes(5))) struct ArticleTests {
    private static let verdict = #"""
        {"status": 200, "verdict": {"label": "real", "ai_probability": 0.1, "action": "allow", "policy": "default"}}
        """#

    private let folder: TemporaryFolder
    private let router: ScriptedRouter
    private let endpoint: String

    init() throws {
        folder = try TemporaryFolder()
        endpoint = folder.endpoint("router")
        router = try ScriptedRouter(endpoint, try Context())
    }

    private func client() throws -> BifronsClient { try BifronsClient(BifronsClient.Options(routers: [endpoint])) }

    @Test func classifiesAFirstImage() async throws {
        let task = Task { [router = endpoint, image = [1, 2, 3] as [UInt8]] in
            // snippet: first
            let client = try BifronsClient(BifronsClient.Options(routers: [router]))
            let reply = try await client.classify(image)
            if let verdict = reply.document.verdict {
                print(verdict.label.rawValue, verdict.aiProbability ?? .nan, verdict.action.rawValue)
            } else if let problem = reply.document.error {
                print(reply.document.status.rawValue, problem.code, problem.message)
            }
            client.close()
            // end
        }
        let request = try #require(try await router.receive())
        #expect(request.image == [1, 2, 3])
        try router.answer(request, Self.verdict)
        try await task.value
    }

    @Test func reportsAMissingRouter() async throws {
        var options = BifronsClient.Options(routers: [folder.endpoint("nobody")])
        options.connectTimeout = .milliseconds(20)
        let client = try BifronsClient(options)
        let image: [UInt8] = [1]
        // snippet: error
        do {
            _ = try await client.classify(image)
        } catch let error as ClientError where error.code == .noRouter {
            print("nobody is there: \(error)")
        }
        // end
    }

    @Test func classifiesManyImagesConcurrently() async throws {
        let images = (0..<40).map { [UInt8($0)] }
        let client = try client()
        let task = Task {
            // snippet: many
            let replies = try await withThrowingTaskGroup(of: (Int, Reply).self) { group in
                var replies = [Reply?](repeating: nil, count: images.count)
                for (index, image) in images.enumerated() {
                    if index >= 32, let (done, reply) = try await group.next() { replies[done] = reply }
                    group.addTask { (index, try await client.classify(image, patience: .seconds(60))) }
                }
                for try await (done, reply) in group { replies[done] = reply }
                return replies
            }
            // end
            return replies
        }
        for _ in images {
            let request = try #require(try await router.receive())
            try router.answer(request, #"{"status": 200, "attempts": \#(try #require(request.image)[0])}"#)
        }
        #expect(try await task.value.map { $0?.document.attempts } == images.map { Int($0[0]) })
    }

    @Test func retriesAFullServiceWithinItsPatience() async throws {
        let client = try client()
        let image: [UInt8] = [1]
        let task = Task {
            // snippet: deadline
            let options = try ClassifyOptions(budget: .milliseconds(800), priority: 9, idempotencyKey: "upload-4711")
            let reply = try await client.classify(image, options, patience: .seconds(30))
            switch reply.document.status {
            case .ok, .partial: print(reply.document.verdict?.action.rawValue ?? "none")
            case .tooManyRequests: print("still full; come again in \(reply.document.retryAfterMilliseconds ?? 0) ms")
            case .timeout: print("not within the budget")
            default: print(reply.document.error?.message ?? "no reason given")
            }
            // end
        }
        let first = try #require(try await router.receive())
        #expect(first.header.contains(#""idempotency_key":"upload-4711""#))
        try router.answer(first, #"{"id": "a", "status": 429, "retry_after_ms": 1}"#)
        let second = try #require(try await router.receive())
        #expect(second.header.contains(#""id":"a""#))
        try router.answer(second, Self.verdict)
        try await task.value
    }

    @Test func submitsAndFetchesADurableJob() async throws {
        let client = try client()
        @Sendable func judge(_ image: [UInt8]) async throws -> Reply {
            // snippet: durable
            let options = try ClassifyOptions(id: "ticket-4711", durability: .detached)
            let receipt = try await client.classify(image, options)
            guard receipt.document.status == .accepted else { return receipt }
            var result = try await client.fetch("ticket-4711")
            while result.document.status == .accepted {
                try await Task.sleep(for: .seconds(1))
                result = try await client.fetch("ticket-4711")
            }
            return result
            // end
        }
        let task = Task { try await judge([1]) }
        let job = try #require(try await router.receive())
        #expect(job.header.contains(#""durable":true,"wait":false"#))
        try router.answer(job, #"{"id": "ticket-4711", "status": 202}"#)
        let fetch = try #require(try await router.receive())
        #expect(fetch.header.contains(#""verb":"fetch","id":"ticket-4711""#))
        try router.answer(fetch, Self.verdict)
        #expect(try await task.value.document.verdict?.label == .real)
    }
}

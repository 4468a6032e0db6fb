import BifronsWire
import BifronsZeroMQ
import TestKit
import Testing

extension EndToEndTests {
    /// Tests malformed requests and their error replies. After each, the router must still answer a good job.
    @Suite(.serialized) struct BadRequestTests {
        struct Case: CustomTestStringConvertible, Sendable {
            var testDescription: String
            var frames: [[UInt8]]
            var status: Int
            var code: String
            /// The number of frames that come back in front of the reply.
            var echoed = 0

            init(_ what: String, _ frames: [[UInt8]], _ status: Int, _ code: String, echoed: Int = 0) {
                testDescription = what
                self.frames = frames
                self.status = status
                self.code = code
                self.echoed = echoed
            }

            init(_ what: String, header: String, image: [UInt8]? = [1], _ status: Int, _ code: String) {
                self.init(what, Frames.request(header, image: image), status, code)
            }
        }

        static let ping = Array(#"{"verb":"ping"}"#.utf8)

        static let cases =
            frameCases + headerCases
            + [
                Case("no image frame", Frames.request(#"{"verb":"classify"}"#), 400, "image_missing"),
                Case("empty image frame", Frames.classify([]), 422, "image_empty"),
                Case(
                    "20 MB and a byte", Frames.classify(Array(repeating: 7, count: 20_000_001)), 413, "image_too_large"),
                Case("unknown verb", header: #"{"verb":"nope"}"#, 404, "unknown_verb"),
                Case("unknown model", header: #"{"verb":"classify","models":["vgg"]}"#, 404, "unknown_model"),
                Case("unknown policy", header: #"{"verb":"classify","policy":"x"}"#, 404, "unknown_policy"),
                Case("unknown job", header: #"{"verb":"cancel","id":"x"}"#, image: nil, 404, "unknown_job"),
                Case("nothing journalled", header: #"{"verb":"fetch","id":"x"}"#, image: nil, 404, "unknown_job"),
                Case("cancel without an id", header: #"{"verb":"cancel"}"#, image: nil, 400, "malformed_header"),
                Case("fetch without an id", header: #"{"verb":"fetch"}"#, image: nil, 400, "malformed_header"),
                Case("no journal", header: #"{"verb":"classify","durable":true}"#, 503, "journal_unavailable"),
            ]

        static let frameCases = [
            Case("eight envelope frames and no image", envelope(8), 400, "malformed_frames", echoed: 8),
            Case("nine envelope frames", envelope(9) + [Frames.magic, ping], 400, "malformed_frames"),
            Case("a hundred frames", Array(repeating: [1], count: 100), 400, "malformed_frames"),
            Case(
                "envelope of 20 KB", [Array(repeating: 1, count: 20_000), [], Frames.magic, ping], 400,
                "malformed_frames"),
            Case("wrong magic", [Array("BIFRONS9".utf8), ping], 400, "malformed_frames"),
            Case("no magic", [[], Array("HELLO".utf8), ping], 400, "malformed_frames", echoed: 1),
            Case("no header", [[], Frames.magic], 400, "malformed_frames", echoed: 1),
            Case("two images", Frames.classify([1]) + [[2]], 400, "malformed_frames"),
            Case("a hundred images", Frames.classify([1]) + Array(repeating: [2], count: 99), 400, "malformed_frames"),
        ]

        static let headerCases = [
            Case("header is not JSON", header: "verb=classify", 400, "malformed_header"),
            Case("header ends early", header: #"{"verb":"classify""#, 400, "malformed_header"),
            Case("header is empty", header: "", 400, "malformed_header"),
            Case("header is an array", header: #"["classify"]"#, 400, "malformed_header"),
            Case("header is not UTF-8", [Frames.magic, [0x7B, 0xFF, 0xFE, 0x7D], [1]], 400, "malformed_header"),
            Case(
                "header of 2 MB", [Frames.magic, Array(repeating: UInt8(ascii: " "), count: 2_000_000), [1]],
                400, "malformed_header"),
            Case(
                "header of a thousand brackets", header: #"{"x":"# + String(repeating: "[", count: 1000),
                400, "malformed_header"),
            Case("no verb", header: "{}", 400, "malformed_header"),
            Case("verb is a number", header: #"{"verb":1}"#, 400, "malformed_header"),
            Case("budget 0", header: #"{"verb":"classify","budget_ms":0}"#, 400, "malformed_header"),
            Case("budget 10^9", header: #"{"verb":"classify","budget_ms":1000000000}"#, 400, "malformed_header"),
            Case("budget is a text", header: #"{"verb":"classify","budget_ms":"5"}"#, 400, "malformed_header"),
            Case("budget is a fraction", header: #"{"verb":"classify","budget_ms":1.5}"#, 400, "malformed_header"),
            Case("priority 10", header: #"{"verb":"classify","priority":10}"#, 400, "malformed_header"),
            Case("models is a text", header: #"{"verb":"classify","models":"resnet"}"#, 400, "malformed_header"),
            Case("models is empty", header: #"{"verb":"classify","models":[]}"#, 400, "malformed_header"),
            Case("require is a word", header: #"{"verb":"classify","require":"some"}"#, 400, "malformed_header"),
            Case("explain is null", header: #"{"verb":"classify","explain":null}"#, 400, "malformed_header"),
            Case("metadata is an array", header: #"{"verb":"classify","metadata":[]}"#, 400, "malformed_header"),
            Case(
                "metadata of 5 KB",
                header: #"{"verb":"classify","metadata":{"x":""# + String(repeating: "x", count: 5000) + #""}}"#,
                400, "malformed_header"),
            Case(
                "id of 129 bytes", header: #"{"verb":"ping","id":""# + String(repeating: "x", count: 129) + #""}"#,
                400, "malformed_header"),
        ]

        static func envelope(_ frames: Int) -> [[UInt8]] {
            (1..<frames).map { [UInt8($0)] } + [[]]
        }

        @Test func everyMalformedRequestGetsItsStatusAndLaterJobsAreAnswered() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                for mistake in Self.cases {
                    let reply = try client.ask(mistake.frames)
                    #expect(reply.status == mistake.status, "\(mistake)")
                    #expect(reply.code == mistake.code, "\(mistake)")
                    #expect(reply.envelope == Array(mistake.frames.prefix(mistake.echoed)), "\(mistake)")
                    try expectService(client, workers)
                }
                #expect(
                    try client.status().counters.malformedRequests == Self.frameCases.count + Self.headerCases.count + 1
                )
            }
        }

        @Test func unknownFieldsAreIgnored() throws {
            try Cluster.run { cluster in
                let reply = try cluster.client().ask(
                    Frames.request(#"{"colour":{"deep":[1,{"x":null}]},"verb":"ping","id":"a","n":1e9}"#))
                #expect(reply.status == 200)
                #expect(reply.document.id == "a")
            }
        }

        @Test func everyFormOfEnvelopeIsEchoed() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                for envelope in [[], Self.envelope(1), Self.envelope(2), Self.envelope(8)] {
                    let reply = try client.ask(envelope + Frames.request(#"{"verb":"ping"}"#))
                    #expect(reply.status == 200)
                    #expect(reply.hasMagic)
                    #expect(reply.envelope == envelope)
                }
            }
        }

        @Test func aBareImageIsACompleteJob() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                let workers = try cluster.testWorkers()
                for envelope in [[], Self.envelope(1), Self.envelope(8)] {
                    try client.send(envelope + [[1, 2, 3]])
                    for worker in workers { try worker.scoreNextJob() }
                    let reply = try client.receive()
                    #expect(reply.status == 200)
                    #expect(!reply.hasMagic)
                    #expect(reply.envelope == envelope)
                }
            }
        }

        /// Tests the message that `ZMQ_PROBE_ROUTER` sends, and a DEALER that sends the same message itself.
        @Test func probesAreNotAnswered() throws {
            try Cluster.run { cluster in
                var options = SocketOptions()
                options.probeRouter = true
                let client = try cluster.client(options: options)
                try client.send([[]])
                #expect(try client.ask(Frames.request(#"{"verb":"ping","id":"first"}"#)).document.id == "first")
                #expect(try client.peer.receive(milliseconds: 0) == nil)
            }
        }

        @Test func aFrameFarOverTheLimitEndsOnlyItsConnection() throws {
            try Cluster.run { cluster in
                let client = try cluster.client()
                try client.send(Frames.classify(Array(repeating: 7, count: 30_000_000)))
                // libzmq reconnects, and messages sent on the new connection are read.
                try expectService(try cluster.client(), try cluster.testWorkers())
                #expect(try client.peer.receive(milliseconds: 0) == nil)
            }
        }

        @Test func jobsOfClientsThatDisconnectAreCancelled() throws {
            try Cluster.run { cluster in
                let workers = try ["resnet", "inception"].map {
                    try cluster.worker(.init("test-\($0)", serving: $0, credit: 256))
                }
                for _ in 0..<50 {
                    var options = SocketOptions()
                    options.linger = .seconds(5)
                    try cluster.client(options: options).send(Frames.classify([1, 2, 3]))
                }
                let client = try cluster.client()
                var status = try client.status()
                for _ in 0..<Bounds.patience where status.counters.cancelled < 50 { status = try client.status() }
                // Jobs whose crops were cut by then are with the workers.
                for _ in 0..<Bounds.patience where try client.status().models.contains(where: { $0.inFlight > 0 }) {
                    for worker in workers { try worker.scoreArrivedJobs() }
                }
                try expectService(client, workers)
                status = try client.status()
                #expect(status.queue.jobs == 0)
                #expect(status.counters.accepted == 51)
                #expect(status.counters.cancelled == 50)
            }
        }

        @Test func aClientThatNeverReadsDoesNotBlockOthers() throws {
            // A router with a short queue also lets few replies wait.
            try Cluster.run(router: ["--max-jobs=1"]) { cluster in
                var options = SocketOptions()
                options.receiveHighWater = 1
                let deaf = try cluster.client(options: options)
                // The replies take more memory than the sockets and queues on the way can hold.
                let envelope: [[UInt8]] = [Array(repeating: 1, count: Limits.envelopeBytes), []]
                for _ in 0..<4000 { try deaf.send(envelope + Frames.request(#"{"verb":"ping"}"#)) }
                let client = try cluster.client()
                try expectService(client, try cluster.testWorkers())
                var tries = Bounds.patience / 5
                while try client.status().counters.undelivered == 0, tries > 0 {
                    // Also the pause between two checks: no message arrives without a request.
                    #expect(try client.peer.receive(milliseconds: 5) == nil)
                    tries -= 1
                }
                #expect(tries > 0, "every reply was taken")
                #expect(try client.ask(Frames.request(#"{"verb":"ping"}"#)).status == 200)
            }
        }
    }
}

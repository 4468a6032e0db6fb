import BifronsWire
import FoundationEssentials
import TestKit
import Testing

extension EndToEndTests {
    /// Tests clients of the real gateway that leave before their answer, and clients that only seem to.
    @Suite(.serialized) struct GatewayDepartureTests {
        private static let image = ["Content-Type: image/jpeg"]
        private static let path = "/v1/classify?budget_ms=60000"

        /// Returns the next final answer, and the number of interim answers (102) before it.
        private func finalAnswer(_ connection: HTTPConnection) throws -> (answer: HTTPConnection.Answer, interim: Int) {
            var interim = 0
            while true {
                let answer = try connection.receive()
                if answer.status >= 200 { return (answer, interim) }
                #expect(answer.status == 102)
                interim += 1
            }
        }

        @Test(arguments: [path, "/?budget_ms=60000"])
        func theJobOfAClientThatDisconnectsIsCancelled(path: String) throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let (headers, body) = TestGateway.form([("file", "a.jpg", [1, 2, 3])])
                var connection: HTTPConnection? = try gateway.connect()
                try connection?.send("POST", path, headers, body: body)
                for worker in workers { _ = try worker.job() }
                let client = try cluster.client()
                #expect(try client.status().queue.jobs == 1)
                connection = nil
                try gateway.process.wait { try client.status().counters.cancelled == 1 }
                #expect(try client.status().queue.jobs == 0)
                try gateway.process.wait { gateway.process.standardError.contains("status=499") }
                #expect(!gateway.process.standardError.contains("request failed"))
                // The gateway continues to serve.
                let next = try gateway.connect()
                try next.send("POST", path, headers, body: body)
                for worker in workers { try worker.scoreNextJob() }
                #expect(try next.receive().status == 200)
            }
        }

        @Test func allImagesOfAClientThatDisconnectsAreCancelled() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                let (headers, body) = TestGateway.form((0..<3).map { ("file", "\($0).jpg", [1, 2, UInt8($0)]) })
                var connection: HTTPConnection? = try gateway.connect()
                try connection?.send("POST", Self.path, headers, body: body)
                let client = try cluster.client()
                try gateway.process.wait { try client.status().queue.jobs == 3 }
                connection = nil
                try gateway.process.wait { try client.status().counters.cancelled == 3 }
                _ = workers
            }
        }

        @Test func aDurableJobContinuesWhenItsClientDisconnects() throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                var connection: HTTPConnection? = try gateway.connect()
                try connection?.send("POST", "/v1/jobs?id=d&budget_ms=60000", Self.image, body: [1, 2, 3])
                connection = nil
                for worker in workers { try worker.scoreNextJob() }
                try gateway.process.wait { try gateway.ask("GET", "/v1/jobs/d").status != 202 }
                #expect(try gateway.ask("GET", "/v1/jobs/d").status == 200)
                #expect(try cluster.client().status().counters.cancelled == 0)
            }
        }

        @Test(arguments: ["/v1/classify", "/v1/jobs"])
        func anAbortedUploadIsNeitherAJobNorAnError(path: String) throws {
            let folder = try TemporaryFolder()
            try Cluster.run(router: ["--journal=\(folder.path)"]) { cluster in
                let workers = try cluster.testWorkers()
                let gateway = try cluster.startGateway()
                var connection: HTTPConnection? = try gateway.connect()
                try connection?.send(
                    "POST", path, Self.image + ["Content-Length: 1000", "Expect: 100-continue"])
                #expect(try connection?.receive().status == 100)
                try connection?.send([1, 2, 3])
                connection?.endByReset()
                connection = nil
                try gateway.process.wait { gateway.process.standardError.contains("path=\(path) status=499") }
                #expect(!gateway.process.standardError.contains("request failed"))
                #expect(try cluster.client().status().counters.accepted == 0)
                _ = workers
            }
        }

        @Test func aHalfClosedClientIsAnswered() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                // Two pipelined requests.
                for id in ["a", "b"] {
                    try connection.send("POST", Self.path + "&id=\(id)", Self.image, body: [1, 2, 3])
                }
                connection.endSending()
                var interim = 0
                for id in ["a", "b"] {
                    for worker in workers { try worker.scoreNextJob() }
                    let (answer, before) = try finalAnswer(connection)
                    #expect(answer.status == 200)
                    #expect(answer.text.contains("\"id\":\"\(id)\""))
                    interim += before
                }
                #expect(interim > 0)
                try connection.waitForEnd()
                #expect(try cluster.client().status().counters.cancelled == 0)
            }
        }

        /// A client of HTTP/1.0 would take an interim answer for the final one.
        @Test func anHTTP10ClientGetsNoInterimAnswers() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                try connection.send(
                    "POST \(Self.path) HTTP/1.0\r\nExpect: 100-continue\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabc"
                )
                connection.endSending()
                for worker in workers { try worker.scoreNextJob() }
                #expect(try connection.receive().status == 200)
            }
        }
    }
}

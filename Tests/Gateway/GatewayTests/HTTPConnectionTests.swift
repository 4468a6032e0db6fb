import TestKit
import Testing

/// Requests byte for byte, and their timing, over real connections.
@Suite(.serialized, .ownThread) struct HTTPConnectionTests {
    private static let image = ["Content-Type: image/jpeg"]
    private static let good = "GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n"

    private func expectProblem(
        _ answer: HTTPConnection.Answer, _ status: Int, _ code: String, _ request: String
    ) {
        #expect(answer.status == status, "\(request.prefix(80).debugDescription)")
        #expect(answer.headers["content-type"] == "application/problem+json")
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["traceparent"] != nil)
        #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
        #expect(answer.text.contains("\"status\":\(status)"))
    }

    // MARK: Invalid requests

    @Test func anHTTP11RequestNeedsExactlyOneValidHost() throws {
        try Edge.serve { edge in
            let connection = try edge.connect()
            for hosts in [
                [], ["a", "a"], ["a", "b"], ["", ""], ["a b"], ["a/b"], ["user@a"], ["a:b"], ["a:1:2"], ["[::1"],
                ["[]"],
                ["::1"], ["a\\b"], ["%zz"], ["a, b"], ["ä"], ["http://a"], ["a#b"], ["<a>"],
            ] {
                for method in ["GET", "HEAD", "PUT"] {
                    for path in ["/healthz", "/nothing", "http://a/healthz"] {
                        let fields = hosts.map { "Host: \($0)\r\n" }.joined()
                        let request = "\(method) \(path) HTTP/1.1\r\n\(fields)\r\n"
                        try connection.send(request)
                        let answer = try connection.receive(to: method)
                        if method == "HEAD" {
                            #expect(answer.status == 400, "\(request)")
                        } else {
                            expectProblem(answer, 400, "malformed_request", request)
                        }
                    }
                }
            }
            for host in [
                "a", "", "a:", "a:1", "127.0.0.1:5000", "[::1]:5000", "a_b.example", "%41", "xn--p1ai", " a ",
            ] {
                try connection.send("GET /healthz HTTP/1.1\r\nhOST:\(host)\r\n\r\n")
                #expect(try connection.receive().status == 200, "\(host)")
            }
        }
    }

    @Test func anHTTP10RequestNeedsNoHost() throws {
        try Edge.serve { edge in
            for (fields, status) in [
                ("", 200), ("Host: a\r\n", 200), ("Host: a\r\nHost: a\r\n", 400), ("Host: @\r\n", 400),
            ] {
                let connection = try edge.connect()
                try connection.send("GET /healthz HTTP/1.0\r\n\(fields)\r\n")
                #expect(try connection.receive().status == status, "\(fields)")
            }
        }
    }

    @Test func theConnectionEndsAfterTheAnswerOnRequest() throws {
        try Edge.serve(["BIFRONS_HTTP_TIMEOUT": "10m"]) { edge in
            for request in [
                "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
                "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
            ] {
                let connection = try edge.connect()
                try connection.send(request)
                #expect(try connection.receive().status == 200)
                try connection.waitForEnd()
            }
        }
    }

    /// The connection also ends, although the client keeps it open.
    @Test(arguments: [
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", 400), ("GET\r\n\r\n", 400), ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400), ("GET / FTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\u{0}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 16_400))\r\n\r\n", 431),
        (
            "GET / HTTP/1.1\r\n\(String(repeating: "X: \(String(repeating: "x", count: 400))\r\n", count: 50))\r\n",
            431
        ),
        ("GET / HTTP/1.1\r\n\(String(repeating: "X: x\r\n", count: 101))\r\n", 431),
        ("GET /\(String(repeating: "x", count: 16_400)) HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\n\(String(repeating: "x", count: 16_400))", 431),
    ])
    func aMalformedRequestIsAnsweredWithTheReason(_ request: String, _ status: Int) throws {
        try Edge.serve { edge in
            let code = status == 431 ? "header_too_large" : "malformed_request"
            let connection = try edge.connect()
            // The invalid request is answered in order, after a valid one.
            try connection.send(Self.good + request)
            #expect(try connection.receive().status == 200)
            let answer = try connection.receive()
            expectProblem(answer, status, code, request)
            #expect(answer.headers["connection"] == "close")
            // Nothing follows the answer, and further input has no effect.
            try? connection.send(Self.good)
            try connection.waitForEnd()
            #expect(edge.logged.contains("status=\(status)"))
            #expect(!edge.logged.contains("request failed"))
            #expect(try edge.ask("GET", "/metrics").text.contains("method=\"other\",status=\"\(status)\"} 1\n"))
        }
    }

    @Test func aTruncatedRequestIsAnsweredWithAProblem() throws {
        try Edge.serve { edge in
            let head = "POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n"
            for request in [
                "GET / HTT", head, head + "Content-Length: 10\r\n\r\n", head + "Content-Length: 10\r\n\r\nabc",
                head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
            ] {
                let connection = try edge.connect()
                try connection.send(request)
                connection.endSending()
                var answer = try connection.receive()
                // The gateway may send 102 to find out whether the client is still connected.
                if answer.status == 102 { answer = try connection.receive() }
                expectProblem(answer, 400, "malformed_request", request)
                try connection.waitForEnd()
            }
        }
    }

    @Test func aMalformedBodyIsAnsweredWithTheReason() throws {
        try Edge.serve { edge in
            let head = "POST /v1/classify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let fields = String(repeating: "X: \(String(repeating: "x", count: 400))\r\n", count: 50)
            for (chunks, status, code) in [
                ("x\r\n", 400, "malformed_request"), ("3\r\nabcd\r\n", 400, "malformed_request"),
                ("3\r\nabc\r\n0\r\n\(fields)\r\n", 431, "header_too_large"),
            ] {
                let connection = try edge.connect()
                try connection.send(head + chunks)
                expectProblem(try connection.receive(), status, code, chunks)
                try connection.waitForEnd()
            }
        }
    }

    // MARK: Limits

    @Test(arguments: [true, false])
    func bodyOverTheLimitIsRefusedBeforeItsEnd(saysItsLength: Bool) throws {
        try Edge.serve(["BIFRONS_IMAGE_BYTES": "1000000"]) { edge in
            let connection = try edge.connect()
            let length = saysItsLength ? "Content-Length: 100000000" : "Transfer-Encoding: chunked"
            try connection.send("POST", "/v1/classify", Self.image + [length])
            let piece = [UInt8](repeating: 7, count: 100_001)
            for _ in 0..<(saysItsLength ? 1 : 11) {
                try connection.send(saysItsLength ? piece : Array("186a1\r\n".utf8) + piece + Array("\r\n".utf8))
            }
            let answer = try connection.receive()
            #expect(answer.status == 413)
            #expect(answer.headers["connection"] == "close")
            try connection.waitForEnd()
        }
    }

    @Test func slowClientsAreDisconnectedAndOthersServed() throws {
        try Edge.serve(["BIFRONS_HTTP_TIMEOUT": "2s"]) { edge in
            let silent = try edge.connect()
            let header = try edge.connect()
            try header.send("POST /v1/classify HTTP/1.1\r\nHost: g")
            let body = try edge.connect()
            try body.send("POST", "/v1/classify", Self.image + ["Content-Length: 1000"])
            try body.send([1])
            #expect(try edge.ask("GET", "/healthz").status == 200)
            #expect(try body.receive().status == 408)
            for connection in [silent, header, body] { try connection.waitForEnd() }
        }
    }

    @Test func connectionsBeyondTheLimitWaitForTheirTurn() throws {
        try Edge.serve(["BIFRONS_HTTP_CONNECTIONS": "2"]) { edge in
            var first: [HTTPConnection] = try (0..<2).map { _ in try edge.connect() }
            for connection in first {
                try connection.send("GET", "/healthz")
                #expect(try connection.receive().status == 200)
            }
            let waiting = try edge.connect()
            try waiting.send("GET", "/healthz")
            first = []
            #expect(try waiting.receive().status == 200)
        }
    }
}

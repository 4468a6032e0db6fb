import BifronsWire
import TestImages
import TestKit
import Testing

extension EndToEndTests {
    /// Tests requests byte for byte: malformed ones, and uploads in every form that clients use.
    @Suite(.serialized) struct GatewayProtocolTests {
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

        // MARK: Malformed requests

        @Test func requestOfHTTP11HasOneHostThatIsOne() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let connection = try gateway.connect()
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

        @Test func requestOfHTTP10NeedsNoHost() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                for (fields, status) in [
                    ("", 200), ("Host: a\r\n", 200), ("Host: a\r\nHost: a\r\n", 400), ("Host: @\r\n", 400),
                ] {
                    let connection = try gateway.connect()
                    try connection.send("GET /healthz HTTP/1.0\r\n\(fields)\r\n")
                    #expect(try connection.receive().status == status, "\(fields)")
                }
            }
        }

        @Test func connectionEndsBehindTheAnswerForWhoWantsThat() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway(["--http-timeout=10m"])
                for request in [
                    "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
                ] {
                    let connection = try gateway.connect()
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
        func requestThatCannotBeReadIsToldWhy(_ request: String, _ status: Int) throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let code = status == 431 ? "header_too_large" : "malformed_request"
                let connection = try gateway.connect()
                // A good request before it is answered first.
                try connection.send(Self.good + request)
                #expect(try connection.receive().status == 200)
                let answer = try connection.receive()
                expectProblem(answer, status, code, request)
                #expect(answer.headers["connection"] == "close")
                // After the answer the gateway sends nothing, and further requests change nothing.
                try? connection.send(Self.good)
                try connection.waitForEnd()
                #expect(gateway.process.standardError.contains("status=\(status)"))
                #expect(!gateway.process.standardError.contains("request failed"))
                #expect(try gateway.ask("GET", "/metrics").text.contains("method=\"other\",status=\"\(status)\"} 1\n"))
            }
        }

        @Test func requestThatEndsTooEarlyIsToldSo() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let head = "POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n"
                for request in [
                    "GET / HTT", head, head + "Content-Length: 10\r\n\r\n", head + "Content-Length: 10\r\n\r\nabc",
                    head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                ] {
                    let connection = try gateway.connect()
                    try connection.send(request)
                    connection.endSending()
                    var answer = try connection.receive()
                    // An interim answer (102) may come first.
                    if answer.status == 102 { answer = try connection.receive() }
                    expectProblem(answer, 400, "malformed_request", request)
                    try connection.waitForEnd()
                }
            }
        }

        @Test func bodyThatCannotBeReadIsToldWhy() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let head = "POST /v1/classify HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                let fields = String(repeating: "X: \(String(repeating: "x", count: 400))\r\n", count: 50)
                for (chunks, status, code) in [
                    ("x\r\n", 400, "malformed_request"), ("3\r\nabcd\r\n", 400, "malformed_request"),
                    ("3\r\nabc\r\n0\r\n\(fields)\r\n", 431, "header_too_large"),
                ] {
                    let connection = try gateway.connect()
                    try connection.send(head + chunks)
                    expectProblem(try connection.receive(), status, code, chunks)
                    try connection.waitForEnd()
                }
            }
        }

        // MARK: Uploads

        private func score(
            _ workers: [TestWorker], _ connection: HTTPConnection, _ what: String
        ) throws {
            for worker in workers { try worker.scoreNextJob() }
            let answer = try connection.receive()
            #expect(answer.status == 200, "\(what): \(answer.text)")
        }

        @Test func bodyIsAPictureWhateverImageItsTypeNames() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                for type in [
                    nil, "", "image/jpeg", "image/png", "IMAGE/WebP; x=y", "image/*", "application/octet-stream",
                    "application/octet-stream; charset=binary", "binary/octet-stream", "Binary/Octet-Stream ; a=b",
                ] {
                    let fields = type.map { ["Content-Type: \($0)"] } ?? []
                    try connection.send("POST", "/v1/classify?budget_ms=60000", fields, body: [0xFF, 0xD8, 0xFF])
                    try score(workers, connection, type ?? "none")
                }
                for type in [
                    "text/plain", "application/json", "application/x-www-form-urlencoded", "octet-stream", "image",
                    "application/octet-streams", "video/mp4", "multipart/mixed; boundary=b",
                ] {
                    try connection.send("POST", "/v1/classify", ["Content-Type: \(type)"], body: [0xFF, 0xD8, 0xFF])
                    let answer = try connection.receive()
                    #expect(answer.status == 415, "\(type)")
                    #expect(answer.text.contains("content_type_unknown"))
                }
            }
        }

        /// Each form has one file and no field, and the worker gets the file's bytes.
        @Test func partOfAFormIsAFileHoweverItIsNamed() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                let latin1 = Array("Content-Disposition: form-data; name=\"file\"; filename=\"caf".utf8) + [0xE9, 0x22]
                for heading in [
                    latin1, Array("Content-Disposition: form-data; name=\"file\"; filename*=utf-8''%D1%82.jpg".utf8),
                    Array("Content-Disposition: form-data; name=f; filename*=iso-8859-1''caf%E9.jpg".utf8),
                    Array("Content-Disposition: form-data; name=f; filename*=nonsense".utf8),
                    Array("Content-Disposition: form-data; name=f; filename=\"\\\"a\\\\\"; filename*=UTF-8''b".utf8),
                    Array("Content-Disposition: form-data; name=f\r\nContent-Type: image/jpeg".utf8),
                    Array("Content-Disposition: form-data; name=f".utf8),
                ] {
                    let picture: [UInt8] = [0xFF, 0xD8, 0xFF, 0x0D, 0x0A]
                    let body =
                        Array("--b\r\n".utf8) + heading + Array("\r\n\r\n".utf8) + picture
                        + Array("\r\n--b\r\nContent-Disposition: form-data; name=explain\r\n\r\nTrue\r\n--b--".utf8)
                    try connection.send(
                        "POST", "/v1/classify?budget_ms=60000", ["Content-Type: multipart/form-data; boundary=b"],
                        body: body)
                    try score(workers, connection, String(decoding: heading, as: UTF8.self))
                }
            }
        }

        @Test func booleansAreReadInQueryAndForm() throws {
            try Cluster.run { cluster in
                let workers = try cluster.testWorkers()
                let connection = try cluster.startGateway().connect()
                func send(_ text: String, inQuery: Bool) throws {
                    let fields = inQuery ? [:] : ["explain": text]
                    let (headers, body) = TestGateway.form([("file", "a.jpg", [1, 2, 3])], fields)
                    let query = inQuery ? "&explain=\(text)" : ""
                    try connection.send("POST", "/v1/classify?budget_ms=60000" + query, headers, body: body)
                }
                for inQuery in [true, false] {
                    for text in ["true", "True", "FALSE", "1", "0"] {
                        try send(text, inQuery: inQuery)
                        try score(workers, connection, text)
                    }
                    for text in ["", "yes", "2", "None"] {
                        try send(text, inQuery: inQuery)
                        let answer = try connection.receive()
                        expectProblem(answer, 400, "malformed_header", text)
                        #expect(answer.text.contains("the field 'explain' must be true, false, 1 or 0, not '\(text)'"))
                    }
                }
                for (query, status) in [
                    ("?explain", 400), ("?explain=1&explain=x", 400), ("?explain=x&explain=1", 400),
                ] {
                    try connection.send("POST", "/v1/classify" + query, [], body: [1])
                    #expect(try connection.receive().status == status)
                }
                try connection.send("POST", "/v1/classify?explain=0&explain=True", [], body: [1])
                try score(workers, connection, "the last of two")
            }
        }

        // MARK: Retry-After

        @Test func refusalForTheMomentSaysWhenToComeAgain() throws {
            try Cluster.run { cluster in
                let gateway = try cluster.startGateway()
                let (headers, body) = TestGateway.form([("file", "a.jpg", [1, 2, 3])])
                for (method, path, code) in [
                    ("POST", "/v1/classify", "no_worker"), ("POST", "/v1/classify?require=all", "no_worker"),
                    ("POST", "/v1/jobs", "journal_unavailable"), ("GET", "/readyz", "no_worker"),
                ] {
                    let answer = try gateway.ask(
                        method, path, method == "GET" ? [] : headers, body: method == "GET" ? nil : body)
                    expectProblem(answer, 503, code, path)
                    #expect(answer.headers["retry-after"] == "5", "\(path)")
                }
                #expect(try gateway.ask("POST", "/", headers, body: body).headers["retry-after"] == "5")
            }
        }
    }
}

import FoundationEssentials
import HTTPTypes
import Hashing
import Hummingbird
import TestKit
import Testing

@testable import Gateway

/// The gateway's own handling of requests.
@Suite struct EdgeTests {
    private static let image: HTTPFields = [.contentType: "image/jpeg"]
    private static let form: HTTPFields = [.contentType: "multipart/form-data; boundary=b"]

    @Test(arguments: [
        ("POST", "/v1/classify?budget_ms=0", "image/jpeg", 400, "malformed_header"),
        ("POST", "/v1/classify?%zz=1", "image/jpeg", 400, "malformed_query"),
        ("POST", "/v1/classify", "text/plain", 415, "content_type_unknown"),
        ("POST", "/v1/classify", "multipart/form-data", 400, "malformed_form"),
        ("POST", "/v1/classify", "multipart/form-data; boundary=b", 400, "malformed_form"),
        ("GET", "/nothing", nil, 404, "unknown_path"), ("PUT", "/v1/classify", nil, 405, "method_not_allowed"),
    ])
    func aBadRequestIsAnsweredWithAProblemDocument(
        _ method: String, _ path: String, _ type: String?, _ status: Int, _ code: String
    ) async throws {
        let edge = try Edge()
        let answer = try await edge.ask(
            #require(HTTPRequest.Method(method)), path, type.map { [.contentType: $0] } ?? [:],
            body: Array("anything".utf8))
        #expect(answer.status == status)
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(answer.text.contains("\"code\":\"\(code)\""), "\(answer.text)")
        #expect(edge.router.requests.isEmpty)
    }

    @Test func anImageOneByteOverTheLimitIsRefused() async throws {
        let edge = try Edge()
        let image = [UInt8](repeating: 7, count: 20_000_001)
        let refused = try await edge.ask(.post, "/v1/classify", Self.image, body: image)
        #expect(refused.status == 413)
        #expect(refused.text.contains("image_too_large"))
        let form = Edge.form([("file", "a.jpg", image)]).body
        #expect(try await edge.ask(.post, "/v1/classify", Self.form, body: form).status == 413)
        #expect(edge.router.requests.isEmpty)
        #expect(try await edge.ask(.post, "/v1/classify", Self.image, body: Array(image.dropLast())).status == 200)
        #expect(edge.router.requests.map(\.image?.count) == [20_000_000])
    }

    @Test func requestsOfOneAddressAreLimited() async throws {
        let edge = try Edge(["BIFRONS_HTTP_CLIENT_REQUESTS": "2"])
        let listeners = [
            try await edge.respond(to: .get, "/v1/events"), try await edge.respond(to: .get, "/v1/events"),
        ]
        #expect(listeners.allSatisfy { $0.status == .ok })
        let refused = try await edge.ask(.get, "/healthz")
        #expect(refused.status == 429)
        #expect(refused.headers[.retryAfter] == "1")
        withExtendedLifetime(listeners) {}
    }

    @Test func onlyConfiguredOriginsAreAllowed() async throws {
        let edge = try Edge(["BIFRONS_CORS_ORIGIN": "https://a.example"])
        let preflight: HTTPFields = [.origin: "https://a.example", .accessControlRequestMethod: "POST"]
        let allowed = try await edge.ask(.options, "/v1/classify", preflight)
        #expect(allowed.status == 204)
        #expect(allowed.headers[.accessControlAllowOrigin] == "https://a.example")
        let other = try await edge.ask(.get, "/healthz", [.origin: "https://b.example"])
        #expect(other.headers[.accessControlAllowOrigin] == nil)
        #expect(try await Edge().ask(.options, "/v1/classify", preflight).status == 405)
    }

    @Test func everyAnswerHasSecurityHeadersAndATrace() async throws {
        let edge = try Edge()
        let trace = "0af7651916cd43dd8448eb211c80319c"
        for path in ["/healthz", "/nothing", "/v1/models"] {
            let answer = try await edge.ask(.get, path, [.traceparent: "00-\(trace)-b7ad6b7169203331-01"])
            #expect(answer.headers[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
            #expect(answer.headers[.xContentTypeOptions] == "nosniff")
            #expect(answer.headers[.traceparent]?.contains(trace) == true)
        }
        #expect(edge.logged.contains("trace=\(trace)"))
    }

    @Test func aClientMayNotNameAnOwner() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/tokens-\(UInt64.random(in: 0 ... .max))"
        let list = "ann \(SHA256.hexDigest(of: Array("token of ann".utf8)))\n"
        #expect(FileManager.default.createFile(atPath: path, contents: Data(list.utf8)))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let bearer: HTTPFields = [.authorization: "Bearer token of ann"]
        let form = Edge.form([("file", "a.jpg", [1])], ["owner": "bob"]).body
        for edge in [try Edge(["BIFRONS_TOKENS": path]), try Edge()] {
            let answers = [
                try await edge.ask(.post, "/v1/classify?owner=bob", bearer + Self.image, body: [1]),
                try await edge.ask(.post, "/v1/jobs?owner=bob", bearer + Self.image, body: [1]),
                try await edge.ask(.post, "/v1/classify", bearer + Self.form, body: form),
            ]
            for answer in answers {
                #expect(answer.status == 400 && answer.text.contains("not_allowed"), "\(answer.text)")
            }
            #expect(edge.router.requests.isEmpty)
        }
    }
}

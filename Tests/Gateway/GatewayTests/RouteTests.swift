import BifronsWire
import HTTPTypes
import Hummingbird
import Testing

@testable import Gateway

@Suite struct RouteTests {
    @Test func jobIDsInPathsArePercentDecoded() async throws {
        let edge = try Edge()
        for method in [HTTPRequest.Method.get, .delete] {
            #expect(try await edge.ask(method, "/v1/jobs/a%2Fb%20c").status == 200)
        }
        #expect(edge.router.requests.map(\.header.verb) == [.fetch, .cancel])
        #expect(edge.router.requests.map(\.header.id) == ["a/b c", "a/b c"])
        #expect(PercentEncoding.encode("a/b c~é") == "a%2Fb%20c~%C3%A9")
    }

    @Test(arguments: [
        "", "/v1", "/v1/classify/", "/v1/jobs/", "/v1/jobs/a/b", "/v1/jobs/%", "/v1/jobs/%ff", "/v1/jobs/%0",
        "/assets/",
        "/assets/../index.html", "//", "/Status",
    ])
    func unknownPathsAreNotFound(_ path: String) async throws {
        let edge = try Edge()
        #expect(!edge.routes.contains { $0.path.leads(to: path) })
        // The target of a request cannot be empty.
        for method in [HTTPRequest.Method.get, .post, .put, .delete] where !path.isEmpty {
            let answer = try await edge.ask(method, path)
            #expect(answer.status == 404 && answer.text.contains("unknown_path"), "\(method): \(answer.text)")
        }
        #expect(edge.router.requests.isEmpty)
    }

    @Test func metricsGroupPathsByRoute() async throws {
        let edge = try Edge()
        for path in ["/v1/jobs/1", "/v1/jobs/2", "/assets/a", "/v1//jobs/1"] { _ = try await edge.ask(.get, path) }
        let text = try await edge.ask(.get, "/metrics").text
        #expect(text.contains(#"{route="/v1/jobs/{id}",method="GET",status="200"} 2"# + "\n"))
        #expect(text.contains(#"{route="/assets/{name}",method="GET",status="404"} 1"# + "\n"))
        #expect(text.contains(#"{route="other",method="other",status="404"} 1"# + "\n"))
    }

    /// The list of methods in a preflight response and in a 405 is derived from the routes.
    @Test func unsupportedMethodsAreAnsweredWithTheAllowedOnes() async throws {
        let edge = try Edge(["BIFRONS_CORS_ORIGIN": "*"])
        for (path, methods) in [
            ("/", "GET, HEAD, POST"), ("/v1/jobs", "POST"), ("/v1/jobs/a", "DELETE, GET, HEAD"),
            ("/status", "GET, HEAD"), ("/docs", "GET, HEAD"),
        ] {
            #expect(try await edge.ask(.put, path).headers[.allow] == methods, "\(path)")
            let preflight = try await edge.ask(.options, path, [.origin: "https://a.example"])
            #expect(preflight.headers[.accessControlAllowMethods] == methods.replacing(", HEAD", with: ""))
        }
    }
}

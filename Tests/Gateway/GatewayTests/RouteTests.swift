import HTTPTypes
import Testing

@testable import Gateway

@Suite struct RouteTests {
    @Test func jobsAreNamedByWhatThePathStandsFor() {
        #expect(Route.at("/v1/jobs/a%2Fb%20c")?[.get] == .job(id: "a/b c"))
        #expect(Route.at("/v1/jobs/a%2Fb%20c")?[.delete] == .job(id: "a/b c"))
        #expect(PercentEncoding.encode("a/b c~é") == "a%2Fb%20c~%C3%A9")
    }

    @Test(arguments: [
        "", "/v1", "/v1/classify/", "/v1/jobs/", "/v1/jobs/a/b", "/v1/jobs/%", "/v1/jobs/%ff", "/v1/jobs/%0",
        "/assets/",
        "/assets/../index.html", "//", "/Status",
    ])
    func nothingIsElsewhere(_ path: String) {
        #expect(Route.at(path) == nil)
    }

    @Test func metricsNameFewRoutes() {
        #expect(Route.at("/v1/jobs/1")?[.get]?.template == Route.at("/v1/jobs/2")?[.get]?.template)
        #expect(Route.at("/assets/a")?[.get]?.template == "/assets/{name}")
    }
}

import BifronsZeroMQ
import Reactor
import Synchronization
import Testing

@testable import WorkerService

@Suite struct ResolverTests {
    private struct Unknown: Error, CustomStringConvertible { let description = "nobody knows it" }

    private func next(_ resolver: Resolver) throws -> [Resolver.Report] {
        var polled = PollSet()
        _ = polled.add(descriptor: resolver.reports.descriptor)
        try #require(try polled.wait(milliseconds: 20_000) == 1)
        return resolver.reports.drain()
    }

    @Test func onlyDNSEndpointsAreResolved() throws {
        let endpoint = try #require(Resolver.Endpoint("dns://routers.example:5556"))
        #expect(endpoint.name == "routers.example" && endpoint.port == "5556")
        #expect(Resolver.Endpoint("tcp://routers:5556") == nil)
        #expect(Resolver.Endpoint("ipc:///dns://a") == nil)
    }

    @Test func namesAreResolvedByTheSystem() throws {
        #expect(try Resolver.system("127.0.0.2") == ["127.0.0.2"])
        #expect(try Resolver.system("::1") == ["[::1]"])
        #expect(try Resolver.system("localhost").contains { ["127.0.0.1", "[::1]"].contains($0) })
        #expect(throws: Resolver.Failure.self) { try Resolver.system("no name") }
    }

    @Test func onlyChangesAreReported() throws {
        let endpoint = try #require(Resolver.Endpoint("dns://routers:1"))
        // The same addresses in another order, two failures, no address, a new address.
        let answers: [[String]?] = [["b", "a"], ["a", "b", "a"], nil, nil, [], ["c"]]
        let looks = Mutex(0)
        let resolver = try Resolver([endpoint], every: .milliseconds(1)) { _ in
            let look = looks.withLock { looks in
                defer { looks += 1 }
                return min(looks, answers.count - 1)
            }
            guard let answer = answers[look] else { throw Unknown() }
            return answer
        }
        var told: [Resolver.Report.Outcome] = []
        while told.count < 4 { told += try next(resolver).map(\.outcome) }
        #expect(
            told == [
                .found(["tcp://a:1", "tcp://b:1"]), .failed("nobody knows it"), .failed("it has no address"),
                .found(["tcp://c:1"]),
            ])
    }
}

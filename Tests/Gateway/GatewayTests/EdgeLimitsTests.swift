import HTTPTypes
import Testing

@testable import Gateway

@Suite struct EdgeLimitsTests {
    @Test func requestsAreLimitedPerAddress() throws {
        let limits = EdgeLimits(maxRequests: 2, maxBytes: 10)
        let first = try limits.enter("a")
        var second: EdgeLimits.Place? = try limits.enter("a")
        let problem = #expect(throws: Problem.self) { try limits.enter("a") }
        #expect(problem?.status == .tooManyRequests)
        #expect(problem?.retryAfterMilliseconds == 1000)
        _ = try limits.enter("b")
        #expect(second != nil)
        second = nil
        let third = try limits.enter("a")
        #expect(throws: Problem.self) { try limits.enter("a") }
        withExtendedLifetime((first, third)) {}
    }

    @Test func theBytesOfAllBodiesTogetherAreLimited() throws {
        let limits = EdgeLimits(maxRequests: 1, maxBytes: 10)
        try limits.reserve(7)
        #expect(throws: Problem.self) { try limits.reserve(4) }
        try limits.reserve(3)
        #expect(limits.bytes == 10)
        limits.release(10)
        #expect(limits.bytes == 0)
    }
}

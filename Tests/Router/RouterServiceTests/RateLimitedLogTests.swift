import BifronsWire
import Testing

@testable import RouterService

struct RateLimitedLogTests {
    @Test func repeatedEventsAreReportedOncePerSecondWithTheirCount() {
        let start = Instant(nanoseconds: 0)
        var notice = RateLimitedLog()
        #expect(notice.take(0, at: start) == nil)
        #expect(notice.take(2, at: start) == 2)
        #expect(notice.take(3, at: start + .milliseconds(500)) == nil)
        #expect(notice.take(4, at: start + .milliseconds(999)) == nil)
        #expect(notice.take(0, at: start + .seconds(1)) == 7)
        #expect(notice.take(0, at: start + .seconds(5)) == nil)
    }
}

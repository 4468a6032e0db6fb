import BifronsWire
import Testing

@testable import RouterService

struct BacklogTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func unreadMessagesExcuseSilentWorkers() {
        var backlog = Backlog(patience: .milliseconds(500))
        #expect(!backlog.isExcuse(at: start))
        // A pause of the router itself is excused, however long it was.
        backlog.note(isUpToDate: false, at: start + .seconds(60))
        #expect(backlog.isExcuse(at: start + .seconds(60)))
        backlog.note(isUpToDate: true, at: start + .seconds(61))
        #expect(!backlog.isExcuse(at: start + .seconds(61)))
    }

    @Test func aContinuousBacklogExcusesSilentWorkersOnlyBriefly() {
        var backlog = Backlog(patience: .milliseconds(500))
        for step in 0..<5 {
            let now = start + .milliseconds(100 * step)
            backlog.note(isUpToDate: false, at: now)
            #expect(backlog.isExcuse(at: now))
        }
        #expect(!backlog.isExcuse(at: start + .milliseconds(500)))
    }
}

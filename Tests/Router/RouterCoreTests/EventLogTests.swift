import BifronsWire
import Testing

@testable import RouterCore

struct EventLogTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test func onlyTheLastEventsAreKept() {
        var log = EventLog(seed: 0xABCD)
        #expect(log.lastID == nil)
        for second in 1...300 { log.note(.workerJoined, "w\(second)", at: start + .seconds(second)) }
        let events = log.report(id: "a", at: start + .seconds(301)).events
        #expect(events.count == EventsReport.mostEvents)
        #expect(events.first?.id == "0000abcd-101")
        #expect(events.last?.id == "0000abcd-300")
        #expect(log.lastID == "0000abcd-300")
        #expect(events.last?.subject == "w300")
        #expect(events.last?.atMs == -1000)
    }

    @Test func noEventIsInTheFutureAfterTheClockStepsBack() {
        var log = EventLog(seed: 1)
        log.note(.draining, at: start)
        #expect(log.report(id: nil, at: start - .seconds(60)).events.map(\.atMs) == [0])
    }

    @Test func workersThatComeAndGoAreNoted() throws {
        var script = Script()
        script.join("r1")
        script.join("r2")
        script.lose("r1")
        script.handle(.keysRevoked(["client"]))
        script.handle(.drain)
        let answer = script.events
        let report = try #require(answer)
        #expect(
            report.events.map { "\($0.kind.rawValue) \($0.subject ?? "-")" } == [
                "worker_joined l0", "worker_joined r1", "worker_joined r2", "worker_lost r1", "key_revoked client",
                "draining -",
            ])
        #expect(try EventsReport.decode(report.encoded()) == report)
        #expect(script.status.router.lastEvent == report.events.last?.id)
    }
}

import BifronsWire
import Synchronization
import Testing

@testable import BifronsClient

@Suite struct CallLedgerTests {
    private let start = Instant(nanoseconds: 0)

    private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

    private func call(
        _ number: UInt64, connect: Int = 100, answer: Int = 1000, router: Int? = nil, id: String? = nil
    ) -> Call {
        Call(
            number: number, header: RequestHeader(verb: .classify, id: id), image: nil, router: router, start: start,
            connectTimeout: .milliseconds(connect), answerTimeout: .milliseconds(answer), end: { _ in })
    }

    @Test func waitingCallExpiresAfterTheConnectTimeout() {
        var ledger = CallLedger(routers: 1)
        ledger.add(call(1), at: start)
        #expect(ledger.nextDue == at(100))
        #expect(ledger.expired(at: at(99)).isEmpty)
        #expect(ledger.expired(at: at(100)).map(\.call.number) == [1])
        #expect(ledger.nextDue == nil)
        #expect(!ledger.hasWaiting(for: 0))
    }

    @Test func sentCallExpiresAfterTheAnswerTimeout() {
        var ledger = CallLedger(routers: 1)
        ledger.add(call(1), at: start)
        ledger.dispatch { _, _ in 0 }
        #expect(ledger.expired(at: at(100)).isEmpty)
        #expect(ledger.nextDue == at(1000))
        #expect(ledger.expired(at: at(1000)).map(\.place) == [.sent(router: 0)])
        #expect(ledger.inFlight == [0])
    }

    @Test func lostCallsWaitAgainInOrderBeforeTheOthers() {
        var ledger = CallLedger(routers: 2)
        for number: UInt64 in 1...4 { ledger.add(call(number), at: start) }
        ledger.dispatch { call, _ in call.number <= 3 ? Int(call.number % 2) : nil }
        #expect(ledger.inFlight == [1, 2])
        ledger.lose(router: 1, at: at(500))
        #expect(ledger.inFlight == [1, 0])
        var offered: [UInt64] = []
        ledger.dispatch { call, _ in
            offered.append(call.number)
            return 0
        }
        #expect(offered == [1, 3, 4])
        #expect(!ledger.hasWaiting(for: 0))
    }

    @Test func aLostCallGetsANewConnectTimeoutWithinItsDeadline() {
        var ledger = CallLedger(routers: 1)
        ledger.add(call(1), at: start)
        ledger.dispatch { _, _ in 0 }
        ledger.lose(router: 0, at: at(950))
        #expect(ledger.expired(at: at(999)).isEmpty)
        #expect(ledger.expired(at: at(1000)).count == 1)
    }

    @Test func dispatchStopsAtTheFirstCallThatNoRouterTakes() {
        var ledger = CallLedger(routers: 1)
        for number: UInt64 in 1...3 { ledger.add(call(number), at: start) }
        var offered = 0
        ledger.dispatch { call, _ in
            offered += 1
            return call.number == 1 ? 0 : nil
        }
        #expect(offered == 2)
        #expect(ledger.hasWaiting(for: 0))
    }

    @Test func aRemovedCallIsNotDispatched() {
        var ledger = CallLedger(routers: 1)
        ledger.add(call(1), at: start)
        #expect(ledger.remove(1) != nil)
        #expect(ledger.remove(1) == nil)
        ledger.dispatch { _, _ -> Int? in
            Issue.record("nothing to send")
            return nil
        }
        #expect(!ledger.hasWaiting(for: 0))
    }

    @Test func aCallForADisconnectedRouterDoesNotBlockOthers() {
        var ledger = CallLedger(routers: 2)
        ledger.add(call(1, router: 0), at: start)
        ledger.add(call(2), at: start)
        ledger.add(call(3, router: 1), at: start)
        ledger.dispatch { call, _ in call.router == 0 ? nil : 1 }
        #expect(ledger.inFlight == [0, 2])
        #expect(ledger.hasWaiting(for: 0))
        #expect(!ledger.hasWaiting(for: 1))
        // A call that only one router may get waits for that router.
        ledger.lose(router: 1, at: at(10))
        var offered: [UInt64] = []
        ledger.dispatch { call, _ in
            offered.append(call.number)
            return call.router ?? 0
        }
        #expect(offered == [2, 1, 3])
        #expect(ledger.inFlight == [2, 1])
    }

    @Test func findsOtherJobsWithTheSameIDAndOwner() {
        var ledger = CallLedger(routers: 1)
        ledger.add(call(1, id: "a"), at: start)
        ledger.add(call(2, id: "a"), at: start)
        #expect(ledger.remove(1) != nil)
        let header = RequestHeader(verb: .cancel, id: "a")
        #expect(ledger.hasJob(like: header))
        // A job of the same id and another owner does not count.
        var other = header
        other.owner = "ann"
        #expect(!ledger.hasJob(like: other))
        #expect(ledger.remove(2) != nil)
        #expect(!ledger.hasJob(like: header))
    }
}

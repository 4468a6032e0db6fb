import BifronsZeroMQ
import Glibc
import Reactor
import Testing

@testable import WorkerService

@Suite struct ComputingThreadsTests {
    private struct Done: Equatable, Sendable {
        let order: String
        let niceness: Int32
    }

    private let reports: Mailbox<Done>

    init() throws {
        reports = try Mailbox()
    }

    /// Returns the threads under test.
    ///
    /// - Parameters:
    ///   - count: The number of threads.
    ///   - gate: Holds up an order named "slow".
    private func threads(_ count: Int, gate: Gate? = nil) throws -> ComputingThreads<String, Done> {
        try ComputingThreads(
            name: "test", count: count, reports: reports, broken: { Done(order: "\($0)", niceness: 0) }
        ) { order, step in
            step()
            if order == "slow" { try? gate?.pass() }
            return Done(order: order, niceness: getpriority(Int32(PRIO_PROCESS.rawValue), 0))
        }
    }

    /// Returns the next reports.
    private func next(_ count: Int) throws -> [Done] {
        var polled = PollSet()
        _ = polled.add(descriptor: reports.descriptor)
        var taken: [Done] = []
        while taken.count < count {
            try #require(try polled.wait(milliseconds: 20_000) == 1)
            taken += reports.drain()
        }
        return taken
    }

    @Test func aThreadRunsItsOrdersInSequence() throws {
        let threads = try threads(1)
        for number in 1...50 { threads.order("\(number)", number: number) }
        #expect(try next(50).map(\.order) == (1...50).map { "\($0)" })
        // Each order counts once for its own step and once for its end.
        threads.end()
        #expect(threads.progress == 100)
    }

    @Test func anOrderGoesToTheThreadWithTheFewestOrders() throws {
        let gate = try Gate()
        let threads = try threads(2, gate: gate)
        threads.order("slow", number: 1)
        try gate.waitUntilReached()
        for number in 2...5 {
            threads.order("quick", number: number)
            #expect(try next(1).map(\.order) == ["quick"])
            threads.note(done: number)
        }
        gate.open()
        #expect(try next(1).map(\.order) == ["slow"])
        threads.end()
    }

    @Test func aDemotedThreadIsReplacedByOneOfFullPriorityAndEnds() throws {
        let own = getpriority(Int32(PRIO_PROCESS.rawValue), 0)
        let gate = try Gate()
        let threads = try threads(1, gate: gate)
        threads.order("slow", number: 1)
        try gate.waitUntilReached()
        #expect(threads.computed.keys.sorted() == [1])
        try threads.demote(1)
        threads.order("quick", number: 2)
        #expect(try next(1) == [Done(order: "quick", niceness: own)])
        gate.open()
        #expect(try next(1) == [Done(order: "slow", niceness: max(own, 10))])
        threads.note(done: 1)
        threads.note(done: 2)
        threads.order("quick", number: 3)
        #expect(try next(1) == [Done(order: "quick", niceness: own)])
        threads.end()
    }

    @Test func aFinishedOrderIsNotDemoted() throws {
        let own = getpriority(Int32(PRIO_PROCESS.rawValue), 0)
        let threads = try threads(1)
        threads.order("quick", number: 1)
        _ = try next(1)
        threads.note(done: 1)
        try threads.demote(1)
        threads.order("quick", number: 2)
        #expect(try next(1) == [Done(order: "quick", niceness: own)])
        threads.end()
    }
}

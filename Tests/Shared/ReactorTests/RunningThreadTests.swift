import Glibc
import Reactor
import Synchronization
import Testing

@Suite struct RunningThreadTests {
    @Test func computingTimeIsThatOfTheThreadItself() throws {
        let outcome = Mutex<(first: Duration, second: Duration)?>(nil)
        try PlatformThread(name: "busy") {
            let thread = RunningThread.current
            let first = thread.computingTime
            while thread.computingTime < first + .milliseconds(5) {}
            outcome.withLock { $0 = (first, thread.computingTime) }
        }.join()
        let (first, second) = try #require(outcome.withLock { $0 })
        #expect(second - first >= .milliseconds(5))
        #expect(first < .seconds(1))
    }

    @Test func loweringThePriorityAffectsOnlyTheThreadItself() throws {
        func niceness() -> Int32 { getpriority(Int32(PRIO_PROCESS.rawValue), 0) }
        let own = niceness()
        let outcome = Mutex<(isAllowed: Bool, niceness: Int32)?>(nil)
        try PlatformThread(name: "nice") {
            let isAllowed = RunningThread.current.giveWay(niceness: 15)
            outcome.withLock { $0 = (isAllowed, niceness()) }
        }.join()
        let (isAllowed, lowered) = try #require(outcome.withLock { $0 })
        #expect(isAllowed && lowered == 15)
        #expect(niceness() == own)
    }
}

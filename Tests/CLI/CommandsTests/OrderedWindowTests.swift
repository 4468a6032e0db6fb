import Synchronization
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(5))) struct OrderedWindowTests {
    @Test func resultsAreEmittedInTheOrderOfTheInputs() async {
        // The first job waits for the fifth, the others do not wait.
        let (fifth, continuation) = AsyncStream.makeStream(of: Void.self)
        var emitted: [Int] = []
        var done: [Int] = []
        await inOrder(Array(0..<100), window: 5) { number in
            if number == 0 { for await _ in fifth {} }
            if number == 50 { continuation.finish() }
            return number
        } finished: {
            done.append($0)
        } emit: {
            emitted.append($0)
        }
        #expect(emitted == Array(0..<100))
        #expect(done == Array(1...100))
    }

    @Test func neverMoreThanTheWindowAreInFlight() async {
        let running = Mutex((now: 0, most: 0))
        await inOrder(Array(0..<50), window: 3) { _ in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            await Task.yield()
            running.withLock { $0.now -= 1 }
        } emit: { _ in
        }
        #expect(running.withLock(\.most) <= 3)
    }

    @Test func anEmptyInputEmitsNothing() async {
        await inOrder([Int](), window: 3) {
            $0
        } emit: { _ in
            Issue.record("nothing was to do")
        }
    }
}

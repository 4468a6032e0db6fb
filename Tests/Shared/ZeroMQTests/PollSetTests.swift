import BifronsZeroMQ
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct PollSetTests {
    let context: Context

    init() throws { context = try Context() }

    @Test func anEmptySetWaitsForTheTimeout() throws {
        var set = PollSet()
        let ready = try set.wait(milliseconds: 5)
        #expect(ready == 0)
    }

    @Test func aTimeoutIsNeverShorterThanRequested() throws {
        let socket = try Socket(.dealer, context: context)
        try socket.bind("inproc://quiet")
        var set = PollSet()
        let index = set.add(socket)
        let clock = ContinuousClock()
        let start = clock.now
        let ready = try set.wait(milliseconds: 30)
        #expect(clock.now - start >= .milliseconds(29))
        #expect(ready == 0)
        #expect(!set.isReadable(index))
    }

    @Test func aSocketStaysReadableUntilItsMessagesAreRead() throws {
        let one = try Socket(.dealer, context: context)
        try one.bind("inproc://one")
        let other = try Socket(.dealer, context: context)
        try other.bind("inproc://other")
        let sender = try Socket(.dealer, context: context)
        try sender.connect("inproc://other")
        try sender.send("a")
        try sender.send("b")

        var set = PollSet()
        let (first, second) = (set.add(one), set.add(other))
        for _ in 0..<2 {
            let ready = try set.wait(milliseconds: patience)
            #expect(ready == 1)
            #expect(!set.isReadable(first))
            #expect(set.isReadable(second))
            _ = try other.next()
        }
        let ready = try set.wait(milliseconds: 0)
        #expect(ready == 0)
        #expect(!set.isReadable(second))
    }

    @Test func writabilityIsReportedOnlyOnRequest() throws {
        let socket = try Socket(.dealer, context: context)
        try socket.bind("inproc://room")
        let peer = try Socket(.dealer, context: context)
        try peer.connect("inproc://room")
        var set = PollSet()
        let index = set.add(socket)
        let unasked = try set.wait(milliseconds: 0)
        #expect(unasked == 0)
        set.setInterest([.readable, .writable], at: index)
        let asked = try set.wait(milliseconds: patience)
        #expect(asked == 1)
        #expect(!set.isReadable(index))
        set.setInterest([], at: index)
        let resting = try set.wait(milliseconds: 0)
        #expect(resting == 0)
    }

    @Test func monitorsAndWakeUpsArePolledToo() throws {
        let router = try Socket(.router, context: context)
        let monitor = try router.monitor()
        let wakeUp = try WakeUp()
        var set = PollSet()
        let (events, calls) = (set.add(monitor), set.add(wakeUp))
        let nothing = try set.wait(milliseconds: 0)
        #expect(nothing == 0)
        wakeUp.signal()
        try router.bind("tcp://127.0.0.1:*")
        let event = try monitor.next(.listening)
        #expect(event.endpoint == router.lastEndpoint)
        let ready = try set.wait(milliseconds: patience)
        #expect(ready == 1)
        #expect(set.isReadable(calls))
        #expect(!set.isReadable(events))
    }

    @Test func removedAndClosedEntriesAreNeverReadyAndIndicesAreReused() throws {
        let wakeUp = try WakeUp()
        wakeUp.signal()
        var set = PollSet()
        let first = set.add(wakeUp)
        let socket = try Socket(.dealer, context: context)
        let second = set.add(socket)
        set.remove(first)
        socket.close()
        let ready = try set.wait(milliseconds: 1)
        #expect(ready == 0)
        #expect(!set.isReadable(first))
        #expect(!set.isReadable(second))
        #expect(set.add(wakeUp) == first)
        let again = try set.wait(milliseconds: patience)
        #expect(again == 1)
    }

    @Test func aBrokenDescriptorIsReportedAsFailed() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        var set = PollSet()
        let index = set.add(descriptor: ends[1], [.failed])
        let ready = try set.wait(milliseconds: patience)
        #expect(ready == 1)
        #expect(set.isFailed(index))
    }
}

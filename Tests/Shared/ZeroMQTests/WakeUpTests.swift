import BifronsZeroMQ
import Testing

@Suite(.timeLimit(.minutes(2))) struct WakeUpTests {
    @Test func aSignalFromAnotherThreadEndsTheWait() throws {
        let wakeUp = try WakeUp()
        var set = PollSet()
        let index = set.add(wakeUp)
        for _ in 0..<100 {
            try onAnotherThread {
                wakeUp.signal()
            } meanwhile: {
                let ready = try set.wait(milliseconds: patience)
                #expect(ready == 1)
                #expect(set.isReadable(index))
                wakeUp.clear()
            }
        }
        let ready = try set.wait(milliseconds: 0)
        #expect(ready == 0)
    }

    @Test func manySignalsAreClearedAtOnce() throws {
        let wakeUp = try WakeUp()
        for _ in 0..<1000 { wakeUp.signal() }
        wakeUp.clear()
        wakeUp.clear()
        var set = PollSet()
        _ = set.add(wakeUp)
        let ready = try set.wait(milliseconds: 0)
        #expect(ready == 0)
    }
}

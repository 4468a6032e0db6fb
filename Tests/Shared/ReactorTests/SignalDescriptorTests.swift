import BifronsZeroMQ
import Glibc
import Reactor
import Testing

/// The signals are sent to the test's own thread: to send them to the whole process all of its threads would have to block
/// them, and those of the test runner do not.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SignalDescriptorTests {
    @Test func signalsAreReadInsteadOfEndingTheProcess() throws {
        let signals = try SignalDescriptor([.hangUp, .terminate])
        var set = PollSet()
        let index = set.add(descriptor: signals.descriptor)
        let before = try set.wait(milliseconds: 0)
        #expect(before == 0)
        let nothing = signals.receive()
        #expect(nothing == nil)

        pthread_kill(pthread_self(), SIGHUP)
        let ready = try set.wait(milliseconds: 20_000)
        #expect(ready == 1)
        #expect(set.isReadable(index))
        let first = signals.receive()
        #expect(first == .hangUp)

        pthread_kill(pthread_self(), SIGTERM)
        let second = signals.receive()
        #expect(second == .terminate)
        let none = signals.receive()
        #expect(none == nil)
    }

    @Test func signalsHaveTheirNames() {
        #expect("\(Signal.terminate) \(Signal.interrupt) \(Signal.hangUp)" == "SIGTERM SIGINT SIGHUP")
        #expect("\(Signal(rawValue: 63))" == "signal 63")
    }
}

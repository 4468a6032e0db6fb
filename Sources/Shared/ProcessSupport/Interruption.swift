import Glibc
import Synchronization

/// What ctrl-C, or another signal that ends a command, must not leave behind.
///
/// For the asynchronous commands that ``Program/run(_:)`` runs. Whoever holds something that outlives a process sets how to
/// let go of it, and takes that back when it has done so itself.
package enum Interruption {
    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    private static let cleanUp = Mutex<(@Sendable () -> Void)?>(nil)

    /// Sets what the main thread does before a signal ends the process; nil: nothing. While it is doing that already, this
    /// call does not return.
    package static func setCleanUp(_ body: (@Sendable () -> Void)?) {
        cleanUp.withLock { $0 = body }
    }

    /// Blocks the signals in this thread and in those that it starts.
    static func block() {
        var mask = set
        pthread_sigmask(SIG_BLOCK, &mask, nil)
    }

    /// Waits for a signal, cleans up, and ends as the signal would have ended the process, which is what shells look at.
    static func wait() -> Never {
        var (mask, signal) = (set, Int32())
        while true {
            guard sigwait(&mask, &signal) == 0, !isIgnored(signal) else { continue }
            cleanUp.withLock { cleanUp in
                cleanUp?()
                raise(signal)
                pthread_sigmask(SIG_UNBLOCK, &mask, nil)
            }
        }
    }

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }

    /// As `nohup` and shells in the background have it; a blocked signal arrives all the same.
    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        sigaction(signal, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

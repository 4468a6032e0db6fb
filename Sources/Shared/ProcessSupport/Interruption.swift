import Glibc
import Synchronization

/// Cleans up before ctrl-C, or another signal, ends an asynchronous command that ``Program/run(_:)`` runs.
///
/// Code that holds something that would outlive the process, such as a child or a temporary folder, sets a clean-up,
/// and sets it to nil when it has cleaned up itself.
package enum Interruption {
    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    private static let cleanUp = Mutex<(@Sendable () -> Void)?>(nil)

    /// Sets what the main thread does before a signal ends the process; nil for nothing. If the main thread is cleaning
    /// up already, this call does not return.
    package static func setCleanUp(_ body: (@Sendable () -> Void)?) {
        cleanUp.withLock { $0 = body }
    }

    /// Blocks the signals in this thread and in all threads that it starts later.
    static func block() {
        var mask = set
        pthread_sigmask(SIG_BLOCK, &mask, nil)
    }

    /// Waits for a signal, cleans up, and lets the signal end the process, because shells check what ended a command.
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

    /// Whether the process ignores a signal, for instance because `nohup` or a shell started it so. `sigwait` returns a
    /// blocked signal all the same.
    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        sigaction(signal, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

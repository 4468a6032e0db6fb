import Synchronization

/// Runs callers' actions until it is closed. Every action that has passed is complete when `close()` returns.
final class Gate: Sendable {
    private let isOpen = Mutex(true)

    @discardableResult
    func pass(_ body: () -> Void) -> Bool {
        isOpen.withLock { isOpen in
            if isOpen { body() }
            return isOpen
        }
    }

    func close() {
        isOpen.withLock { $0 = false }
    }
}

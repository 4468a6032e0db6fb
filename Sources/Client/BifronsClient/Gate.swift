import Synchronization

/// Lets callers through until it is closed. Who passes is done before `close()` returns.
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

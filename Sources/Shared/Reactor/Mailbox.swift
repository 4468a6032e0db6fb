package import BifronsZeroMQ
import Synchronization

/// A queue of mail from any thread to the thread that waits in a ``PollSet``. It keeps the order, is unbounded and
/// wakes the owner.
package final class Mailbox<Mail: Sendable>: Sendable {
    private let mail = Mutex<[Mail]>([])
    private let wakeUp: WakeUp

    /// Creates an empty mailbox.
    package init() throws(ZeroMQError) {
        wakeUp = try WakeUp()
    }

    /// The descriptor for the owner's ``PollSet``. It is readable while mail is waiting.
    package var descriptor: Int32 { wakeUp.descriptor }

    /// Adds an item, and wakes the owner if it is the only one. Any thread may call this.
    package func post(_ item: sending Mail) {
        let wasEmpty = mail.withLock { (mail: inout sending [Mail]) in
            mail.append(item)
            return mail.count == 1
        }
        if wasEmpty { wakeUp.signal() }
    }

    /// Removes and returns all items, oldest first. Only the owner may call this.
    package func drain() -> [Mail] {
        // Cleared before the items are taken: an item that is posted in between signals again, so none is missed.
        wakeUp.clear()
        return mail.withLock { mail in
            let taken = mail
            mail = []
            return taken
        }
    }
}

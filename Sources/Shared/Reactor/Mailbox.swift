package import BifronsZeroMQ
import Synchronization

/// Mail from any thread to the one that waits in a ``PollSet``: in order, without limit, waking it up.
package final class Mailbox<Mail: Sendable>: Sendable {
    private let mail = Mutex<[Mail]>([])
    private let wakeUp: WakeUp

    /// An empty mailbox.
    package init() throws(ZeroMQError) {
        wakeUp = try WakeUp()
    }

    /// Readable while there is mail: the owner puts it in its ``PollSet``.
    package var descriptor: Int32 { wakeUp.descriptor }

    /// Adds a piece of mail, and wakes the owner if it is the first; from any thread.
    package func post(_ item: sending Mail) {
        let wasEmpty = mail.withLock { (mail: inout sending [Mail]) in
            mail.append(item)
            return mail.count == 1
        }
        if wasEmpty { wakeUp.signal() }
    }

    /// Takes everything that was posted, oldest first; by the owner.
    package func drain() -> [Mail] {
        // Cleared before looking: what is posted in between signals again, so none is left lying unseen.
        wakeUp.clear()
        return mail.withLock { mail in
            let taken = mail
            mail = []
            return taken
        }
    }
}

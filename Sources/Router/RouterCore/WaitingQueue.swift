internal import HeapModule

/// The jobs of one model that no worker has been handed yet, by whose turn it is.
struct WaitingQueue {
    struct Entry: Comparable {
        /// Receipt in nanoseconds, put off by priority; equal turns go by serial number.
        var turn: Int64
        var job: JobID

        static func < (left: Entry, right: Entry) -> Bool {
            (left.turn, left.job) < (right.turn, right.job)
        }
    }

    private var heap = Heap<Entry>()
    /// Entries whose job has ended in the meantime; they are passed over when their turn comes.
    private var stale = 0

    var count: Int { heap.count - stale }
    var isEmpty: Bool { count == 0 }

    mutating func add(_ entry: Entry, _ ledger: Ledger) {
        if stale > count + 64 {
            heap = Heap(heap.unordered.filter { ledger.isWaiting($0.job) })
            stale = 0
        }
        heap.insert(entry)
    }

    /// A job in the queue has ended without being handed out.
    mutating func noteStale() {
        stale += 1
    }

    /// Takes the job whose turn it is.
    mutating func next(_ ledger: Ledger) -> Entry? {
        while let entry = heap.popMin() {
            if ledger.isWaiting(entry.job) { return entry }
            stale -= 1
        }
        return nil
    }
}

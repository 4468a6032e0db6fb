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

    mutating func add(_ entry: Entry, keeping ledger: Ledger) {
        if stale > count + 64 {
            heap = Heap(heap.unordered.filter { Self.isWaiting($0.job, ledger) })
            stale = 0
        }
        heap.insert(entry)
    }

    /// A job in the queue has ended without being handed out.
    mutating func noteStale() {
        stale += 1
    }

    /// Takes the job whose turn it is.
    mutating func next(in ledger: Ledger) -> JobID? {
        while let entry = heap.popMin() {
            if Self.isWaiting(entry.job, ledger) { return entry.job }
            stale -= 1
        }
        return nil
    }

    private static func isWaiting(_ job: JobID, _ ledger: Ledger) -> Bool {
        guard ledger.contains(job.serial), case .waiting = ledger[job.serial].tasks[job.task].state else { return false }
        return true
    }
}

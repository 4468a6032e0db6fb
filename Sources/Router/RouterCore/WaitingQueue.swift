internal import HeapModule

/// The steps of one pool that wait for a worker, ordered by turn.
struct WaitingQueue {
    struct Entry: Comparable {
        /// The time of receipt in nanoseconds, later for lower priorities. Equal turns are ordered by serial number.
        var turn: Int64
        var job: JobID

        static func < (left: Entry, right: Entry) -> Bool {
            (left.turn, left.job) < (right.turn, right.job)
        }
    }

    private var heap = Heap<Entry>()
    /// The number of entries whose step has ended meanwhile. They are skipped when their turn comes.
    private var stale = 0

    var count: Int { heap.count - stale }
    var isEmpty: Bool { count == 0 }

    mutating func add(_ entry: Entry, _ requests: RequestTable) {
        if stale > count + 64 {
            heap = Heap(heap.unordered.filter { requests.isWaiting($0.job) })
            stale = 0
        }
        heap.insert(entry)
    }

    /// Notes that a step in the queue has ended without a dispatch.
    mutating func noteStale() {
        stale += 1
    }

    /// Removes and returns the entry whose turn it is, or nil if the queue is empty.
    mutating func next(_ requests: RequestTable) -> Entry? {
        while let entry = heap.popMin() {
            if requests.isWaiting(entry.job) { return entry }
            stale -= 1
        }
        return nil
    }
}

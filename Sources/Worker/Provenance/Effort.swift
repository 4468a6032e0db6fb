/// Counts what reading one file's evidence takes, and ends it at a limit.
final class Effort {
    let limits: ProvenanceLimits
    private let processorTime: () -> Duration
    private let end: Duration
    private var chunks = 0
    private var items = 0

    /// The number of items between two looks at the clock.
    private static let itemsPerCheck = 64

    /// - Parameter processorTime: Returns the processor time of the calling thread.
    init(_ limits: ProvenanceLimits, processorTime: @escaping () -> Duration) {
        self.limits = limits
        self.processorTime = processorTime
        end = processorTime() + limits.time
    }

    /// Counts a piece of the file that holds metadata.
    func chunk() throws(EvidenceError) {
        chunks += 1
        guard chunks <= limits.chunks else {
            throw EvidenceError(message: "File has more than \(limits.chunks) pieces of metadata, which is the limit.")
        }
        try checkTime()
    }

    /// Counts a box, value, tag or entry.
    func item() throws(EvidenceError) {
        items += 1
        guard items <= limits.items else {
            throw EvidenceError(
                message: "The file's metadata has more than \(limits.items) values, which is the limit.")
        }
        if items % Self.itemsPerCheck == 0 { try checkTime() }
    }

    /// Checks a level of nesting against a limit.
    func level(_ depth: Int, of what: String, atMost most: Int) throws(EvidenceError) {
        guard depth <= most else {
            throw EvidenceError(message: "\(what) are nested deeper than \(most) levels, which is the limit.")
        }
    }

    /// Checks the number of bytes of a manifest store or an XMP packet.
    func size(_ count: Int, of what: String) throws(EvidenceError) {
        guard count <= limits.store else {
            throw EvidenceError(message: "\(what) has \(count) bytes, over the limit of \(limits.store).")
        }
    }

    func checkTime() throws(EvidenceError) {
        guard processorTime() <= end else {
            throw EvidenceError(
                message: "Reading the file's metadata takes longer than the limit of \(limits.time) of processor time.")
        }
    }
}

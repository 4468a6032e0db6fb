package import BifronsWire
package import BifronsZeroMQ
package import Decisions
internal import FoundationEssentials
internal import GRDB
internal import Glibc
package import Reactor
internal import Synchronization

/// The durable jobs and their results, and the decision ledger, on disk, written by a thread of its own.
///
/// The thread writes all orders that have come since its last commit in one transaction (group commit). So a disk that
/// takes milliseconds to confirm a write still confirms thousands of jobs per second. The outcome of each order comes
/// back as mail. While the disk fails, the journal refuses jobs and keeps results for a retry.
package final class Journal: Sendable {
    /// A job without a result that an earlier run of the router has left.
    package struct Unfinished: Sendable {
        package var job: UInt64
        package var header: RequestHeader
        /// The name of the CURVE key with which the job was submitted.
        package var key: String?
        /// The image's SHA-256; nil if unknown.
        package var sha256: [UInt8]?
        package var image: Frame
    }

    /// Returns a stored result as the answer to another job of this owner with its idempotency key, or nil if it cannot
    /// be one.
    typealias Answer = (ResultDocument, RequestHeader, JobOwner) -> ResultDocument?

    /// A message from the journal's thread.
    package enum Mail: Sendable {
        /// The outcome of `persist`.
        case persisted(job: UInt64, JournalOutcome)
        /// The outcome of `record`: the result is on disk, or the write failed and will be retried. Or that of `decide`,
        /// under the decision's number; a failed one is not retried.
        case recorded(job: UInt64, failure: String?)
        /// The outcome of `ask`.
        case answered(token: Int, LedgerAnswer)
        /// The stored policies with those of the ensemble file. Sent once, before `.recovered`.
        case policies(PolicyBook)
        /// The lookup result of `find`.
        case found(token: Int, JournalLookupResult)
        /// The unfinished jobs of earlier runs. Sent once, before all other mail from a journal that can be read.
        case recovered([Unfinished])
        /// The disk has begun to fail, for this reason.
        case failing(String)
        /// The disk works again.
        case working
    }

    /// The outcomes, in the order of their orders. The owner adds the mailbox's descriptor to its poll set.
    package let mail: Mailbox<Mail>

    /// The size that the journal's thread writes and others read.
    final class Size: Sendable {
        let bytes = Atomic(0)
        let head = Mutex<Head?>(nil)
    }

    /// The end of the decision ledger's hash chain.
    package struct Head: Equatable, Sendable {
        /// The number of decisions recorded since the ledger began.
        package var sequence: Int64
        /// The last decision's hash, 32 bytes; zeros before the first.
        package var hash: [UInt8]
    }

    enum Order: Sendable {
        case persist(job: UInt64, RequestHeader, key: String?, sha256: [UInt8]?, Frame)
        case record(job: UInt64, ResultDocument, Decision?, reviewing: Frame?)
        case decide(Decision, reviewing: Frame?)
        case recordShadow(ShadowScore)
        case ask(token: Int, LedgerQuestion)
        case find(token: Int, id: String, of: JobOwner?)
        case close
    }

    private let size: Size
    private let orders: Mailbox<Order>
    private let thread: PlatformThread

    /// Opens the journal and starts its thread.
    ///
    /// A file that cannot be read or written is not an error: jobs are refused until it can.
    ///
    /// - Parameters:
    ///   - path: a file, created if it is missing; or a folder, for the file `journal.sqlite` in it.
    ///   - maxBytes: the most bytes that jobs and results may take on disk before jobs are refused.
    ///   - retention: how long a result is kept.
    ///   - decisionRetention: how long a decision is kept.
    ///   - personalRetention: how long the personal part of a decision is kept.
    ///   - reviewBytes: the most bytes that the images kept for reviewers may take.
    ///   - ensemble: the models and the policies of the ensemble file.
    ///   - clock: returns the milliseconds since 1970. Results outlive the process, so a monotonic clock does not do.
    /// - Throws: an error if the file is from a newer release.
    package init(
        path: String, maxBytes: Int, retention: Duration, decisionRetention: Duration,
        personalRetention: Duration = .seconds(315_360_000), reviewBytes: Int = 0, ensemble: Ensemble,
        clock: @escaping @Sendable () -> Int64 = Journal.wallClock
    ) throws {
        let mail = try Mailbox<Mail>()
        let orders = try Mailbox<Order>()
        let size = Size()
        (self.mail, self.orders, self.size) = (mail, orders, size)
        let file = Self.isFolder(path) ? path + "/journal.sqlite" : path
        var writer = Writer(
            path: file, maxBytes: maxBytes, retention: Int64(retention.milliseconds),
            decisionRetention: Int64(decisionRetention.milliseconds),
            personalRetention: Int64(personalRetention.milliseconds), reviewBytes: reviewBytes, ensemble: ensemble,
            clock: clock, mail: mail, size: size)
        try writer.open()
        thread = try PlatformThread(name: "journal") { [writer] in
            var writer = writer
            var polled = PollSet()
            _ = polled.add(descriptor: orders.descriptor)
            var isOpen = true
            while isOpen {
                // A wait that was interrupted is followed by a look at the mailbox like any other.
                _ = try? polled.wait(milliseconds: writer.patience)
                isOpen = writer.obey(orders.drain())
            }
        }
    }

    /// Writes a job to disk. `.persisted` follows.
    ///
    /// - Parameters:
    ///   - key: the name of the CURVE key with which the job was submitted.
    ///   - sha256: the image's digest, if the job has an idempotency key.
    package func persist(
        _ job: UInt64, _ header: RequestHeader, key: String? = nil, sha256: [UInt8]? = nil, image: Frame
    ) {
        orders.post(.persist(job: job, header, key: key, sha256: sha256, image))
    }

    /// Writes a job's result to disk, with its decision. `.recorded` follows.
    ///
    /// - Parameter reviewing: the image, to be kept for a reviewer.
    package func record(
        _ job: UInt64, _ document: ResultDocument, _ decision: Decision? = nil, reviewing image: Frame? = nil
    ) {
        orders.post(.record(job: job, document, decision, reviewing: image))
    }

    /// Writes a decision to the ledger. `.recorded` follows, under the decision's number.
    ///
    /// - Parameter reviewing: the image, to be kept for a reviewer.
    package func decide(_ decision: Decision, reviewing image: Frame? = nil) {
        orders.post(.decide(decision, reviewing: image))
    }

    /// Writes what a shadow said about a decision. If that fails, it is lost.
    package func record(_ score: ShadowScore) {
        orders.post(.recordShadow(score))
    }

    /// Asks the decision ledger. `.answered` follows.
    package func ask(_ question: LedgerQuestion, for token: Int) {
        orders.post(.ask(token: token, question))
    }

    /// Looks up the latest job with an id that belongs to the owner, or to anybody if the owner is nil. `.found`
    /// follows.
    package func find(_ id: String, of jobOwner: JobOwner? = nil, for token: Int) {
        orders.post(.find(token: token, id: id, of: jobOwner))
    }

    /// The bytes of jobs and results on disk, as of the last transaction.
    package var bytes: Int { size.bytes.load(ordering: .relaxed) }

    /// The end of the ledger's hash chain, as of the last transaction; nil before the file could be read.
    package var head: Head? { size.head.withLock { $0 } }

    /// Ends the thread after all orders given so far.
    package func close() {
        orders.post(.close)
        thread.join()
    }

    /// Returns the milliseconds since 1970.
    package static func wallClock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    private static func isFolder(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }
}

/// Why the router cannot start with this journal, in one sentence.
package struct JournalError: Error, CustomStringConvertible, Sendable {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}

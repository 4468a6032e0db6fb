package import BifronsWire
package import BifronsZeroMQ
internal import FoundationEssentials
internal import GRDB
internal import Glibc
package import Reactor
internal import Synchronization

/// The durable jobs and their results on disk, written by a thread of its own.
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

    /// Returns a stored result as the answer to another job with its idempotency key, or nil if it cannot be one.
    package typealias Answer = @Sendable (ResultDocument, RequestHeader) -> ResultDocument?

    /// A message from the journal's thread.
    package enum Mail: Sendable {
        /// The outcome of `persist`.
        case persisted(job: UInt64, JournalOutcome)
        /// The outcome of `record`: the result is on disk, or the write failed and will be retried.
        case recorded(job: UInt64, failure: String?)
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
    fileprivate final class Size: Sendable {
        let bytes = Atomic(0)
    }

    fileprivate enum Order: Sendable {
        case persist(job: UInt64, RequestHeader, key: String?, sha256: [UInt8]?, Frame)
        case record(job: UInt64, ResultDocument)
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
    ///   - answer: turns a stored result into the answer to another job with its idempotency key.
    ///   - clock: returns the milliseconds since 1970. Results outlive the process, so a monotonic clock does not do.
    /// - Throws: an error if the file is from a newer release.
    package init(
        path: String, maxBytes: Int, retention: Duration, answer: @escaping Answer,
        clock: @escaping @Sendable () -> Int64 = Journal.wallClock
    ) throws {
        let mail = try Mailbox<Mail>()
        let orders = try Mailbox<Order>()
        let size = Size()
        (self.mail, self.orders, self.size) = (mail, orders, size)
        let file = Self.isFolder(path) ? path + "/journal.sqlite" : path
        var writer = Writer(
            path: file, maxBytes: maxBytes, retention: Int64(retention.milliseconds), answer: answer, clock: clock,
            mail: mail, size: size)
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

    /// Writes a job's result to disk. `.recorded` follows.
    package func record(_ job: UInt64, _ document: ResultDocument) {
        orders.post(.record(job: job, document))
    }

    /// Looks up the latest job with an id that belongs to the owner, or to anybody if the owner is nil. `.found`
    /// follows.
    package func find(_ id: String, of jobOwner: JobOwner? = nil, for token: Int) {
        orders.post(.find(token: token, id: id, of: jobOwner))
    }

    /// The bytes of jobs and results on disk, as of the last transaction.
    package var bytes: Int { size.bytes.load(ordering: .relaxed) }

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

/// The work of the journal's thread.
// @unchecked: made on the opener's thread, handed to the journal's thread before that starts, and used only there.
private struct Writer: @unchecked Sendable {
    /// The most results deleted at a time, so that a deletion holds up no order for long.
    private static let expiredAtOnce = 1000
    /// The milliseconds between two attempts to use a failing disk.
    private static let retry = 1000
    /// The milliseconds between two searches for expired results.
    private static let expiry = 10_000

    private let path: String
    private let maxBytes: Int
    private let retention: Int64
    private let answer: Journal.Answer
    private let clock: @Sendable () -> Int64
    private let mail: Mailbox<Journal.Mail>
    private let size: Journal.Size
    private var store: JournalStore?
    private var hasRecovered = false
    private var failure: String?
    private var expireNext: Int64 = 0
    /// Results that the disk did not take, oldest first. No job is stored meanwhile, so they are few.
    private var unwritten: [Journal.Order] = []

    init(
        path: String, maxBytes: Int, retention: Int64, answer: @escaping Journal.Answer,
        clock: @escaping @Sendable () -> Int64, mail: Mailbox<Journal.Mail>, size: Journal.Size
    ) {
        self.path = path
        self.maxBytes = maxBytes
        self.retention = retention
        self.answer = answer
        self.clock = clock
        self.mail = mail
        self.size = size
    }

    /// The milliseconds until the thread has work without an order.
    var patience: Int { failure == nil ? Self.expiry : Self.retry }

    /// Opens the file. Only a file from a newer release is an error; other failures are retried later.
    mutating func open() throws(JournalError) {
        do {
            try connect()
        } catch let error as JournalError {
            throw error
        } catch {
            note(failure: Self.reason(error))
        }
    }

    private mutating func connect() throws {
        guard store == nil else { return }
        let opened = try JournalStore(path: path, maxBytes: maxBytes, answer: answer)
        if !hasRecovered {
            let now = clock()
            let rows = try opened.transaction { try $0.unfinished(now: now, cutoff: now - retention) }
            hasRecovered = true
            mail.post(
                .recovered(
                    rows.map { row in
                        Journal.Unfinished(
                            job: row.job, header: row.header, key: row.key, sha256: row.sha256,
                            image: row.image.withUnsafeBytes { Frame($0) })
                    }))
        }
        store = opened
        noteSize()
    }

    /// Executes the orders, after the results that are still unwritten.
    ///
    /// - Returns: whether more orders may follow, that is, whether none was `.close`.
    mutating func obey(_ orders: [Journal.Order]) -> Bool {
        let earlier = unwritten
        unwritten = []
        write(earlier, isRetry: true)
        write(orders.filter { if case .close = $0 { false } else { true } }, isRetry: false)
        if failure == nil { expire() }
        return !orders.contains { if case .close = $0 { true } else { false } }
    }

    /// Executes the orders in one transaction. If it fails, the results among them are retried in a transaction of
    /// their own, which needs no additional room on disk.
    private mutating func write(_ orders: [Journal.Order], isRetry: Bool) {
        // Without orders, only a lost connection to the file has to be reopened.
        guard !orders.isEmpty || store == nil else { return }
        do {
            try connect()
            let now = clock()
            var used = 0
            let answers = try store?.transaction { transaction in
                try orders.compactMap { try perform($0, transaction, used: &used, now: now) }
            }
            noteSize()
            if unwritten.isEmpty { note(failure: nil) }
            // A result's outcome was already mailed at the first attempt.
            if !isRetry { for answer in answers ?? [] { mail.post(answer) } }
        } catch {
            let reason = Self.reason(error)
            // A full disk leaves the connection usable. After any other error the next attempt reopens it.
            if (error as? DatabaseError)?.resultCode != .SQLITE_FULL { store = nil }
            note(failure: reason)
            let results = orders.filter { if case .record = $0 { true } else { false } }
            refuse(orders, reason, isRetry: isRetry, keepingResults: results.count == orders.count)
            if results.count < orders.count { write(results, isRetry: isRetry) }
        }
    }

    private func perform(
        _ order: Journal.Order, _ transaction: borrowing Transaction, used: inout Int, now: Int64
    ) throws -> Journal.Mail? {
        switch order {
        case .persist(let job, let header, let key, let sha256, let image):
            let data = image.withBytes { Data($0) }
            let outcome = try transaction.insert(
                JournalStore.Row(job: job, header: header, key: key, sha256: sha256, image: data), used: &used,
                now: now,
                cutoff: now - retention)
            return .persisted(job: job, outcome)
        case .record(let job, let document):
            try transaction.setResult(job, document, now: now)
            return .recorded(job: job, failure: nil)
        case .find(let token, let id, let jobOwner):
            return .found(token: token, try transaction.find(id, of: jobOwner, cutoff: now - retention))
        case .close: return nil
        }
    }

    /// Mails the failure of orders whose transaction failed, and keeps the results for a retry if `keepingResults`.
    private mutating func refuse(_ orders: [Journal.Order], _ reason: String, isRetry: Bool, keepingResults: Bool) {
        for order in orders {
            switch order {
            case .persist(let job, _, _, _, _): mail.post(.persisted(job: job, .failed(reason)))
            case .record(let job, _):
                guard keepingResults else { continue }
                unwritten.append(order)
                if !isRetry { mail.post(.recorded(job: job, failure: reason)) }
            case .find(let token, _, _): mail.post(.found(token: token, .failed(reason)))
            case .close: break
            }
        }
    }

    private mutating func expire() {
        let now = clock()
        guard now >= expireNext else { return }
        do {
            let cutoff = now - retention
            let count = try store?.transaction { try $0.expire(cutoff: cutoff, atMost: Self.expiredAtOnce) }
            noteSize()
            // More results have expired: they are deleted after the next orders.
            expireNext = (count ?? 0) == Self.expiredAtOnce ? now : now + Int64(Self.expiry)
        } catch {
            expireNext = now + Int64(Self.expiry)
            note(failure: Self.reason(error))
        }
    }

    private func noteSize() {
        if let bytes = try? store?.bytesInUse() { size.bytes.store(bytes, ordering: .relaxed) }
    }

    private mutating func note(failure reason: String?) {
        if let reason, failure == nil { mail.post(.failing("\(path): \(reason)")) }
        if reason == nil, failure != nil { mail.post(.working) }
        failure = reason
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(error)" }
        return error.message ?? "SQLite says \(error.resultCode)"
    }
}

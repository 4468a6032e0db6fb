package import BifronsWire
package import BifronsZeroMQ
internal import FoundationEssentials
internal import GRDB
internal import Glibc
package import Reactor
internal import Synchronization

/// The durable jobs and their results, on disk: a thread of its own that writes down what others tell it.
///
/// It collects what has come since the last commit and writes it in one transaction (group commit), so a disk that takes
/// milliseconds to confirm a write still confirms thousands of jobs a second. What became of each order comes back as mail.
/// While the disk fails, jobs are refused and results are kept for another try.
package final class Journal: Sendable {
    /// What became of a job that was to be written down.
    package enum Outcome: Equatable, Sendable {
        case stored
        /// It is written down, and has the result of another job with the same key.
        case known(ResultDocument)
        /// It is not written down, because of the job itself.
        case refused(WireError)
        /// It is not written down; the reason completes "the journal cannot be used now: …".
        case failed(String)
    }

    /// What is known of an id.
    package enum Found: Equatable, Sendable {
        case result(ResultDocument)
        case running
        case unknown
        case failed(String)
    }

    /// A job that an earlier life of the router has left without a result.
    package struct Unfinished: Sendable {
        package var job: UInt64
        package var header: RequestHeader
        /// The name of the key that it came with.
        package var key: String?
        /// The image's SHA-256; nil if it is not known.
        package var sha256: [UInt8]?
        package var image: Frame
    }

    /// A stored result as the answer to another job with its idempotency key; nil if it is none for that.
    package typealias Answer = @Sendable (ResultDocument, RequestHeader) -> ResultDocument?

    package enum Mail: Sendable {
        case persisted(job: UInt64, Outcome)
        /// The result is on disk; with a failure it is not yet, and will be tried again.
        case recorded(job: UInt64, failure: String?)
        case found(token: Int, Found)
        /// Comes once, before everything else that a journal which can be read has to say.
        case recovered([Unfinished])
        /// The disk began to fail.
        case failing(String)
        /// It works again.
        case working
    }

    /// What has come about, in the order of the orders; for the owner's poll set.
    package let mail: Mailbox<Mail>

    /// Written by the journal's thread, read by others.
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

    /// Opens the journal and starts its thread. A file that cannot be read or written is no error: jobs are refused until it
    /// can. One of a newer release is.
    ///
    /// - Parameters:
    ///   - path: a file, which is made if there is none; or a folder, for the file `journal.sqlite` in it.
    ///   - maxBytes: what jobs and results may take on disk.
    ///   - retention: how long a result is kept.
    ///   - answer: what a job is told whose key has a result.
    ///   - clock: milliseconds since 1970; results are older than a process.
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
                // Interrupted or not, there is nothing to do but look.
                _ = try? polled.wait(milliseconds: writer.patience)
                isOpen = writer.obey(orders.drain())
            }
        }
    }

    /// Writes a job down: `.persisted` follows.
    ///
    /// - Parameters:
    ///   - key: the name of the key that it came with.
    ///   - sha256: the image's, if the job has an idempotency key.
    package func persist(
        _ job: UInt64, _ header: RequestHeader, key: String? = nil, sha256: [UInt8]? = nil, image: Frame
    ) {
        orders.post(.persist(job: job, header, key: key, sha256: sha256, image))
    }

    /// Writes down a job's result: `.recorded` follows.
    package func record(_ job: UInt64, _ document: ResultDocument) {
        orders.post(.record(job: job, document))
    }

    /// Looks for the latest job with an id, of this owner or, if nil, of anybody: `.found` follows.
    package func find(_ id: String, of jobOwner: JobOwner? = nil, for token: Int) {
        orders.post(.find(token: token, id: id, of: jobOwner))
    }

    /// Bytes of jobs and results on disk, as of the last transaction.
    package var bytes: Int { size.bytes.load(ordering: .relaxed) }

    /// Ends the thread, behind all orders that were given.
    package func close() {
        orders.post(.close)
        thread.join()
    }

    /// Milliseconds since 1970.
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

/// What the journal's thread does.
// @unchecked: made on the opener's thread, handed over to the journal's before that starts, and only used there.
private struct Writer: @unchecked Sendable {
    /// Results deleted at a time, so that nobody waits long behind them.
    private static let expiredAtOnce = 1000
    /// Milliseconds between two tries of a disk that fails, and between two looks for what has expired.
    private static let retry = 1000
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
    /// Results that the disk did not take, oldest first. While there are any no job is taken, so they are few.
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

    /// Milliseconds until there is something to do without an order.
    var patience: Int { failure == nil ? Self.expiry : Self.retry }

    /// Opens the file. Only that of a newer release is an error.
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

    /// - Returns: whether there may be more orders.
    mutating func obey(_ orders: [Journal.Order]) -> Bool {
        let earlier = unwritten
        unwritten = []
        write(earlier, isRetry: true)
        write(orders.filter { if case .close = $0 { false } else { true } }, isRetry: false)
        if failure == nil { expire() }
        return !orders.contains { if case .close = $0 { true } else { false } }
    }

    /// One transaction for all of them. If it fails, the results have another one to themselves: they need no room.
    private mutating func write(_ orders: [Journal.Order], isRetry: Bool) {
        // Without orders there is only a lost connection to make again.
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
            // A result's second try has been answered for at the first.
            if !isRetry { for answer in answers ?? [] { mail.post(answer) } }
        } catch {
            let reason = Self.reason(error)
            // A full disk leaves the connection as it was; whatever else has happened, the next try begins anew.
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
            // There are more: they go behind the next orders.
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

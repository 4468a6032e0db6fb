internal import BifronsWire
internal import BifronsZeroMQ
internal import Decisions
internal import FoundationEssentials
internal import GRDB
internal import Reactor
internal import Synchronization

/// The work of the journal's thread.
// @unchecked: made on the opener's thread, handed to the journal's thread before that starts, and used only there.
struct Writer: @unchecked Sendable {
    /// The most results deleted at a time, so that a deletion holds up no order for long.
    private static let expiredAtOnce = 1000
    /// The same for decisions, which have more indices.
    private static let expiredDecisionsAtOnce = 100
    /// The milliseconds between two attempts to use a failing disk.
    private static let retry = 1000
    /// The milliseconds between two searches for expired results.
    private static let expiry = 10_000

    private let path: String
    private let maxBytes: Int
    private let retention: Int64
    private let decisionRetention: Int64
    private let personalRetention: Int64
    private let reviewBytes: Int
    private let ensemble: Ensemble
    private let clock: @Sendable () -> Int64
    private let mail: Mailbox<Journal.Mail>
    private let size: Journal.Size
    private var store: JournalStore?
    /// The policies as of the last transaction.
    private var book: PolicyBook
    private var hasRecovered = false
    private var failure: String?
    private var expireNext: Int64 = 0
    /// Results that the disk did not take, oldest first. No job is stored meanwhile, so they are few.
    private var unwritten: [Journal.Order] = []

    init(
        path: String, maxBytes: Int, retention: Int64, decisionRetention: Int64, personalRetention: Int64,
        reviewBytes: Int, ensemble: Ensemble, clock: @escaping @Sendable () -> Int64, mail: Mailbox<Journal.Mail>,
        size: Journal.Size
    ) {
        self.path = path
        self.maxBytes = maxBytes
        self.retention = retention
        self.decisionRetention = decisionRetention
        self.personalRetention = personalRetention
        self.reviewBytes = reviewBytes
        self.ensemble = ensemble
        book = PolicyBook(ensemble)
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
        let opened = try JournalStore(path: path, maxBytes: maxBytes)
        let now = clock()
        book = try opened.transaction { try $0.restoreBook(ensemble, now: now) }
        if !hasRecovered {
            let book = book
            let rows = try opened.transaction(answer: Self.answer(by: book)) {
                try $0.unfinished(now: now, cutoff: now - retention)
            }
            hasRecovered = true
            mail.post(.policies(book))
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
            var (used, changed) = (0, book)
            let answers = try store?.transaction(answer: Self.answer(by: book)) { transaction in
                try orders.compactMap { try perform($0, transaction, used: &used, &changed, now: now) }
            }
            book = changed
            if orders.contains(where: \.isErasure) { try store?.emptyLog() }
            noteSize()
            if unwritten.isEmpty { note(failure: nil) }
            // A result's outcome was already mailed at the first attempt.
            if !isRetry { for answer in answers ?? [] { mail.post(answer) } }
        } catch {
            let reason = Self.reason(error)
            // A full disk leaves the connection usable. After any other error the next attempt reopens it.
            if (error as? DatabaseError)?.resultCode != .SQLITE_FULL {
                // Otherwise the file may stay locked, and nobody could open it again.
                try? store?.close()
                store = nil
            }
            note(failure: reason)
            let results = orders.filter { if case .record = $0 { true } else { false } }
            refuse(orders, reason, isRetry: isRetry, keepingResults: results.count == orders.count)
            if results.count < orders.count { write(results, isRetry: isRetry) }
        }
    }

    private func perform(
        _ order: Journal.Order, _ transaction: borrowing Transaction, used: inout Int, _ book: inout PolicyBook,
        now: Int64
    ) throws -> Journal.Mail? {
        switch order {
        case .persist(let job, let header, let key, let sha256, let image):
            let data = image.withBytes { Data($0) }
            let outcome = try transaction.insert(
                JournalStore.Row(job: job, header: header, key: key, sha256: sha256, image: data), used: &used,
                now: now,
                cutoff: now - retention)
            return .persisted(job: job, outcome)
        case .record(let job, let document, let decision, let image):
            if let decision { try transaction.record(decision, by: book, image: reviewImage(image), now: now) }
            try transaction.setResult(job, document, now: now)
            return .recorded(job: job, failure: nil)
        case .decide(let decision, let image):
            try transaction.record(decision, by: book, image: reviewImage(image), now: now)
            return .recorded(job: decision.number, failure: nil)
        case .recordShadow(let score):
            try transaction.record(score, now: now)
            return nil
        case .ask(let token, let question):
            return .answered(token: token, try transaction.answer(question, &book, now: now))
        case .find(let token, let id, let jobOwner):
            return .found(token: token, try transaction.find(id, of: jobOwner, cutoff: now - retention))
        case .close: return nil
        }
    }

    private func reviewImage(_ image: Frame?) -> ReviewImage? {
        image.map { ReviewImage(image: $0, maxBytes: reviewBytes) }
    }

    /// Mails the failure of orders whose transaction failed, and keeps the results for a retry if `keepingResults`.
    private mutating func refuse(_ orders: [Journal.Order], _ reason: String, isRetry: Bool, keepingResults: Bool) {
        for order in orders {
            switch order {
            case .persist(let job, _, _, _, _): mail.post(.persisted(job: job, .failed(reason)))
            case .record(let job, _, _, _):
                guard keepingResults else { continue }
                unwritten.append(order)
                if !isRetry { mail.post(.recorded(job: job, failure: reason)) }
            case .decide(let decision, _): mail.post(.recorded(job: decision.number, failure: reason))
            case .ask(let token, _): mail.post(.answered(token: token, .failed(reason)))
            case .find(let token, _, _): mail.post(.found(token: token, .failed(reason)))
            case .recordShadow, .close: break
            }
        }
    }

    private mutating func expire() {
        let now = clock()
        guard now >= expireNext else { return }
        do {
            let isMore = try store?.transaction { transaction in
                try transaction.expireReviewImages(now: now)
                let jobs = try transaction.expire(cutoff: now - retention, atMost: Self.expiredAtOnce)
                let decisions = try transaction.expireDecisions(
                    cutoff: now - decisionRetention, atMost: Self.expiredDecisionsAtOnce)
                let personal = try transaction.expirePersonal(
                    cutoff: now - personalRetention, atMost: Self.expiredDecisionsAtOnce)
                return jobs == Self.expiredAtOnce || max(decisions, personal) == Self.expiredDecisionsAtOnce
            }
            noteSize()
            // More has expired: it is deleted after the next orders.
            expireNext = isMore == true ? now : now + Int64(Self.expiry)
        } catch {
            expireNext = now + Int64(Self.expiry)
            note(failure: Self.reason(error))
        }
    }

    private func noteSize() {
        guard let (bytes, head) = try? store?.extent() else { return }
        size.bytes.store(bytes, ordering: .relaxed)
        size.head.withLock { $0 = head }
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

    private static func answer(by book: PolicyBook) -> Journal.Answer {
        { document, header, jobOwner in book.answer(document, to: header, for: jobOwner.tenant) }
    }
}

extension Journal.Order {
    fileprivate var isErasure: Bool {
        if case .ask(_, .erase) = self { true } else { false }
    }
}

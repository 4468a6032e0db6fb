import BifronsWire
import BifronsZeroMQ
import Decisions
import FoundationEssentials
import Reactor
import Synchronization
import Testing

@testable import Journal

/// A journal in a folder of its own, with a clock that the test moves.
final class JournalFixture {
    let folder: String
    let clock = Clock()

    var path: String { folder + "/journal.sqlite" }

    final class Clock: Sendable {
        private let milliseconds = Mutex<Int64>(1_000_000_000_000)
        func now() -> Int64 { milliseconds.withLock { $0 } }
        func pass(_ duration: Duration) { milliseconds.withLock { $0 += Int64(duration.milliseconds) } }
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/journal-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func open(maxBytes: Int = 1 << 30, _ ensemble: Ensemble? = nil) throws -> JournalDriver {
        let clock = clock
        return JournalDriver(
            try Journal(
                path: folder, maxBytes: maxBytes, retention: .seconds(60), decisionRetention: .seconds(3600),
                ensemble: try ensemble ?? .ofJournals(), clock: { clock.now() }))
    }

    /// Opens the file as the journal's thread does.
    func openStore() throws -> JournalStore { try JournalStore(path: path, maxBytes: 1 << 30) }
}

/// Reads a journal's mail item by item, and closes the journal at the end.
final class JournalDriver {
    let journal: Journal
    private var mail: [Journal.Mail] = []

    init(_ journal: Journal) { self.journal = journal }
    deinit { journal.close() }

    func next() throws -> Journal.Mail {
        var polled = PollSet()
        _ = polled.add(descriptor: journal.mail.descriptor)
        while mail.isEmpty {
            try #require(try polled.wait(milliseconds: 30_000) > 0, "the journal says nothing")
            mail = journal.mail.drain()
        }
        return mail.removeFirst()
    }

    func recovered() throws -> [Journal.Unfinished] {
        while true { if case .recovered(let jobs) = try next() { return jobs } }
    }

    /// The policies that the journal began with.
    func policies() throws -> PolicyBook {
        guard case .policies(let book) = try next() else { throw Unexpected() }
        return book
    }

    /// Writes a decision, and returns why that failed.
    func decide(_ decision: Decision) throws -> String? {
        journal.decide(decision)
        while true { if case .recorded(decision.number, let failure) = try next() { return failure } }
    }

    func ask(_ question: LedgerQuestion) throws -> LedgerAnswer {
        journal.ask(question, for: 9)
        while true { if case .answered(9, let answer) = try next() { return answer } }
    }

    func persist(
        _ job: UInt64, _ header: RequestHeader, _ image: [UInt8] = [1, 2, 3], of key: String? = nil
    ) throws -> JournalOutcome {
        let sha256 = header.idempotencyKey.map { _ in digest(image) }
        journal.persist(job, header, key: key, sha256: sha256, image: image.withUnsafeBytes { Frame($0) })
        while true { if case .persisted(job, let outcome) = try next() { return outcome } }
    }

    func record(_ job: UInt64, _ document: ResultDocument) throws -> String? {
        journal.record(job, document)
        while true { if case .recorded(job, let failure) = try next() { return failure } }
    }

    func find(_ id: String, of jobOwner: JobOwner? = nil) throws -> JournalLookupResult {
        journal.find(id, of: jobOwner, for: 7)
        while true { if case .found(7, let found) = try next() { return found } }
    }

    struct Unexpected: Error {}
}

/// Returns a stand-in for a digest: the image's first byte, 32 times.
func digest(_ image: [UInt8]) -> [UInt8] { Array(repeating: image.first ?? 0, count: 32) }

extension Ensemble {
    /// One model, and the policies that the tests name.
    static func ofJournals(review: Double = 0.5) throws -> Ensemble {
        try Ensemble(
            models: ["a"], merge: [(["a"], Blend(bias: 0, weights: [1]))],
            policies: [
                "default": Policy(review: review, block: 0.9), "strict": Policy(review: 0.1, block: 0.2),
                "lenient": Policy(review: 0.8, block: 1),
            ])
    }
}

func header(_ id: String, key: String? = nil, owner: String? = nil) -> RequestHeader {
    var header = RequestHeader(verb: .classify, id: id)
    header.owner = owner
    (header.durable, header.idempotencyKey, header.metadata) = (true, key, Array(#"{"ticket": "\#(id)"}"#.utf8))
    return header
}

func result(_ id: String, _ status: Status = .ok) -> ResultDocument {
    var document = ResultDocument(id: id, status: status)
    document.metadata = Array(#"{"ticket": "\#(id)"}"#.utf8)
    document.totalMilliseconds = 12.125
    return document
}

/// A decision of a policy on one logit.
func decision(
    _ number: UInt64, _ logit: Float = 1, tenant: String? = nil, subject: Subject? = nil,
    _ ensemble: Ensemble? = nil, policy name: String = "default"
) throws -> Decision {
    let ensemble = try ensemble ?? .ofJournals()
    let policy = try #require(ensemble.policies[name])
    let verdict = policy.verdict(ensemble.merge.probability([logit]), isDegraded: false, evidence: [])
    var document = ResultDocument(id: "job-\(number)", status: .ok)
    document.verdict = verdict
    let body = Decision.Body(
        document, verdict, regions: [.init(isFace: true, turned: nil, logits: [logit])],
        merge: ensemble.merge.digest, evidence: [])
    return Decision(
        number: number, tenant: tenant, body: body,
        personal: .init(
            subject: subject, request: subject.map { "request of \($0.id)" }, sha256: nil, boxes: [[1, 2, 3, 4]],
            evidence: []))
}

func json(_ answer: LedgerAnswer) throws -> String {
    switch answer {
    case .members(let bytes), .reviewed(let bytes, _): return String(decoding: bytes, as: UTF8.self)
    default:
        Issue.record("the ledger answers \(answer)")
        return ""
    }
}

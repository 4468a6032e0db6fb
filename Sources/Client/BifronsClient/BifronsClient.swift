public import BifronsWire
public import BifronsZeroMQ
import FoundationEssentials
import Reactor
import Synchronization

/// A client of Bifrons: any number of requests in flight, to one router or to several.
///
///     let client = try BifronsClient()
///     let reply = try await client.classify(image)
///     print(reply.document.verdict?.aiProbability ?? .nan)
///
/// A request goes to the connected router that has the fewest of this client's requests; one with an idempotency key to the
/// same connected router as every other with that key, whichever client has it. If that router's connection ends, the request
/// goes to another, or to the same when it is back: a picture's verdict does not depend on how often it is asked for. A job
/// that is fetched or cancelled may be with any router, so all are asked. Every call ends exactly once, at the latest a little
/// after its budget.
public final class BifronsClient: Sendable {
    /// Where the routers are and how patient the client is.
    public struct Options: Sendable {
        /// The routers' client endpoints.
        public var routers: [String]
        /// How long a request waits for a router to be connected.
        public var connectTimeout: Duration = .seconds(3)
        /// How long after its budget a request is given up: the router should have answered by then.
        public var grace: Duration = .seconds(1)
        /// Bytes of the largest image that is sent: a router ends the connection of who sends more than its own limit and
        /// ``Limits/frameSlackBytes``, and that would disturb the other requests.
        public var largestImage = Limits.imageBytes + Limits.frameSlackBytes

        /// Encryption, and who this client is to the routers.
        public var curve: Curve.Role = .none

        var hasKeys: Bool { if case .none = curve { false } else { true } }

        public init(routers: [String] = ["tcp://127.0.0.1:5555"]) {
            self.routers = routers
        }
    }

    /// The routers' endpoints, each once, in the order in which they were given.
    public var routers: [String] { options.routers }

    private let options: Options
    private let mailbox: Mailbox<Mail>
    private let gate: Gate
    private let thread: PlatformThread
    private let numbers = Atomic<UInt64>(0)
    /// Makes the ids that requests without one of their own get.
    private let idPrefix = String(UInt64.random(in: 0...UInt64.max), radix: 36)

    /// Opens the sockets and starts the thread that serves them. Does not wait for a connection.
    /// - Throws: if an endpoint is malformed or the system has no more sockets or threads.
    public init(_ options: Options = Options()) throws(ClientError) {
        var options = options
        options.routers = options.routers.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        self.options = options
        do {
            let mailbox = try Mailbox<Mail>()
            let gate = Gate()
            let loop = try ClientLoop(options, mailbox: mailbox)
            thread = try PlatformThread(name: "bifrons-client") {
                let end = loop.run()
                gate.close()
                // Nothing is posted from here on.
                loop.endAll(with: end)
            }
            self.mailbox = mailbox
            self.gate = gate
        } catch {
            throw ClientError(.failed, "\(error)")
        }
    }

    deinit { close() }

    /// Ends every call in flight with ``ClientError/Code/closed`` and closes the sockets. May be called again.
    public func close() {
        gate.pass { mailbox.post(.close) }
        thread.join()
    }

    /// Submits an image and waits for its result, whatever the status.
    /// - Parameters:
    ///   - image: the file's bytes.
    ///   - header: what is asked; the verb is `classify` whatever it says.
    /// - Throws: ``ClientError``; `CancellationError` if the task was cancelled, and then the router is told.
    public func classify(_ image: [UInt8], header: RequestHeader = RequestHeader(verb: .classify)) async throws -> Reply
    {
        guard image.count <= options.largestImage else {
            let document = ResultDocument(
                id: header.id,
                error: WireError(
                    .tooLarge, code: "image_too_large",
                    "the image has \(image.count) bytes; the client sends at most \(options.largestImage)"))
            return Reply(bytes: document.encoded(), document: document)
        }
        var header = header
        header.verb = .classify
        let bytes = try await request(header, image: image)
        return Reply(bytes: bytes, document: try decode(bytes) { try Reply.decode(bytes) })
    }

    /// What the router is doing. With several routers, the first that is connected.
    public func status() async throws -> StatusReport {
        let bytes = try await report(.status)
        return try decode(bytes) { try StatusReport.decode(bytes) }
    }

    /// What is being served. With several routers, by the first that is connected.
    public func models() async throws -> ModelsReport {
        let bytes = try await report(.models)
        return try decode(bytes) { try ModelsReport.decode(bytes) }
    }

    /// Waits for a router to answer.
    /// - Parameters:
    ///   - timeout: how long the answer may take, connecting included.
    ///   - connectTimeout: how long connecting may take; nil: as long as the answer.
    /// - Returns: the time it took, connecting included.
    /// - Throws: ``ClientError``: `noRouter` if none was connected in time, `keysRefused` if one was there, `noAnswer` if one was and did not answer.
    @discardableResult
    public func ping(timeout: Duration = .seconds(3), connectTimeout: Duration? = nil) async throws -> Duration {
        let start = MonotonicClock.now()
        do {
            _ = try await request(
                RequestHeader(verb: .ping), image: nil, router: nil, connectTimeout: connectTimeout ?? timeout,
                answerTimeout: timeout)
        } catch let error as ClientError where error.code == .noRouter || error.code == .keysRefused {
            throw mismatch() ?? error
        }
        return MonotonicClock.now() - start
    }

    /// Asks the routers themselves whether it is for want of keys that none can be used. Waits a moment.
    private func mismatch() -> ClientError? {
        for router in routers {
            guard let mechanism = Greeting.mechanism(of: router, within: .milliseconds(500)) else { continue }
            if let failure = HandshakeFailure(mechanism: mechanism, hasKeys: options.hasKeys) {
                return failure.error(at: router, hasKeys: options.hasKeys)
            }
        }
        return nil
    }

    /// Sends any request and waits for its answer. With several routers, `fetch` and `cancel` ask all of them: the answer is
    /// of the one that knows the job, and 404 only if every router says so.
    /// - Parameters:
    ///   - header: goes out with what is left of the budget, and with an id if it has none. A budget that the protocol
    ///     has not, see ``Limits/budgetMilliseconds``, is taken for the nearest one that it has.
    ///   - image: the image frame; nil for none.
    /// - Returns: the result frame.
    /// - Throws: as ``classify(_:header:)``.
    public func request(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8] {
        let isOfAJob = header.verb == .fetch || header.verb == .cancel
        return isOfAJob && routers.count > 1
            ? try await requestOfJob(header) : try await request(header, image: image, router: nil)
    }

    /// Sends any request to one router and to no other, and waits for its answer.
    /// - Parameters:
    ///   - header: as of ``request(_:image:)``.
    ///   - image: the image frame; nil for none.
    ///   - router: where the router stands in ``routers``; nil: any of them.
    /// - Returns: the result frame.
    /// - Throws: as ``classify(_:header:)``.
    public func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) async throws -> [UInt8] {
        var header = header
        let budgets = Limits.budgetMilliseconds
        header.budgetMilliseconds = min(max(header.budgetMilliseconds, budgets.lowerBound), budgets.upperBound)
        return try await request(
            header, image: image, router: router, connectTimeout: options.connectTimeout,
            answerTimeout: .milliseconds(header.budgetMilliseconds) + options.grace)
    }

    /// Asks every router for a job, which is with one of them at most.
    /// - Returns: the answer of the one that knows it, as soon as that is there; otherwise one that says why it is not known.
    /// - Throws: ``ClientError`` if none knows it and one could not be asked: the job may be there.
    private func requestOfJob(_ header: RequestHeader) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: (router: Int, answer: Result<JobAnswer, ClientError>).self) { group in
            for router in routers.indices {
                group.addTask {
                    do {
                        let bytes = try await self.request(header, image: nil, router: router)
                        return (router, .success((bytes, try self.outcome(of: bytes).error?.code)))
                    } catch let error as ClientError {
                        return (router, .failure(error))
                    }
                }
            }
            var unknown: [UInt8]?
            var unsure: [UInt8]?
            var failures: [Int: ClientError] = [:]
            for try await (router, answer) in group {
                switch answer {
                case .success((let bytes, "unknown_job")): unknown = bytes
                // The router may have the job, and cannot look now.
                case .success((let bytes, "journal_unavailable")), .success((let bytes, "queue_full")): unsure = bytes
                case .success((let bytes, _)):
                    group.cancelAll()
                    return bytes
                case .failure(let error): failures[router] = error
                }
            }
            if let answer = unsure ?? (failures.isEmpty ? unknown : nil) { return answer }
            let codes = failures.values.map(\.code)
            let missing = failures.keys.sorted().map { routers[$0] }.joined(separator: ", ")
            throw ClientError(
                codes.contains(.noRouter) ? .noRouter : codes.first ?? .failed,
                "the job '\(header.id ?? "")' may be with a router that did not answer: \(missing); no other knows it")
        }
    }

    private typealias JobAnswer = (bytes: [UInt8], code: String?)

    private func request(
        _ header: RequestHeader, image: [UInt8]?, router: Int?, connectTimeout: Duration, answerTimeout: Duration
    ) async throws -> [UInt8] {
        try Task.checkCancellation()
        let number = numbers.add(1, ordering: .relaxed).newValue
        var header = header
        header.id = header.id ?? "\(idPrefix)-\(number)"
        let outcome: CallOutcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let call = Call(
                    number: number, header: header, image: image, router: router, start: MonotonicClock.now(),
                    connectTimeout: connectTimeout, answerTimeout: answerTimeout,
                    end: { continuation.resume(returning: $0) })
                let isOpen = gate.pass { mailbox.post(.submit(call)) }
                if !isOpen { continuation.resume(returning: .failed(.closed)) }
                // The handler below may have run before the call was in the mailbox.
                if Task.isCancelled { gate.pass { mailbox.post(.cancel(number)) } }
            }
        } onCancel: {
            gate.pass { mailbox.post(.cancel(number)) }
        }
        switch outcome {
        case .answered(let bytes): return bytes
        case .cancelled: throw CancellationError()
        case .failed(let error): throw error
        }
    }

    private func report(_ verb: Verb) async throws -> [UInt8] {
        let bytes = try await request(RequestHeader(verb: verb), image: nil)
        let outcome = try outcome(of: bytes)
        guard outcome.status.isSuccess else {
            throw ClientError(
                .refused(outcome.status),
                "the router answers \(verb) with \(outcome.status.rawValue): \(outcome.error?.message ?? "no reason given")"
            )
        }
        return bytes
    }

    /// What all answers have in common.
    private struct Outcome: Decodable {
        let status: Status
        let error: ResultDocument.Problem?
    }

    private func outcome(of bytes: [UInt8]) throws -> Outcome {
        try decode(bytes) { try JSONDecoder().decode(Outcome.self, from: Data(bytes)) }
    }

    private func decode<Value>(_ bytes: [UInt8], _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            throw ClientError(
                .malformedAnswer,
                "the router's answer cannot be read; use the same version of router and client (it begins with "
                    + "'\(String(decoding: bytes.prefix(64), as: UTF8.self))')")
        }
    }
}

/// The answer to a submitted image.
public struct Reply: Equatable, Sendable {
    /// The result frame as it came: one JSON object.
    public let bytes: [UInt8]
    /// The same, decoded.
    public let document: ResultDocument

    static func decode(_ bytes: [UInt8]) throws -> ResultDocument {
        try JSONDecoder().decode(ResultDocument.self, from: Data(bytes))
    }
}

extension ClientError {
    static let closed = ClientError(.closed, "the client was closed; open another to go on")
}

/// Lets callers through until it is closed. Who passes is done before `close()` returns.
final class Gate: Sendable {
    private let isOpen = Mutex(true)

    @discardableResult
    func pass(_ body: () -> Void) -> Bool {
        isOpen.withLock { isOpen in
            if isOpen { body() }
            return isOpen
        }
    }

    func close() {
        isOpen.withLock { $0 = false }
    }
}

public import BifronsWire
public import BifronsZeroMQ
import Reactor
import Synchronization

/// A client of Bifrons: any number of requests in flight, to one router or to several. <doc:Classifying> shows how it is used.
///
/// A request goes to the connected router that has the fewest of this client's requests; one with an idempotency key to the
/// same connected router as every other with that key, whichever client has it. If that router's connection ends, the request
/// goes to another, or to the same when it is back: an image's verdict does not depend on how often it is asked for. A job
/// that is fetched or cancelled may be with any router, so all are asked. Every call ends exactly once, at the latest a little
/// after its budget.
public final class BifronsClient: Sendable {
    /// Where the routers are and how patient the client is.
    public struct Options: Sendable {
        /// The routers' client endpoints: `tcp://HOST:PORT` or `ipc:///PATH`.
        public var routers: [String]
        /// How long a request waits for a router to be connected.
        public var connectTimeout: Duration = .seconds(3)
        /// How long after its budget a request is given up: the router should have answered by then.
        public var grace: Duration = .seconds(1)
        /// Bytes of the largest image that is sent: a router ends the connection of who sends more than its own limit and
        /// `Limits.frameSlackBytes`, and that would disturb the other requests.
        public var largestImage = Limits.imageBytes + Limits.frameSlackBytes

        /// Encryption, and who this client is to the routers.
        public var curve: Curve.Role = .none

        var hasKeys: Bool { if case .none = curve { false } else { true } }

        /// - Parameter routers: their client endpoints, at least one; by default that of a router on this machine.
        public init(routers: [String] = ["tcp://127.0.0.1:5555"]) {
            self.routers = routers
        }
    }

    /// The routers' endpoints, each once, in the order in which they were given.
    public var routers: [String] { options.routers }

    let options: Options
    let mailbox: Mailbox<Mail>
    let gate: Gate
    private let thread: PlatformThread
    let numbers = Atomic<UInt64>(0)
    /// Makes the ids that requests without one of their own get.
    let idPrefix = String(UInt64.random(in: 0...UInt64.max), radix: 36)

    /// Opens the sockets and starts the thread that serves them. Does not wait for a connection.
    /// - Parameter options: where the routers are.
    /// - Throws: ``ClientError`` of the code `failed` if an endpoint is malformed or the system has no more sockets or threads.
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
    ///   - image: the file's bytes. Of more than ``Options/largestImage`` the result is 413 and nothing is sent.
    ///   - options: what is asked of the image.
    ///   - patience: how long a service that is full (status 429) is asked again, as often as it says to come again; zero: not
    ///     at all. Each try has the whole budget, and the id of the first, by which the router knows whose turn it is.
    /// - Returns: the result: of the last try, if the service stayed full.
    /// - Throws: ``ClientError``; `CancellationError` if the task was cancelled, and then the router is told.
    public func classify(
        _ image: [UInt8], _ options: ClassifyOptions = ClassifyOptions(), patience: Duration = .zero
    ) async throws -> Reply {
        var header = options.header
        var waited = Duration.zero
        while true {
            let reply = try await classify(image, header)
            header.id = reply.document.id
            guard reply.document.status == .tooManyRequests, waited < patience else { return reply }
            let pause = Duration.milliseconds(reply.document.retryAfterMilliseconds ?? Self.retryMilliseconds)
            try await Task.sleep(for: pause)
            waited += pause
        }
    }

    /// When a full service is asked again that does not say when.
    private static let retryMilliseconds = 100

    private func classify(_ image: [UInt8], _ header: RequestHeader) async throws -> Reply {
        guard image.count <= options.largestImage else {
            let document = ResultDocument(
                id: header.id,
                error: WireError(
                    .tooLarge, code: "image_too_large",
                    "the image has \(image.count) bytes; the client sends at most \(options.largestImage)"))
            return Reply(bytes: document.encoded(), document: document)
        }
        return try reply(try await request(header, image: image))
    }

    /// Asks for the result of a durable job. With several routers all are asked.
    /// - Parameters:
    ///   - id: the job's; of several jobs with that id the latest is meant.
    ///   - owner: on whose behalf a gateway asks; nil: on nobody's.
    /// - Returns: the result as it was, its status included; 202 while there is none; 404 if the job is not known.
    /// - Throws: ``ClientError``; `CancellationError` if the task was cancelled.
    public func fetch(_ id: String, owner: String? = nil) async throws -> Reply {
        try await ask(.fetch, id, owner)
    }

    /// Ends an unfinished job, whose own request is then answered with 408. With several routers all are asked.
    /// - Parameters:
    ///   - id: the job's; of several jobs with that id the latest is meant.
    ///   - owner: on whose behalf a gateway asks; nil: on nobody's.
    /// - Returns: 200 if there was such a job, 404 if not.
    /// - Throws: ``ClientError``; `CancellationError` if the task was cancelled.
    public func cancel(_ id: String, owner: String? = nil) async throws -> Reply {
        try await ask(.cancel, id, owner)
    }

    private func ask(_ verb: Verb, _ id: String, _ owner: String?) async throws -> Reply {
        var header = RequestHeader(verb: verb, id: id)
        header.owner = owner
        return try reply(try await request(header, image: nil))
    }

    private func reply(_ bytes: [UInt8]) throws -> Reply {
        Reply(bytes: bytes, document: try decode(bytes) { try ResultDocument.decode(bytes) })
    }

    /// What the router is doing. With several routers, the first that is connected.
    /// - Throws: ``ClientError``, of the code `refused` if the service answers with an error; `CancellationError`.
    public func status() async throws -> StatusReport {
        let bytes = try await report(.status)
        return try decode(bytes) { try StatusReport.decode(bytes) }
    }

    /// What is being served. With several routers, by the first that is connected.
    /// - Throws: ``ClientError``, of the code `refused` if the service answers with an error; `CancellationError`.
    public func models() async throws -> ModelsReport {
        let bytes = try await report(.models)
        return try decode(bytes) { try ModelsReport.decode(bytes) }
    }

    /// Waits for a router to answer.
    /// - Parameters:
    ///   - timeout: how long the answer may take, connecting included.
    ///   - connectTimeout: how long connecting may take; nil: as long as the answer.
    /// - Returns: the time it took, connecting included.
    /// - Throws: ``ClientError``: `noRouter` if none was connected in time, `keysRefused` if one was there, `noAnswer` if one
    ///   was and did not answer.
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
}

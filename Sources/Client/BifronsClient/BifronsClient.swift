public import BifronsWire
public import BifronsZeroMQ
import Reactor
import Synchronization

/// A client of the Bifrons service, with any number of requests in flight, to one router or several. <doc:Classifying>
/// shows how to use it.
///
/// A request goes to the connected router that has the fewest requests of this client in flight. Requests with the same
/// idempotency key go to the same connected router, from every client. If that router's connection ends, the request is
/// sent again, to another router or to the same one after it reconnects; this is safe, because classifying an image
/// again gives the same verdict. Any router may have a job that is fetched or cancelled, so all are asked. Every call
/// ends exactly once, at the latest ``Options/grace`` after its budget.
public final class BifronsClient: Sendable {
    /// The routers' endpoints, the timeouts and the keys of a client.
    public struct Options: Sendable {
        /// The routers' client endpoints: `tcp://HOST:PORT` or `ipc:///PATH`.
        public var routers: [String]
        /// The time that a request waits for a connection to a router; 3 s by default.
        public var connectTimeout: Duration = .seconds(3)
        /// The time after its budget at which a request fails if it has no answer; 1 s by default. The router should
        /// have answered by then.
        public var grace: Duration = .seconds(1)
        /// The most bytes of an image that the client sends. A router ends the connection of a client that exceeds the
        /// router's own limit plus `Limits.frameSlackBytes`, which would disturb the client's other requests.
        public var largestImage = Limits.imageBytes + Limits.frameSlackBytes

        /// The client's keys for encryption and authentication; none by default.
        public var curve: Curve.Role = .none

        var hasKeys: Bool { if case .none = curve { false } else { true } }

        /// Creates options with the default timeouts and no keys.
        /// - Parameter routers: the client endpoints of the routers, at least one; by default that of a router on this
        ///   machine.
        public init(routers: [String] = ["tcp://127.0.0.1:5555"]) {
            self.routers = routers
        }
    }

    /// The routers' endpoints without duplicates, in the order given.
    public var routers: [String] { options.routers }

    let options: Options
    let mailbox: Mailbox<Mail>
    let gate: Gate
    private let thread: PlatformThread
    let numbers = Atomic<UInt64>(0)
    /// The prefix of the ids that are generated for requests without one.
    let idPrefix = String(UInt64.random(in: 0...UInt64.max), radix: 36)

    /// Opens the sockets and starts the thread that serves them. Does not wait for a connection.
    /// - Parameter options: the routers' endpoints, the timeouts and the keys.
    /// - Throws: ``ClientError`` of the code `failed` if an endpoint is malformed, or if the system has no more sockets
    ///   or threads.
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
                // The gate is closed, so nothing more is posted.
                loop.endAll(with: end)
            }
            self.mailbox = mailbox
            self.gate = gate
        } catch {
            throw ClientError(.failed, "\(error)")
        }
    }

    deinit { close() }

    /// Ends every call in flight with ``ClientError/Code/closed`` and closes the sockets. It is safe to call this
    /// again.
    public func close() {
        gate.pass { mailbox.post(.close) }
        thread.join()
    }

    /// Submits an image and waits for its result, whatever its status.
    /// - Parameters:
    ///   - image: the bytes of the file. If there are more than ``Options/largestImage``, the result is 413 and nothing
    ///     is sent.
    ///   - options: what to ask about the image, and how.
    ///   - patience: how long to retry while the service is full (status 429), each time after the pause that the
    ///     service asks for. Zero disables retries. Each try has the whole budget, and the id of the first try, by
    ///     which the router keeps the job's place in line.
    /// - Returns: the result; that of the last try if the service stayed full.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled, which also cancels the job at the
    ///   router.
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

    /// The pause, in milliseconds, before a retry if a full service does not state one.
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

    /// Fetches the result of a durable job. With several routers, asks all of them.
    /// - Parameters:
    ///   - id: the id of the job; if several jobs have it, the latest is meant.
    ///   - owner: the owner on whose behalf a gateway asks; nil for none.
    /// - Returns: the stored result with its own status; 202 while there is none; 404 if the job is unknown.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled.
    public func fetch(_ id: String, owner: String? = nil) async throws -> Reply {
        try await ask(.fetch, id, owner)
    }

    /// Cancels an unfinished job, whose own request is then answered with 408. With several routers, asks all of them.
    /// - Parameters:
    ///   - id: the id of the job; if several jobs have it, the latest is meant.
    ///   - owner: the owner on whose behalf a gateway asks; nil for none.
    /// - Returns: 200 if there was such a job, 404 if not.
    /// - Throws: ``ClientError``; `CancellationError` if the task is cancelled.
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

    /// Returns a router's queues, workers, rates and counters. With several routers, asks the first that is connected.
    /// - Throws: ``ClientError``, of the code `refused` if the service answers with an error; `CancellationError` if
    ///   the task is cancelled.
    public func status() async throws -> StatusReport {
        let bytes = try await report(.status)
        return try decode(bytes) { try StatusReport.decode(bytes) }
    }

    /// Returns the models and policies that a router serves. With several routers, asks the first that is connected.
    /// - Throws: ``ClientError``, of the code `refused` if the service answers with an error; `CancellationError` if
    ///   the task is cancelled.
    public func models() async throws -> ModelsReport {
        let bytes = try await report(.models)
        return try decode(bytes) { try ModelsReport.decode(bytes) }
    }

    /// Waits for a router to answer.
    /// - Parameters:
    ///   - timeout: the time for the answer, including the time to connect.
    ///   - connectTimeout: the time to connect; nil for the same as `timeout`.
    /// - Returns: the time until the answer, including the time to connect.
    /// - Throws: ``ClientError``: `noRouter` if no router could be connected to in time, `keysRefused` if the keys do
    ///   not match the router's, `noAnswer` if a connected router did not answer in time.
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

    /// Returns an error if a router cannot be used because only one side has keys. Asks each router for its security
    /// mechanism, and blocks for at most 500 ms a router.
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

internal import BifronsClient
internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Reactor
internal import Settings
internal import Synchronization

/// What the gateway answers to each request. The way of one, told once:
///
///     trace ─ route ─ CORS ─ token ─ a place among its address's requests ─ the call ─ security fields ─ metrics, access log
struct Gateway: Sendable {
    let settings: GatewaySettings
    let router: RouterConnection
    let limits: EdgeLimits
    let feed: StatusFeed
    let pages = Pages()
    let metrics = GatewayMetrics()
    /// Nil: everybody may use the API.
    let tokens: TokenFile?
    let logger: Logger

    func respond(to request: Request, from client: ClientConnection) async throws -> Response {
        let start = MonotonicClock.now()
        let address = client.address
        let trace = TraceContext(continuing: request.headers[.traceparent])
        let methods = Route.at(request.uri.path)
        // HEAD is GET without the body.
        let route = methods?[request.method == .head ? .get : request.method]
        var caller: String?
        var response: Response
        do {
            try HostField.check(request.head)
            if let preflight = preflight(request, methods) {
                response = preflight
            } else {
                guard let methods else { throw Self.nothingHere(request.uri.path) }
                guard let route else { throw Self.wrongMethod(request.method, methods) }
                caller = try identify(request, route)
                let place = try limits.enter(address)
                response = try await answer(request, route, client, for: caller)
                // A stream keeps its place until it ends.
                if response.body.contentLength == nil {
                    let body = response.body
                    response.body = ResponseBody { writer in
                        try await body.write(writer)
                        withExtendedLifetime(place) {}
                    }
                }
            }
        } catch let problem as Problem {
            response = route == .legacy ? Self.legacyError(problem) : problem.response()
        } catch let error as HTTPParserError {
            response = Problem(error).response()
        } catch let error where error is IOError || error is ChannelError {
            // The client's connection broke within the body: nothing else here speaks over one of NIO's.
            response = Problem.clientGone.response()
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.uri.path.prefix(256))", "error": "\(error)"])
            response = Problem(.internalServerError, code: "failed", "the gateway failed; its log says how").response()
        }
        if request.method == .head { response = response.createHeadResponse() }
        shareWithOrigins(request, &response)
        let duration = MonotonicClock.now() - start
        metrics.count(route, request.method, response.status, duration)
        finish(
            &response, trace, level: route?.isProbe == true ? .debug : .info,
            [
                "method": "\(request.method)", "path": "\(request.uri.path.prefix(256))",
                "ms": "\(Int(duration.milliseconds))", "bytes": "\(request.headers[.contentLength] ?? "-")",
                "address": "\(address)", "caller": "\(caller ?? "-")",
            ])
        return response
    }

    /// The answer to a request whose header cannot be read.
    /// - Parameter address: the client's.
    func refuse(_ problem: Problem, from address: String) -> Response {
        var response = problem.response()
        metrics.count(nil, .get, response.status, .zero)
        finish(&response, TraceContext(continuing: nil), level: .info, ["address": "\(address)"])
        return response
    }

    /// What every answer has, and its line in the log.
    private func finish(
        _ response: inout Response, _ trace: TraceContext, level: Logger.Level, _ metadata: Logger.Metadata
    ) {
        secure(&response)
        response.headers[.traceparent] = trace.field
        let own: Logger.Metadata = ["status": "\(response.status.code)", "trace": "\(trace.trace)"]
        logger.log(level: level, "request", metadata: metadata.merging(own) { $1 })
    }

    /// - Parameter owner: whose token the request bears: jobs are theirs alone.
    private func answer(
        _ request: Request, _ route: Route, _ client: ClientConnection, for owner: String?
    ) async throws -> Response {
        switch route {
        case .page(let name):
            guard name != "openapi.json",
                let page = pages.response(name, ifNoneMatch: request.headers[.ifNoneMatch])
            else { throw Self.nothingHere(request.uri.path) }
            return page
        case .openAPI:
            return pages.response("openapi.json", ifNoneMatch: request.headers[.ifNoneMatch])
                ?? Self.nothingHere(request.uri.path).response()
        case .health: return .json(Array(#"{"status":"ok"}"#.utf8))
        case .readiness: return try await readiness()
        case .metrics: return await metricsText()
        case .classify: return try await client.whileOpen { try await classify(request, for: owner) }
        // The job is wanted, whoever stays for the 202.
        case .jobs: return try await submit(request, for: owner)
        case .job(let id):
            var header = RequestHeader(verb: request.method == .delete ? .cancel : .fetch, id: id)
            header.owner = owner
            return try await router.ask(header).response
        case .models: return try await router.ask(RequestHeader(verb: .models)).response
        case .status: return try await router.ask(RequestHeader(verb: .status)).response
        case .events: return await events()
        case .legacy: return try await client.whileOpen { try await classifyForLegacyAPI(request, for: owner) }
        }
    }

    private func events() async -> Response {
        let events = await feed.listen()
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody(asyncSequence: events))
    }

    // MARK: Health

    private func readiness() async throws -> Response {
        try await router.checkReadiness()
        return .json(Array(#"{"status":"ready"}"#.utf8))
    }

    /// The cluster's metrics; without a router the gateway's own, which say that there is none.
    private func metricsText() async -> Response {
        let text = metrics.text(await router.reports(), bodyBytes: limits.bytes)
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    // MARK: Who may

    /// - Returns: whose token the request bears; nil if none is needed.
    private func identify(_ request: Request, _ route: Route) throws(Problem) -> String? {
        guard let tokens, route.needsToken else { return nil }
        if let owner = tokens.owner(of: request.headers[.authorization]) { return owner }
        var problem = Problem(
            .unauthorized, code: "token_missing",
            "this needs a token of the gateway's list; send it as 'Authorization: Bearer TOKEN'")
        problem.headers[.wwwAuthenticate] = "Bearer"
        throw problem
    }

    /// The answer to a browser that asks whether another origin's page may send something.
    private func preflight(_ request: Request, _ methods: [HTTPRequest.Method: Route]?) -> Response? {
        guard request.method == .options, let methods, allowedOrigin(request) != nil else { return nil }
        return Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: methods.keys.map(\.rawValue).sorted().joined(separator: ", "),
                .accessControlAllowHeaders: "Authorization, Content-Type, Idempotency-Key, traceparent",
                .accessControlMaxAge: "600",
            ])
    }

    private func shareWithOrigins(_ request: Request, _ response: inout Response) {
        guard !settings.corsOrigins.isEmpty else { return }
        response.headers[.vary] = "Origin"
        guard let origin = allowedOrigin(request) else { return }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] = "Location, Retry-After, traceparent"
    }

    private func allowedOrigin(_ request: Request) -> String? {
        guard let origin = request.headers[.origin] else { return nil }
        return settings.corsOrigins.first { $0 == origin || $0 == "*" }
    }

    private func secure(_ response: inout Response) {
        for (name, value) in Self.securityFields { response.headers[name] = value }
    }

    private static let securityFields: [(HTTPField.Name, String)] = [
        (
            .contentSecurityPolicy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
                + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        (.xContentTypeOptions, "nosniff"),
        (.referrerPolicy, "no-referrer"),
        (.crossOriginOpenerPolicy, "same-origin"),
        (.crossOriginResourcePolicy, "same-origin"),
        (.permissionsPolicy, "camera=(), geolocation=(), microphone=()"),
    ]

    // MARK: What is not there

    private static func nothingHere(_ path: String) -> Problem {
        Problem(
            .notFound, code: "unknown_path", "there is nothing at \(path.prefix(256)); /openapi.json says what there is"
        )
    }

    private static func wrongMethod(
        _ method: HTTPRequest.Method, _ methods: [HTTPRequest.Method: Route]
    ) -> Problem {
        let allowed = methods.keys.map(\.rawValue) + (methods[.get] == nil ? [] : ["HEAD"])
        let list = allowed.sorted().joined(separator: ", ")
        var problem = Problem(
            .methodNotAllowed, code: "method_not_allowed", "\(method) is not for this path; use \(list)")
        problem.headers[.allow] = list
        return problem
    }
}

extension Gateway {
    /// The fields of a request's query, decoded as forms are.
    func queryFields(_ request: Request) throws(Problem) -> [(name: String, text: String)] {
        var fields: [(name: String, text: String)] = []
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = parts.map { PercentEncoding.decode($0.replacing("+", with: " ")) }
            guard let name = decoded[0], let text = decoded.count == 2 ? decoded[1] : "" else {
                throw Problem(
                    .badRequest, code: "malformed_query",
                    "the query has '\(pair.prefix(64))', which is not percent-encoded")
            }
            fields.append((name, text))
        }
        return fields
    }
}

/// The list of tokens, as the file has it now or had it when it was last read.
final class TokenFile: Sendable {
    private let path: String
    private let list: Mutex<TokenList>

    init(path: String) throws(TokenList.ParseError) {
        self.path = path
        list = Mutex(try TokenList(path: path))
    }

    func owner(of authorization: String?) -> String? {
        list.withLock { $0 }.owner(of: authorization)
    }

    /// Reads the file again; the old list stays if it cannot be used.
    func reload() throws(TokenList.ParseError) {
        let new = try TokenList(path: path)
        list.withLock { $0 = new }
    }
}

extension HTTPField.Name {
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
    static let crossOriginOpenerPolicy = HTTPField.Name("Cross-Origin-Opener-Policy")!
    static let permissionsPolicy = HTTPField.Name("Permissions-Policy")!
}

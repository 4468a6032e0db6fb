internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// An error that is sent to HTTP clients as a problem document (RFC 9457).
///
/// `type` is always `about:blank`, so `title` is the phrase of the status. Programs use `status` and `code`.
struct Problem: Error, Equatable {
    var status: HTTPResponse.Status
    /// The error code for programs: one of the router protocol's, or of the gateway's own.
    var code: String
    /// What went wrong, in one sentence for people.
    var detail: String
    var retryAfterMilliseconds: Int?
    /// Additional header fields of the response.
    var headers = HTTPFields()

    /// - Parameter milliseconds: the time after which the client may retry; by default that of ``usualPause(_:_:)``.
    init(_ status: HTTPResponse.Status, code: String, _ detail: String, retryAfter milliseconds: Int? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        retryAfterMilliseconds = milliseconds ?? Self.usualPause(status, code)
    }

    /// Returns the default time, in milliseconds, after which a client may retry; nil unless the refusal is temporary.
    /// One second is enough for another worker to take over; five allow for something that must be started or repaired
    /// first.
    private static func usualPause(_ status: HTTPResponse.Status, _ code: String) -> Int? {
        switch (status.code, code) {
        case (503, "no_worker"), (503, "journal_unavailable"), (503, "crops_unavailable"), (503, "crops_too_large"):
            5000
        case (429, _), (503, _): 1000
        default: nil
        }
    }

    /// Creates the problem of a request that cannot be parsed.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self.init(
                .requestHeaderFieldsTooLarge, code: "header_too_large",
                "the request's header has more than \(Gateway.headerBytes) bytes or "
                    + "\(Gateway.headerFields) fields; send a smaller one")
        default:
            self.init(.badRequest, code: "malformed_request", "the request cannot be read as HTTP/1.1: \(error.reason)")
        }
    }

    init(_ error: WireError) {
        self.init(HTTPResponse.Status(error.status), code: error.code, error.message)
    }

    private struct Document: Encodable {
        let type = "about:blank"
        let title: String
        var status: Int?
        let detail: String
        let code: String
        var retryAfterMs: Int?
    }

    /// The problem document, a JSON object.
    var document: [UInt8] { encoded(status: status.code, retryAfterMilliseconds) }

    /// Returns the problem document of a failed result: the problem's own members, followed by those of the result.
    func document(around result: [UInt8]) -> [UInt8] {
        // Both are non-empty JSON objects. The result already has `status` and `retry_after_ms`.
        encoded(status: nil, nil).dropLast() + [UInt8(ascii: ",")] + result.dropFirst()
    }

    private func encoded(status: Int?, _ retryAfterMilliseconds: Int?) -> [UInt8] {
        let document = Document(
            title: self.status.reasonPhrase, status: status, detail: detail, code: code,
            retryAfterMs: retryAfterMilliseconds)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Encoding strings and integers cannot fail.
        return Array((try? encoder.encode(document)) ?? Data())
    }

    /// Returns the HTTP response.
    /// - Parameter result: the failed result that the problem describes, if there is one; its members are included.
    func response(around result: [UInt8]? = nil) -> Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        headers[.cacheControl] = "no-store"
        if let retryAfterMilliseconds { headers[.retryAfter] = "\((retryAfterMilliseconds + 999) / 1000)" }
        let body = ByteBuffer(bytes: result.map(document(around:)) ?? document)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

/// Turns errors into responses, and removes the body of responses to HEAD.
struct ProblemMiddleware: RouterMiddleware {
    let logger: Logger

    func handle(_ request: Request, context: GatewayContext, next: Next) async throws -> Response {
        let response: Response
        do {
            response = try await next(request, context)
        } catch {
            let problem = problem(of: error, request)
            let isLegacy = request.method == .post && context.endpointPath == "/"
            response = isLegacy ? Gateway.legacyError(problem) : problem.response()
        }
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func problem(of error: any Error, _ request: Request) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as HTTPParserError: return Problem(error)
        // Nothing else here uses a NIO connection, so it is the client's, which broke while the body arrived.
        case is IOError, is ChannelError: return .clientGone
        default:
            logger.error("request failed", metadata: ["path": "\(request.uri.path.prefix(256))", "error": "\(error)"])
            return Problem(.internalServerError, code: "failed", "the gateway failed; its log says how")
        }
    }
}

extension HTTPResponse.Status {
    /// The router protocol's statuses with their HTTP phrases, which a bare code lacks.
    private static let known: [HTTPResponse.Status] = [
        .ok, .created, .accepted, .partialContent, .badRequest, .notFound, .requestTimeout, .conflict,
        .preconditionFailed,
        .contentTooLarge,
        .unsupportedMediaType, .unprocessableContent, .tooManyRequests, .serviceUnavailable,
    ]

    /// Creates the HTTP status of the same code as a router protocol's status.
    init(_ status: Status) {
        self = Self.known.first { $0.code == status.rawValue } ?? Self(code: status.rawValue)
    }
}

extension HTTPParserError {
    /// What is wrong with the request, as far as the parser reports it.
    fileprivate var reason: String {
        switch self {
        case .invalidMethod: "its method is not known"
        case .invalidURL: "its target has a character that does not belong there"
        case .invalidVersion, .invalidConstant: "its first line does not end with HTTP/1.1"
        case .invalidHeaderToken: "a header field has a character that does not belong there"
        case .invalidContentLength: "its Content-Length is no number"
        case .unexpectedContentLength: "it has several lengths; send Content-Length or Transfer-Encoding, once"
        case .invalidChunkSize: "a chunk of its body has no size"
        case .invalidEOFState: "it ends too early"
        default: "a line of it is not as it should be"
        }
    }
}

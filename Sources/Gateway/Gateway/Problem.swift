internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// An error as HTTP clients are told it: a problem document by RFC 9457.
///
/// `type` is `about:blank`, so `title` is the status's own phrase; programs go by `status` and `code`.
struct Problem: Error, Equatable {
    var status: HTTPResponse.Status
    /// For programs; the protocol's codes, and the gateway's own.
    var code: String
    /// One sentence for people.
    var detail: String
    var retryAfterMilliseconds: Int?
    /// Further header fields of the response.
    var headers = HTTPFields()

    /// - Parameter milliseconds: when to come again; nil: what is usual, see ``usualPause(_:_:)``.
    init(_ status: HTTPResponse.Status, code: String, _ detail: String, retryAfter milliseconds: Int? = nil) {
        self.status = status
        self.code = code
        self.detail = detail
        retryAfterMilliseconds = milliseconds ?? Self.usualPause(status, code)
    }

    /// Milliseconds after which a request that was refused for the moment may come again: enough for a neighbour to take over, and
    /// more where something has to be started or mended first.
    private static func usualPause(_ status: HTTPResponse.Status, _ code: String) -> Int? {
        switch (status.code, code) {
        case (503, "no_worker"), (503, "journal_unavailable"), (503, "crops_unavailable"), (503, "crops_too_large"):
            5000
        case (429, _), (503, _): 1000
        default: nil
        }
    }

    /// Of a request that cannot be read.
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

    /// The document, a JSON object.
    var document: [UInt8] { encoded(status: status.code, retryAfterMilliseconds) }

    /// The document around a failed result that it is about: its members follow the problem's own.
    func document(around result: [UInt8]) -> [UInt8] {
        // Both are objects with members, and these two stand in the result.
        encoded(status: nil, nil).dropLast() + [UInt8(ascii: ",")] + result.dropFirst()
    }

    private func encoded(status: Int?, _ retryAfterMilliseconds: Int?) -> [UInt8] {
        let document = Document(
            title: self.status.reasonPhrase, status: status, detail: detail, code: code,
            retryAfterMs: retryAfterMilliseconds)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and integers: nothing in it could make this fail.
        return Array((try? encoder.encode(document)) ?? Data())
    }

    /// - Parameter result: the failed result that this is about, if it is one's.
    func response(around result: [UInt8]? = nil) -> Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        headers[.cacheControl] = "no-store"
        if let retryAfterMilliseconds { headers[.retryAfter] = "\((retryAfterMilliseconds + 999) / 1000)" }
        let body = ByteBuffer(bytes: result.map(document(around:)) ?? document)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

/// Makes an answer of every error, and of every answer to HEAD its head.
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
        // The client's connection broke within the body: nothing else here speaks over one of NIO's.
        case is IOError, is ChannelError: return .clientGone
        default:
            logger.error("request failed", metadata: ["path": "\(request.uri.path.prefix(256))", "error": "\(error)"])
            return Problem(.internalServerError, code: "failed", "the gateway failed; its log says how")
        }
    }
}

extension HTTPResponse.Status {
    /// The protocol's statuses with HTTP's phrases, which a code alone does not bring.
    private static let known: [HTTPResponse.Status] = [
        .ok, .accepted, .partialContent, .badRequest, .notFound, .requestTimeout, .contentTooLarge,
        .unsupportedMediaType, .unprocessableContent, .tooManyRequests, .serviceUnavailable,
    ]

    /// The protocol's statuses are HTTP's.
    init(_ status: Status) {
        self = Self.known.first { $0.code == status.rawValue } ?? Self(code: status.rawValue)
    }
}

extension HTTPParserError {
    /// What is wrong with the request, as far as the parser tells.
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

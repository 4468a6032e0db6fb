internal import Client
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Wire

/// The service behind the gateway, asked in the wire's words.
struct RouterConnection: Sendable {
    let client: BifronsClient

    /// A result frame, and what the gateway itself needs to know of it.
    struct Answer: Sendable {
        private struct Outcome: Decodable {
            let id: String?
            let status: Status
            let error: ResultDocument.Problem?
            let retryAfterMs: Int?
        }

        /// One JSON object, as it came.
        let bytes: [UInt8]
        let id: String?
        let status: Status
        let problem: Problem?

        init(_ bytes: [UInt8]) throws {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let outcome = try decoder.decode(Outcome.self, from: Data(bytes))
            self.bytes = bytes
            id = outcome.id
            status = outcome.status
            if outcome.status.isSuccess {
                problem = nil
            } else {
                var problem = Problem(
                    HTTPResponse.Status(outcome.status), code: outcome.error?.code ?? "failed",
                    outcome.error?.message ?? "the router gives no reason")
                problem.retryAfterMilliseconds = outcome.retryAfterMs
                self.problem = problem
            }
        }

        /// The frame itself, or a problem document around it.
        var response: Response {
            problem?.response(around: bytes) ?? .json(bytes, status: HTTPResponse.Status(status))
        }
    }

    /// - Throws: ``Problem`` if there is no answer.
    func ask(_ header: RequestHeader, image: [UInt8]? = nil) async throws -> Answer {
        do {
            return try Answer(await client.request(header, image: image))
        } catch let error as ClientError {
            switch error.code {
            case .noRouter: throw Problem(.serviceUnavailable, code: "no_router", error.description, retryAfter: 1000)
            case .noAnswer: throw Problem(.gatewayTimeout, code: "no_answer", error.description)
            default: throw Problem(.serviceUnavailable, code: "client_failed", error.description, retryAfter: 1000)
            }
        } catch is DecodingError {
            throw Problem(
                .badGateway, code: "malformed_answer",
                "the router's answer cannot be read; use the same version of router and gateway")
        }
    }
}

extension Response {
    /// A JSON text that may change from one moment to the next.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

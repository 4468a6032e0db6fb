internal import BifronsClient
internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// What the gateway needs of its client, as ``BifronsClient`` has it.
protocol RouterClient: Sendable {
    var routers: [String] { get }

    func request(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8]

    func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) async throws -> [UInt8]
}

extension BifronsClient: RouterClient {}

/// The service behind the gateway, asked in the wire's words.
struct RouterConnection: Sendable {
    let client: any RouterClient

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
                if let milliseconds = outcome.retryAfterMs { problem.retryAfterMilliseconds = milliseconds }
                self.problem = problem
            }
        }

        /// The frame itself, or a problem document around it.
        var response: Response {
            problem?.response(around: bytes) ?? .json(bytes, status: HTTPResponse.Status(status))
        }
    }

    /// - Parameter router: the only one to ask, by its place among the client's; nil: as the client chooses.
    /// - Throws: ``Problem`` if there is no answer; `CancellationError`.
    func ask(_ header: RequestHeader, image: [UInt8]? = nil, router: Int? = nil) async throws -> Answer {
        do {
            guard let router else { return try Answer(await client.request(header, image: image)) }
            return try Answer(await client.request(header, image: image, router: router))
        } catch let error as ClientError {
            switch error.code {
            case .noRouter, .keysRefused:
                throw Problem(.serviceUnavailable, code: "no_router", error.description)
            case .noAnswer: throw Problem(.gatewayTimeout, code: "no_answer", error.description)
            default: throw Problem(.serviceUnavailable, code: "client_failed", error.description)
            }
        } catch is DecodingError {
            throw Problem(
                .badGateway, code: "malformed_answer",
                "the router's answer cannot be read; use the same version of router and gateway")
        }
    }

    /// What one router says of itself.
    struct Report: Sendable {
        /// The router's endpoint.
        let router: String
        /// Nil: it does not answer, or not this gateway.
        let status: StatusReport?
    }

    /// The status of every router, in their order.
    func reports() async -> [Report] {
        await withTaskGroup(of: (Int, StatusReport?).self) { group in
            for router in client.routers.indices {
                group.addTask {
                    let answer = try? await ask(RequestHeader(verb: .status), router: router)
                    return (router, answer.flatMap { $0.problem == nil ? try? StatusReport.decode($0.bytes) : nil })
                }
            }
            var reports = client.routers.map { Report(router: $0, status: nil) }
            for await (router, status) in group {
                reports[router] = Report(router: client.routers[router], status: status)
            }
            return reports
        }
    }

    /// Looks for a router all of whose models have workers, which they have only when their canaries were scored.
    /// - Throws: ``Problem`` that says what is missing.
    func checkReadiness() async throws {
        let problems = await withTaskGroup(of: Problem?.self) { group in
            for router in client.routers.indices { group.addTask { await problem(of: router) } }
            var problems: [Problem] = []
            for await problem in group {
                guard let problem else {
                    // One is enough; another may never answer.
                    group.cancelAll()
                    return [] as [Problem]
                }
                problems.append(problem)
            }
            return problems
        }
        // One that answers is nearer to it.
        if let problem = problems.first(where: { $0.code != "no_router" }) ?? problems.first { throw problem }
    }

    private func problem(of router: Int) async -> Problem? {
        do {
            let answer = try await ask(RequestHeader(verb: .models), router: router)
            if let problem = answer.problem { return problem }
            let missing = try ModelsReport.decode(answer.bytes).namesWithoutWorkers
            return missing.isEmpty
                ? nil
                : Problem(
                    .serviceUnavailable, code: "no_worker",
                    "no worker serves \(missing.joined(separator: ", ")) at \(client.routers[router])")
        } catch let problem as Problem {
            return problem
        } catch {
            return Problem(.serviceUnavailable, code: "client_failed", "\(error)")
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

internal import BifronsClient
internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// The part of ``BifronsClient`` that the gateway uses.
protocol RouterClient: Sendable {
    var routers: [String] { get }

    func request(_ header: RequestHeader, image: [UInt8]?) async throws -> [UInt8]

    func request(_ header: RequestHeader, image: [UInt8]?, router: Int?) async throws -> [UInt8]
}

extension BifronsClient: RouterClient {}

/// Sends requests to the routers, and turns their results into HTTP responses.
struct RouterConnection: Sendable {
    let client: any RouterClient

    /// A result frame, and the fields of it that the gateway needs.
    struct Answer: Sendable {
        private struct Outcome: Decodable {
            let id: String?
            let status: Status
            let error: ResultDocument.Problem?
            let retryAfterMs: Int?
        }

        /// The result frame, one JSON object, unchanged.
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

        /// The HTTP response: the frame itself, or a problem document that contains its members.
        var response: Response {
            problem?.response(around: bytes) ?? .json(bytes, status: HTTPResponse.Status(status))
        }
    }

    /// Sends a request and waits for its result.
    /// - Parameter router: the index of the only router to ask; nil lets the client choose.
    /// - Throws: ``Problem`` if no usable answer arrives; `CancellationError` if the task is cancelled.
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

    /// The status report of one router.
    struct Report: Sendable {
        /// The router's endpoint.
        let router: String
        /// The router's report; nil if the router does not answer this gateway, or refuses it the report.
        let status: StatusReport?
        /// The router's report on drift; nil like `status`, and from routers of earlier releases.
        var drift: DriftReport?
    }

    /// Returns the status of every router, in the order of the client's routers.
    /// - Parameter tenant: the only tenant of which the drift is wanted; nil for all.
    func reports(onlyOf tenant: String? = nil) async -> [Report] {
        await withTaskGroup(of: (Int, StatusReport?, DriftReport?).self) { group in
            for router in client.routers.indices {
                group.addTask {
                    let answer = try? await ask(RequestHeader(verb: .status), router: router)
                    let status = answer.flatMap { $0.problem == nil ? try? StatusReport.decode($0.bytes) : nil }
                    guard status != nil else { return (router, nil, nil) }
                    var header = RequestHeader(verb: .drift)
                    header.owner = tenant
                    let drift = try? await ask(header, router: router)
                    return (
                        router, status, drift.flatMap { $0.problem == nil ? try? DriftReport.decode($0.bytes) : nil }
                    )
                }
            }
            var reports = client.routers.map { Report(router: $0, status: nil) }
            for await (router, status, drift) in group {
                reports[router] = Report(router: client.routers[router], status: status, drift: drift)
            }
            return reports
        }
    }

    /// Checks that at least one router has workers for all of its models. A worker registers only after its canary has
    /// been scored.
    /// - Throws: ``Problem`` that says what is missing.
    func checkReadiness() async throws {
        let problems = await withTaskGroup(of: Problem?.self) { group in
            for router in client.routers.indices { group.addTask { await problem(of: router) } }
            var problems: [Problem] = []
            for await problem in group {
                guard let problem else {
                    // One ready router is enough, and another may never answer.
                    group.cancelAll()
                    return [] as [Problem]
                }
                problems.append(problem)
            }
            return problems
        }
        // The problem of a router that answers says more than that of one that does not.
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
    /// Returns a JSON response that must not be cached.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

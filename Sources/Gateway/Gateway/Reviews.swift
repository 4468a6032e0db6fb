internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// The routes for reviews of decisions and for appeals against them. Each router has a queue of its own.
extension Gateway {
    /// Handles `GET /v1/reviews/next`: the next decision of the first router that has one to review.
    func nextReview(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let body = Self.json(try fields(request, ["tenant", "policy", "reviewer"]))
        var answer: RouterConnection.Answer?
        for index in router.client.routers.indices {
            let next = try await router.ask(header(.nextReview, context), image: body, router: index)
            if try next.problem != nil || Self.decode(HandedOut.self, next.bytes).lease != nil { return next.response }
            answer = answer ?? next
        }
        guard let answer else { throw Problem(.serviceUnavailable, code: "no_router", "the gateway has no router") }
        return answer.response
    }

    private struct HandedOut: Decodable {
        var lease: String?
    }

    /// Handles `GET /v1/reviews`: the decisions that wait for a reviewer, also as tasks of Label Studio.
    func reviews(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var texts = try fields(request, ["tenant", "policy", "since", "limit", "format", "base", "router"])
        texts["router"] = nil
        let format = texts.removeValue(forKey: "format") ?? "json"
        guard ["json", "label-studio"].contains(format) else {
            throw Problem(.badRequest, code: "malformed_query", "'format' must be json or label-studio")
        }
        var page = Page(tenant: texts["tenant"], policy: texts["policy"])
        for name in ["since", "limit"] {
            guard let text = texts[name] else { continue }
            guard let number = Int64(text), number >= 0 else {
                throw Problem(.badRequest, code: "malformed_query", "'\(name)' must be a whole number")
            }
            if name == "since" { page.since = number } else { page.limit = number }
        }
        let answer = try await router.ask(
            header(.reviews, context), image: Self.json(page), router: try router(request))
        guard answer.problem == nil, format == "label-studio" else { return answer.response }
        let found = try Self.decode(LabelStudioTask.Page.self, answer.bytes)
        var headers = HTTPFields()
        headers[.next] = found.next.map { "\($0)" }
        let base = texts["base"] ?? "http://\(request.head.authority ?? "localhost")"
        return .json(Self.json(found.reviews.map { LabelStudioTask($0, base: base) }), headers: headers)
    }

    private struct Page: Encodable {
        var tenant: String?
        var policy: String?
        var since: Int64?
        var limit: Int64?
    }

    /// Handles `POST /v1/reviews/ID`.
    func review(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let header = try headerOfDecision(.review, context)
        return try await router.ask(header, image: try await jsonBody(request)).response
    }

    /// Handles `DELETE /v1/reviews/ID`: takes the reviewer's own answer back.
    func withdrawReview(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let body = Self.json(try fields(request, ["reviewer"]))
        return try await router.ask(try headerOfDecision(.withdrawReview, context), image: body).response
    }

    /// Handles `GET /v1/reviews/ID/image`: the file as it was sent, which may be hostile.
    func reviewImage(_ context: GatewayContext) async throws -> Response {
        let answer = try await router.ask(try headerOfDecision(.reviewImage, context))
        guard answer.problem == nil else { return answer.response }
        guard let image = Data(base64Encoded: try Self.decode(Encoded.self, answer.bytes).image) else {
            throw Problem(
                .badGateway, code: "malformed_answer",
                "the router's answer cannot be read; use the same version of router and gateway")
        }
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = "attachment"
        headers[.cacheControl] = "no-store"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: image)))
    }

    private struct Encoded: Decodable {
        var image: String
    }

    /// Handles `POST /v1/appeals`: 204 once the appeal is on disk.
    func appeal(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let answer = try await router.ask(header(.appeal, context), image: try await jsonBody(request))
        return answer.problem == nil ? Response(status: .noContent) : answer.response
    }

    /// Handles `POST /v1/reviews/label-studio`: a webhook of Label Studio. Only annotations are answers.
    func labelStudioReview(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let hook: LabelStudioHook
        do {
            hook = try Self.decode(LabelStudioHook.self, try await jsonBody(request))
        } catch is DecodingError {
            throw Problem(
                .unprocessableContent, code: "body_invalid",
                "the body is no webhook of Label Studio about an annotation: it needs action, task.data and annotation")
        }
        guard let answer = try hook.answer else { return Response(status: .noContent) }
        var header = header(.review, context)
        header.id = answer.decision
        if hook.isUpdate {
            // Whether there is an earlier answer to take back shows in the outcome of the new one.
            var withdrawal = header
            withdrawal.verb = .withdrawReview
            _ = try await router.ask(withdrawal, image: Self.json(["reviewer": answer.review.reviewer]))
        }
        let stored = try await router.ask(header, image: Self.json(answer.review))
        return stored.problem == nil ? Response(status: .noContent) : stored.response
    }

    /// Returns the query's fields.
    ///
    /// - Throws: ``Problem`` if there is one of another name.
    private func fields(_ request: Request, _ names: Set<String>) throws(Problem) -> [String: String] {
        var fields: [String: String] = [:]
        for (name, text) in try queryFields(request) {
            guard names.contains(name) else {
                throw Problem(.badRequest, code: "malformed_query", "there is no parameter '\(name.prefix(64))'")
            }
            fields[name] = text
        }
        return fields
    }
}

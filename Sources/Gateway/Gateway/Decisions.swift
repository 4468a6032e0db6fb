internal import BifronsWire
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Settings

/// The routes for policies and the decision ledger. Each router has a ledger of its own; changes go to all of them.
extension Gateway {
    /// Handles `GET /v1/policies` and `GET /v1/policies/NAME`.
    func policies(_ context: GatewayContext) async throws -> Response {
        let name = try context.parameters.get("name").map { try Self.decoded($0) }
        return try await ask(.policies, context, body: Self.json(["name": name].compactMapValues(\.self)))
    }

    /// Handles `PUT /v1/policies/NAME`: the body is the policy.
    func putPolicy(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var header = header(.putPolicy, context)
        header.policy = try Self.decoded(context.parameters.get("name") ?? "")
        header.ifMatch = Self.ifMatch(request)
        let policy = try await jsonBody(request)
        var body = Array(#"{"policy":"#.utf8) + policy
        if let note = try queryFields(request).last(where: { $0.name == "note" })?.text {
            body += Array(#","note":"#.utf8) + Self.json(note)
        }
        return try await askAll(header, body: body + [UInt8(ascii: "}")])
    }

    /// Handles `POST /v1/policies/NAME/activate`.
    func activatePolicy(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var header = header(.activatePolicy, context)
        header.policy = try Self.decoded(context.parameters.get("name") ?? "")
        header.ifMatch = Self.ifMatch(request)
        return try await askAll(header, body: try await jsonBody(request))
    }

    /// Handles `POST /v1/policies/try`.
    func tryPolicy(_ request: Request, _ context: GatewayContext) async throws -> Response {
        try await ask(.tryPolicy, context, body: try await jsonBody(request), router: try router(request))
    }

    /// Handles `POST /v1/policies/NAME/tune`.
    func tunePolicy(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var header = header(.tunePolicy, context)
        header.policy = try Self.decoded(context.parameters.get("name") ?? "")
        return try await router.ask(header, image: try await jsonBody(request), router: try router(request)).response
    }

    /// Handles `GET /v1/shadows`.
    func shadows(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var fields: [String: String] = [:]
        for (name, text) in try queryFields(request) {
            guard ["since", "until", "tenant", "router"].contains(name) else {
                throw Problem(.badRequest, code: "malformed_query", "there is no parameter '\(name.prefix(64))'")
            }
            fields[name] = text
        }
        fields["router"] = nil
        var header = header(.shadows, context)
        header.budgetMilliseconds = Limits.budgetMilliseconds.upperBound
        return try await router.ask(header, image: try Self.pageBody(fields), router: try router(request)).response
    }

    /// Handles `GET /v1/decisions`.
    func decisions(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var fields: [String: String] = [:]
        for (name, text) in try queryFields(request) { fields[name] = text }
        let format = fields.removeValue(forKey: "format") ?? "json"
        fields["router"] = nil
        let answer = try await router.ask(
            header(.decisions, context), image: try Self.pageBody(fields), router: try router(request))
        guard answer.problem == nil else { return answer.response }
        switch format {
        case "json": return answer.response
        case "ndjson", "csv":
            let page = try DecisionPage(answer.bytes)
            var headers = HTTPFields()
            headers[.cacheControl] = "no-store"
            headers[.contentType] = format == "csv" ? "text/csv; charset=utf-8" : "application/x-ndjson"
            headers[.next] = page.next.map { "\($0)" }
            let text = format == "csv" ? try page.csv() : page.lines
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
        default:
            throw Problem(.badRequest, code: "malformed_query", "'format' must be json, ndjson or csv")
        }
    }

    /// Handles `GET /v1/decisions/ID`.
    func decision(_ context: GatewayContext) async throws -> Response {
        try await router.ask(try headerOfDecision(.replay, context)).response
    }

    /// Handles `POST /v1/decisions/ID/replay`: an image, if the body has one, is scored again.
    func replay(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var header = try headerOfDecision(.replay, context)
        for (name, text) in try queryFields(request) {
            guard name == "explain", let value = Bool(text) else {
                throw Problem(.badRequest, code: "malformed_query", "a replay takes only explain=true or explain=false")
            }
            header.explain = value
        }
        guard request.headers[.contentLength] ?? "0" != "0" || request.headers[.transferEncoding] != nil else {
            return try await router.ask(header).response
        }
        var reader = UploadReader(limits: limits, largestFile: settings.imageBytes)
        let upload = try await reader.read(request)
        guard upload.files.count == 1, upload.fields.isEmpty else {
            throw Problem(
                .badRequest, code: "malformed_form", "a replay is of one image: send the file itself, or a form with it"
            )
        }
        return try await router.ask(header, image: upload.files[0].bytes).response
    }

    /// Returns the header of a request about the decision that the path names.
    func headerOfDecision(_ verb: Verb, _ context: GatewayContext) throws(Problem) -> RequestHeader {
        var header = header(verb, context)
        header.id = try Self.decoded(context.parameters.get("id") ?? "")
        return header
    }

    /// Handles `GET /v1/decisions/ID/statement`.
    func statement(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let options = try Self.statementOptions(try queryFields(request))
        let answer = try await router.ask(try headerOfDecision(.replay, context))
        guard answer.problem == nil else { return answer.response }
        guard let statement = Statement(try Self.decode(Replay.self, answer.bytes).decision, options) else {
            throw Problem(
                .conflict, code: "nothing_restricted",
                "the decision does not block the image, so there is no restriction to give reasons for")
        }
        return .json(Self.json(statement))
    }

    /// Handles `GET /v1/statements`: the drafts for a page of blocked images, as the database takes them at a time.
    func statements(_ request: Request, _ context: GatewayContext) async throws -> Response {
        var fields = try queryFields(request)
        let pages = fields.filter { ["since", "until", "tenant"].contains($0.name) }
        fields.removeAll { ["since", "until", "tenant", "router"].contains($0.name) }
        let options = try Self.statementOptions(fields)
        let page = Dictionary(pages.map { ($0.name, $0.text) }) { $1 }
            .merging(["action": "block", "limit": "\(Statement.mostAtOnce)"]) { $1 }
        let answer = try await router.ask(
            header(.decisions, context), image: try Self.pageBody(page), router: try router(request))
        guard answer.problem == nil else { return answer.response }
        let found = try DecisionPage(answer.bytes)
        let batch = Batch(statements: found.decisions.compactMap { Statement($0, options) }, next: found.next)
        return .json(Self.json(batch))
    }

    private struct Batch: Encodable {
        var statements: [Statement]
        var next: Int64?
    }

    private struct Replay: Decodable {
        var decision: DecisionRecord
    }

    private static func statementOptions(
        _ fields: [(name: String, text: String)]
    ) throws(Problem) -> Statement.Options {
        var options = Statement.Options()
        for (name, text) in fields {
            switch name {
            case "category" where Statement.categories.contains(text): options.category = text
            case "ground" where (1...500).contains(text.count): options.ground = text
            case "explanation" where (1...500).contains(text.count): options.explanation = text
            case "content_date" where text.wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}/) != nil:
                options.contentDate = text
            case "category", "ground", "explanation", "content_date":
                throw Problem(
                    .badRequest, code: "malformed_query",
                    "'\(name)' is wrong: a category is one of the database's, a ground and an explanation have 1 to 500 "
                        + "characters, and a content_date is written YYYY-MM-DD")
            default:
                throw Problem(.badRequest, code: "malformed_query", "there is no parameter '\(name.prefix(64))'")
            }
        }
        return options
    }

    /// Handles `POST /v1/decisions/verify`.
    func verifyDecisions(_ request: Request, _ context: GatewayContext) async throws -> Response {
        try await ask(.verify, context, body: try await jsonBody(request), router: try router(request))
    }

    /// Handles `DELETE /v1/subjects/TYPE/ID`.
    func eraseSubject(_ context: GatewayContext) async throws -> Response {
        var header = header(.erase, context)
        let (type, id) = (
            try Self.decoded(context.parameters.get("type") ?? ""), try Self.decoded(context.parameters.get("id") ?? "")
        )
        for name in [type, id] where !(1...Limits.identifierBytes).contains(name.utf8.count) {
            throw Problem(
                .badRequest, code: "malformed_header",
                "a subject's type and id have 1 to \(Limits.identifierBytes) bytes each")
        }
        header.subject = Subject(type: type, id: id)
        return try await askAll(header, body: [])
    }

    // MARK: Asking

    /// Returns the header of a request for the client. An operator asks about all tenants.
    func header(_ verb: Verb, _ context: GatewayContext) -> RequestHeader {
        var header = RequestHeader(verb: verb)
        header.owner = context.isOperator ? nil : context.caller
        return header
    }

    private func ask(
        _ verb: Verb, _ context: GatewayContext, body: [UInt8], router: Int? = nil
    ) async throws -> Response {
        try await self.router.ask(header(verb, context), image: body.isEmpty ? nil : body, router: router).response
    }

    /// Sends a change to every router. The answer is that of the first one that refuses it, or that of the first one.
    private func askAll(_ header: RequestHeader, body: [UInt8]) async throws -> Response {
        var first: Response?
        for index in router.client.routers.indices {
            let answer = try await router.ask(header, image: body.isEmpty ? nil : body, router: index)
            if var problem = answer.problem {
                if index > 0 {
                    problem.detail += " (at \(router.client.routers[index]); the routers before it have it)"
                }
                return problem.response(around: answer.bytes)
            }
            first = first ?? answer.response
        }
        guard let first else { throw Problem(.serviceUnavailable, code: "no_router", "the gateway has no router") }
        return first
    }

    /// Returns the index of the router whose ledger the query names; by default it is the first.
    func router(_ request: Request) throws(Problem) -> Int {
        guard let text = try queryFields(request).last(where: { $0.name == "router" })?.text else { return 0 }
        guard let index = Int(text), router.client.routers.indices.contains(index) else {
            throw Problem(
                .badRequest, code: "malformed_query",
                "'router' must be a number from 0 to \(router.client.routers.count - 1)")
        }
        return index
    }

    /// Reads a JSON body of at most ``Limits/headerBytes``.
    func jsonBody(_ request: Request) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            bytes += buffer.readableBytesView
            guard bytes.count <= Limits.headerBytes else {
                throw Problem(
                    .contentTooLarge, code: "body_too_large",
                    "the body has more than \(Limits.headerBytes) bytes; send a shorter one")
            }
        }
        return bytes
    }

    // MARK: Texts

    private static func pageBody(_ fields: [String: String]) throws(Problem) -> [UInt8] {
        var page: [String: PageValue] = [:]
        for (name, text) in fields where !name.hasPrefix("subject_") {
            switch name {
            case "since", "until", "limit":
                guard let number = Int64(text), number >= 0 else {
                    throw Problem(.badRequest, code: "malformed_query", "'\(name)' must be a whole number")
                }
                page[name] = .number(number)
            case "tenant", "action", "order": page[name] = .text(text)
            default:
                throw Problem(.badRequest, code: "malformed_query", "there is no parameter '\(name.prefix(64))'")
            }
        }
        switch (fields["subject_type"], fields["subject_id"]) {
        case (let type?, let id?): page["subject"] = .subject(Subject(type: type, id: id))
        case (nil, nil): break
        default:
            throw Problem(
                .badRequest, code: "malformed_query", "'subject_type' and 'subject_id' go together")
        }
        return json(page)
    }

    private enum PageValue: Encodable {
        case number(Int64)
        case text(String)
        case subject(Subject)

        func encode(to encoder: any Encoder) throws {
            var single = encoder.singleValueContainer()
            switch self {
            case .number(let value): try single.encode(value)
            case .text(let value): try single.encode(value)
            case .subject(let value): try single.encode(value)
            }
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(bytes))
    }

    static func json(_ value: some Encodable) -> [UInt8] {
        // Encoding texts and numbers cannot fail.
        Array((try? JSONEncoder().encode(value)) ?? Data())
    }

    /// The digest of `If-Match`, without quotation marks.
    private static func ifMatch(_ request: Request) -> String? {
        request.headers[.ifMatch].map { $0.filter { $0 != "\"" } }
    }

    private static func decoded(_ part: Substring) throws(Problem) -> String {
        guard let text = PercentEncoding.decode(String(part)) else {
            throw Problem(.badRequest, code: "malformed_query", "the path is not percent-encoded UTF-8")
        }
        return text
    }

    private static func decoded(_ part: String) throws(Problem) -> String { try decoded(Substring(part)) }
}

extension HTTPField.Name {
    /// Where the next page of a listing that is not JSON begins.
    static let next = HTTPField.Name("Bifrons-Next")!
}

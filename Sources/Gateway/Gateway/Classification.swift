internal import BifronsWire
internal import HTTPTypes
internal import Hummingbird
internal import Settings

/// The routes that accept images.
extension Gateway {
    /// The most images of one request that are in flight to the router at a time.
    private static let imagesAtOnce = 8

    /// Handles `POST /v1/classify`.
    func classify(_ request: Request, for owner: String?) async throws -> Response {
        var reader = UploadReader(limits: limits, largestFile: settings.imageBytes)
        let upload = try await reader.read(request)
        let header = try header(request, upload, for: owner)
        guard !upload.files.isEmpty else { throw Self.fileMissing }
        if upload.files.count == 1 { return try await router.ask(header, image: upload.files[0].bytes).response }
        // A key or an id that several images share would make them one job.
        guard header.idempotencyKey == nil, header.id == nil else {
            throw Problem(
                .badRequest, code: "malformed_header",
                "'id' and 'idempotency_key' are of one image; send the \(upload.files.count) one by one to use them")
        }
        let results = try await answers(header, upload.files.map(\.bytes))
        let body = Array("{\"results\":[".utf8) + results.joined(separator: [UInt8(ascii: ",")]) + Array("]}".utf8)
        return .json(body)
    }

    /// Handles `POST /v1/jobs`.
    func submit(_ request: Request, for owner: String?) async throws -> Response {
        var reader = UploadReader(limits: limits, largestFile: settings.imageBytes)
        let upload = try await reader.read(request)
        var header = try header(request, upload, for: owner)
        guard upload.files.count <= 1 else {
            throw Problem(
                .badRequest, code: "malformed_form", "the form has \(upload.files.count) files; a job is of one")
        }
        guard let file = upload.files.first else { throw Self.fileMissing }
        (header.durable, header.wait) = (true, false)
        let answer = try await router.ask(header, image: file.bytes)
        var response = answer.response
        if answer.problem == nil, let id = answer.id {
            response.headers[.location] = "/v1/jobs/\(PercentEncoding.encode(id))"
        }
        return response
    }

    /// Returns the router request header that the request's query, form fields and `Idempotency-Key` field describe.
    ///
    /// - Parameter owner: the name of the token that the request bears; nil if the gateway has no token list.
    /// - Throws: ``Problem`` if a field is malformed, or if the client tries to set `owner`.
    func header(_ request: Request, _ upload: Upload, for owner: String?) throws(Problem) -> RequestHeader {
        var fields = try queryFields(request) + upload.fields
        if let key = request.headers[.idempotencyKey] { fields.append(("idempotency_key", key)) }
        // The path alone decides on these two.
        fields.removeAll { ["durable", "wait"].contains($0.name) }
        guard !fields.contains(where: { $0.name == "owner" }) else {
            throw Problem(.badRequest, code: "not_allowed", "the field 'owner' is the gateway's to set; leave it out")
        }
        do {
            var header = try RequestHeader(verb: .classify, fields: fields)
            header.owner = owner
            return header
        } catch {
            throw Problem(error.error)
        }
    }

    /// Returns the decoded fields of the request's query. A plus sign stands for a space, as in forms. (Hummingbird's
    /// `queryParameters` does not decode plus signs, and keeps text that cannot be decoded.)
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

    private func answers(_ header: RequestHeader, _ images: [[UInt8]]) async throws -> [[UInt8]] {
        try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            var results = [[UInt8]](repeating: [], count: images.count)
            for index in images.indices {
                if index >= Self.imagesAtOnce, let (done, bytes) = try await group.next() { results[done] = bytes }
                group.addTask { (index, try await router.ask(header, image: images[index]).bytes) }
            }
            for try await (done, bytes) in group { results[done] = bytes }
            return results
        }
    }

    static let fileMissing = Problem(
        .badRequest, code: "image_missing",
        "there is no image; send it as the body, or as a file of a form (a part with a filename)")
}

extension HTTPField.Name {
    /// `Idempotency-Key`, by draft-ietf-httpapi-idempotency-key-header.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
}

internal import BifronsWire
internal import FoundationEssentials
internal import Hummingbird
internal import Settings

/// The legacy API, that of the demo from which Bifrons grew: `POST /` with a form whose file field `file` is an image.
extension Gateway {
    /// The score of one of the two networks, in the legacy format.
    struct LegacyResult: Encodable, Equatable {
        let result: String
        /// The confidence in `result`, from 0.5 to 1, rounded to four decimals.
        let confidence: Double

        init(_ aiProbability: Double) {
            result = aiProbability < 0.5 ? "Real" : "Fake"
            confidence = (max(aiProbability, 1 - aiProbability) * 10_000).rounded() / 10_000
        }
    }

    func classifyForLegacyAPI(_ request: Request, for owner: String?) async throws -> Response {
        var reader = UploadReader(limits: limits, largestFile: settings.imageBytes)
        let isForm = request.headers[.contentType]?.lowercased().hasPrefix("multipart/form-data") == true
        let upload = isForm ? try await reader.read(request) : Upload()
        guard let file = upload.files.first(where: { $0.name == "file" }) else {
            throw Problem(.badRequest, code: "image_missing", "No file part")
        }
        guard file.fileName != "" else {
            throw Problem(.badRequest, code: "image_missing", "No selected file")
        }
        var header = try header(request, upload, for: owner)
        // The legacy response always has the scores of both networks.
        header.requirement = .all
        let answer = try await router.ask(header, image: file.bytes)
        if let problem = answer.problem { throw problem }
        let document = try ResultDocument.decode(answer.bytes)
        var models: [String: LegacyResult] = [:]
        for (index, model) in document.models.enumerated() {
            models["model\(index + 1)"] = model.aiProbability.map { LegacyResult($0) }
        }
        return .json(Self.encode(models))
    }

    /// Returns an error in the legacy format, with the problem's header fields.
    static func legacyError(_ problem: Problem) -> Response {
        var response = Response.json(
            encode(["error": problem.detail]), status: problem.status, headers: problem.headers)
        response.headers[.retryAfter] = problem.response().headers[.retryAfter]
        return response
    }

    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Encoding strings and finite numbers cannot fail.
        return Array((try? encoder.encode(value)) ?? Data())
    }
}

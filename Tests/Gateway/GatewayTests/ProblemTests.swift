import BifronsWire
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Testing

@testable import Gateway

@Suite struct ProblemTests {
    private struct Document: Decodable, Equatable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var code: String
        var id: String?
        var retryAfterMs: Int?
        var totalMs: Double?
    }

    private func read(_ bytes: [UInt8]) throws -> Document {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Document.self, from: Data(bytes))
    }

    @Test func aProblemIsWrittenAsAProblemDocument() throws {
        let problem = Problem(.tooManyRequests, code: "c", "a \"d\"/\n", retryAfter: 1001)
        #expect(
            try read(problem.document)
                == Document(
                    type: "about:blank", title: "Too Many Requests", status: 429, detail: "a \"d\"/\n", code: "c",
                    retryAfterMs: 1001))
        let headers = problem.response().headers
        #expect(headers[.contentType] == "application/problem+json")
        #expect(headers[.retryAfter] == "2")
    }

    @Test func aFailedResultKeepsItsMembersInTheProblemDocument() throws {
        var result = ResultDocument(id: "a", error: WireError(.tooManyRequests, code: "queue_full", "full"))
        result.totalMilliseconds = 1.5
        result.retryAfterMilliseconds = 70
        let answer = try RouterConnection.Answer(result.encoded())
        let problem = try #require(answer.problem)
        #expect(
            try read(problem.document(around: answer.bytes))
                == Document(
                    type: "about:blank", title: "Too Many Requests", status: 429, detail: "full", code: "queue_full",
                    id: "a", retryAfterMs: 70, totalMs: 1.5))
        #expect(answer.response.headers[.retryAfter] == "1")
        #expect(answer.response.status == .tooManyRequests)
    }

    /// Temporary refusals by the router or the gateway have a time to retry; permanent ones have none.
    @Test(arguments: [
        (503, "no_worker", "5"), (503, "journal_unavailable", "5"), (503, "crops_unavailable", "5"),
        (503, "crops_too_large", "5"), (503, "draining", "1"), (503, "inference_failed", "1"),
        (503, "answer_malformed", "1"),
        (503, "worker_lost", "1"), (503, "no_router", "1"), (503, "of_a_later_release", "1"), (429, "queue_full", "1"),
        (429, "client_queue_full", "1"), (408, "budget_spent", nil), (422, "quarantined", nil), (504, "no_answer", nil),
    ])
    func aTemporaryRefusalHasARetryTime(_ status: Int, _ code: String, _ seconds: String?) throws {
        #expect(Problem(.init(code: status), code: code, "").response().headers[.retryAfter] == seconds)
        let result = Array(#"{"status":\#(status),"error":{"code":"\#(code)","message":""}}"#.utf8)
        #expect(try RouterConnection.Answer(result).response.headers[.retryAfter] == seconds)
    }

    @Test func aResultIsPassedOnUnchanged() throws {
        let answer = try RouterConnection.Answer(Array(#"{"status":206, "x": [1]}"#.utf8))
        #expect(answer.problem == nil)
        #expect(answer.response.status.code == 206)
        #expect(answer.response.headers[.contentType] == "application/json")
    }
}

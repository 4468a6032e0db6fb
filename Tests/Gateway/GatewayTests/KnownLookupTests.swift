import BifronsWire
import HTTPTypes
import Testing

@testable import Gateway

/// Tests the lookups with HMA's paths against a scripted router.
@Suite struct KnownLookupTests {
    private static let signal = String(repeating: "0aF9", count: 16)

    private static func answer(_ entries: [ResultDocument.Evidence]) -> ScriptedRouter.Answer {
        { header in
            var document = ResultDocument(id: header.id, status: .ok)
            document.evidence = entries
            return document
        }
    }

    private static let found = answer([
        ResultDocument.Evidence(.provenance(ProvenanceEvidence(claim: .none, trust: .unsigned))),
        ResultDocument.Evidence(
            .known(
                KnownEvidence(
                    quality: 97,
                    matches: [
                        .init(bank: "SPAM", bankKind: .block, distance: 0, item: 3, sha256: true),
                        .init(bank: "SPAM", bankKind: .block, distance: 4, item: 17, sha256: false),
                        .init(bank: "SPAM", bankKind: .block, distance: 9, item: 2, sha256: false),
                        .init(bank: "PRESS", bankKind: .allow, distance: 1, item: 17, sha256: false),
                    ].compactMap { $0 }))),
    ])

    @Test(arguments: [
        (
            "lookup?signal_type=pdq",
            #"{"PRESS":[{"bank_content_id":17,"distance":"1"}],"SPAM":[{"bank_content_id":17,"distance":"4"},{"bank_content_id":2,"distance":"9"}]}"#
        ),
        ("lookup?signal_type=sha256", #"{"SPAM":[{"bank_content_id":3,"distance":"0"}]}"#),
        ("raw_lookup?signal_type=pdq", #"{"matches":[17,2,17]}"#),
        ("raw_lookup?include_distance=false&signal_type=sha256", #"{"matches":[3]}"#),
        (
            "raw_lookup?include_distance=True&signal_type=sha256",
            #"{"matches":[{"bank":"SPAM","bank_content_id":3,"distance":"0"}]}"#
        ),
    ]) func aSignalsMatchesAreWrittenAsHMADoes(path: String, expected: String) async throws {
        let edge = try Edge(answer: Self.found)
        let answer = try await edge.ask(.get, "/m/\(path)&signal=\(Self.signal)")
        #expect(answer.status == 200 && answer.text == expected)
        let request = try #require(edge.router.requests.first)
        let type = path.contains("sha256") ? "sha256" : "pdq"
        #expect(request.header.verb == .examine && request.image == Array("\(type) \(Self.signal)".utf8))
    }

    @Test func anImagesMatchesAreWrittenByType() async throws {
        let edge = try Edge(answer: Self.found)
        let answer = try await edge.ask(.post, "/m/lookup", [.contentType: "image/png"], body: Array("an image".utf8))
        #expect(answer.status == 200)
        let pdq = [
            #""PRESS":[{"bank_content_id":17,"distance":"1"}]"#,
            #""SPAM":[{"bank_content_id":17,"distance":"4"},{"bank_content_id":2,"distance":"9"}]"#,
        ].joined(separator: ",")
        #expect(
            answer.text == #"{"pdq":{\#(pdq)},"sha256":{"SPAM":[{"bank_content_id":3,"distance":"0"}]}}"#)
        #expect(edge.router.requests.map(\.image) == [Array("an image".utf8)])
    }

    @Test(arguments: [
        ("", "the query has no 'signal'; send a hash in it"), ("signal=", "the query has no 'signal'"),
        ("url=http://a.example/b.jpg", "or post the image itself, because nothing is fetched"),
        ("signal=\(signal)", "'signal_type' must be pdq or sha256"),
        ("signal=\(signal)&signal_type=md5", "'signal_type' must be pdq or sha256"),
        ("signal=\(signal)0&signal_type=pdq", "'signal' must be 64 hexadecimal digits"),
        ("signal=%0Apdq\(signal.dropFirst(4))&signal_type=pdq", "'signal' must be 64 hexadecimal digits"),
    ]) func aWrongQueryIsOneSentence(query: String, sentence: String) async throws {
        let edge = try Edge(answer: Self.found)
        for path in ["/m/lookup", "/m/raw_lookup"] {
            let answer = try await edge.ask(.get, "\(path)?\(query)")
            #expect(answer.status == 400 && answer.text.contains("malformed_query"))
            #expect(answer.text.contains(sentence), "\(answer.text)")
        }
        #expect(edge.router.requests.isEmpty)
    }

    @Test(
        arguments: [
            ([], 404, "no_evidence"),
            (
                [ResultDocument.Evidence(.known, failed: WireError(.unavailable, code: "no_worker", "none"))], 503,
                "no_worker"
            ),
            (
                [
                    ResultDocument.Evidence(
                        .known, failed: WireError(.unprocessable, code: "image_truncated", "it ends"))
                ], 422,
                "image_truncated"
            ),
        ] as [([ResultDocument.Evidence], Int, String)])
    func withoutEvidenceThereIsAProblem(evidence: [ResultDocument.Evidence], status: Int, code: String) async throws {
        let edge = try Edge(answer: Self.answer(evidence))
        let answer = try await edge.ask(.post, "/m/lookup", [.contentType: "image/png"], body: Array("an image".utf8))
        #expect(answer.status == status && answer.text.contains(code), "\(answer.text)")
    }
}

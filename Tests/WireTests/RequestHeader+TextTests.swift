import Testing
import Wire

@Suite struct RequestHeaderTextTests {
    private func header(_ fields: (String, String)...) throws -> RequestHeader {
        try RequestHeader(verb: .classify, fields: fields.map { (name: $0.0, text: $0.1) })
    }

    @Test func textsBecomeFields() throws {
        let header = try header(
            ("id", "a \"b\""), ("budget_ms", "250"), ("priority", "9"), ("models", "resnet,inception"),
            ("require", "all"),
            ("policy", "strict"), ("idempotency_key", "k"), ("explain", "true"), ("metadata", #"{"a": [1]}"#),
            ("unknown", "field"))
        var expected = RequestHeader(verb: .classify, id: "a \"b\"")
        expected.budgetMilliseconds = 250
        expected.priority = 9
        expected.models = ["resnet", "inception"]
        expected.requirement = .all
        expected.policy = "strict"
        expected.idempotencyKey = "k"
        expected.explain = true
        expected.metadata = Array(#"{"a": [1]}"#.utf8)
        #expect(header == expected)
    }

    @Test(arguments: [
        ("budget_ms", "x"), ("budget_ms", "0"), ("priority", "10"), ("priority", "1.5"), ("explain", "yes"), ("id", ""),
        ("require", "some"), ("metadata", "1"), ("metadata", "{"), ("metadata", #"{},"verb":"cancel""#),
        ("metadata", "{} {}"),
    ])
    func wrongTextIsRefusedByName(_ name: String, _ text: String) {
        let refused = #expect(throws: RequestHeader.Refused.self) { try header((name, text)) }
        #expect(refused?.error.code == "malformed_header")
        #expect(refused?.error.message.contains("'\(name)'") == true)
    }

    @Test func verbIsTheCallers() throws {
        #expect(try header(("verb", "cancel"), ("unknown\",\"verb", "cancel")).verb == .classify)
    }

    @Test func lastOfSeveralCounts() throws {
        #expect(try header(("priority", "1"), ("priority", "2")).priority == 2)
    }
}

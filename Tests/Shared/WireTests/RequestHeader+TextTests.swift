import BifronsWire
import Testing

@Suite struct RequestHeaderTextTests {
    private func header(_ fields: (String, String)...) throws -> RequestHeader {
        try RequestHeader(verb: .classify, fields: fields.map { (name: $0.0, text: $0.1) })
    }

    @Test func fieldsAreReadFromText() throws {
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
        ("models", ""),
        ("require", "some"), ("metadata", "1"), ("metadata", "{"), ("metadata", #"{},"verb":"cancel""#),
        ("metadata", "{} {}"),
    ])
    func invalidTextIsRefusedWithTheFieldsName(_ name: String, _ text: String) {
        let refused = #expect(throws: RequestHeader.Refused.self) { try header((name, text)) }
        #expect(refused?.error.code == "malformed_header")
        #expect(refused?.error.message.contains("'\(name)'") == true)
    }

    @Test(arguments: ["durable", "wait", "explain"])
    func booleansAreReadInAnyCaseAndAsZeroOrOne(_ name: String) throws {
        func value(_ texts: String...) throws -> Bool {
            let header = try RequestHeader(verb: .classify, fields: texts.map { (name: name, text: $0) })
            return ["durable": header.durable, "wait": header.wait, "explain": header.explain][name]!
        }
        for text in ["true", "True", "TRUE", "tRuE", "1"] { #expect(try value(text)) }
        for text in ["false", "False", "FALSE", "0"] { #expect(try !value(text)) }
        // The last of several values counts, and each of them must be valid.
        #expect(try value("False", "1"))
        #expect(try !value("1", "False"))
        for texts in [["maybe", "true"], ["true", ""]] {
            #expect(throws: RequestHeader.Refused.self) { try value(texts[0], texts[1]) }
        }
        for text in ["", "yes", "on", "2", "01", " true", "true\0", "t", "null", "ｔｒｕｅ"] {
            let refused = #expect(throws: RequestHeader.Refused.self) {
                try RequestHeader(verb: .classify, fields: [("id", "a"), (name, text)])
            }
            #expect(refused?.id == "a")
            #expect(
                refused?.error
                    == WireError(
                        .badRequest, code: "malformed_header",
                        "the field '\(name)' must be true, false, 1 or 0, not '\(text)'"))
        }
    }

    @Test func theVerbCannotBeOverriddenByAField() throws {
        #expect(try header(("verb", "cancel"), ("unknown\",\"verb", "cancel")).verb == .classify)
    }

    @Test func theLastOfRepeatedFieldsCounts() throws {
        #expect(try header(("priority", "1"), ("priority", "2")).priority == 2)
    }
}

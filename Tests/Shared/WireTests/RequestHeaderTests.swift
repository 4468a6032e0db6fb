import BifronsWire
import TestKit
import Testing

struct RequestHeaderTests {
    // MARK: Decoding

    @Test func verbAloneGivesTheDefaults() throws {
        let header = try decodeHeader(#"{"verb":"classify"}"#)
        #expect(header == RequestHeader(verb: .classify))
        #expect(header.budgetMilliseconds == 5000)
        #expect(header.priority == 4)
        #expect(header.models == nil)
        #expect(header.requirement == .any)
        #expect(header.policy == "default")
        #expect(header.durable == false)
        #expect(header.wait == true)
    }

    @Test func everyFieldIsRead() throws {
        let header = try decodeHeader(
            """
            { "verb" : "classify" , "id":"a1", "budget_ms":250, "priority":9, "models":["resnet","inception","resnet"],
              "require":"all", "policy":"strict", "durable":true, "wait":false, "idempotency_key":"k",
              "owner":"ann", "explain":true, "metadata":{ "a": [1, {"b":null}] } }
            """)
        var expected = RequestHeader(verb: .classify, id: "a1")
        expected.budgetMilliseconds = 250
        expected.priority = 9
        expected.models = ["resnet", "inception"]
        expected.requirement = .all
        expected.policy = "strict"
        expected.durable = true
        expected.wait = false
        expected.idempotencyKey = "k"
        expected.owner = "ann"
        expected.explain = true
        expected.metadata = Array(#"{ "a": [1, {"b":null}] }"#.utf8)
        #expect(header == expected)
    }

    @Test(arguments: Verb.allCases) func everyVerbIsRead(verb: Verb) throws {
        #expect(try decodeHeader(#"{"verb":"\#(verb.rawValue)"}"#).verb == verb)
    }

    @Test func unknownFieldsAreIgnoredWhateverTheyHold() throws {
        let header = try decodeHeader(
            #"{"x":null,"verb":"ping","y":[1.5e-3,{"verb":"status"},"\ud83d\ude00",true],"Verb":"models","":0}"#)
        #expect(header == RequestHeader(verb: .ping))
    }

    @Test func theLastOfSeveralEqualKeysCounts() throws {
        #expect(try decodeHeader(#"{"verb":"ping","verb":"status","id":"a","id":"b"}"#).id == "b")
        #expect(try decodeHeader(#"{"verb":"ping","verb":"status"}"#).verb == .status)
    }

    @Test func keysMayBeEscaped() throws {
        #expect(try decodeHeader(#"{"\u0076erb":"p\u0069ng"}"#).verb == .ping)
    }

    @Test func escapesAndSurrogatePairsAreDecoded() throws {
        let header = try decodeHeader(#"{"verb":"ping","id":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀"}"#)
        #expect(header.id == "\"\\/\u{8}\u{c}\n\r\té😀é😀")
    }

    @Test(arguments: [#"\ud800"#, #"\udc00"#]) func aLoneSurrogateBecomesTheReplacementCharacter(escape: String) throws
    {
        #expect(try decodeHeader(#"{"verb":"ping","id":"a\#(escape)b"}"#).id == "a\u{FFFD}b")
    }

    @Test func metadataIsKeptByteForByte() throws {
        let metadata = #"{"a":1,"a":2, "é":"\u00e9", "n":-0.0e+10,  "deep":{"x":[[[]]]}}"#
        #expect(try decodeHeader(#"{"verb":"ping","metadata":\#(metadata)}"#).metadata == Array(metadata.utf8))
    }

    @Test(arguments: [#""durable":true"#, #""idempotency_key":"k""#])
    func evidenceAloneIsNeitherDurableNorHasAKey(field: String) throws {
        let refused = try refusal(#"{"verb":"examine",\#(field)}"#)
        #expect(refused.error.code == "malformed_header")
        #expect(
            refused.error.message
                == "the verb 'examine' takes neither 'durable' nor 'idempotency_key': send the job again instead")
        #expect(try decodeHeader(#"{"verb":"examine","durable":false}"#).verb == .examine)
    }

    // MARK: Limits

    @Test(arguments: [
        (#""budget_ms":1"#, true), (#""budget_ms":600000"#, true), (#""budget_ms":0"#, false),
        (#""budget_ms":600001"#, false), (#""budget_ms":1000000000"#, false), (#""budget_ms":-1"#, false),
        (#""budget_ms":99999999999999999999999"#, false), (#""budget_ms":5000.0"#, false),
        (#""budget_ms":1e3"#, false), (#""priority":0"#, true), (#""priority":9"#, true), (#""priority":-0"#, true),
        (#""priority":10"#, false), (#""priority":-1"#, false), (#""models":["a"]"#, true), (#""models":[]"#, false),
        (#""require":"some""#, false), (#""require":"all""#, true),
    ]) func valuesAreAcceptedOnlyWithinTheirRange(field: String, isTaken: Bool) throws {
        let text = #"{"verb":"classify",\#(field)}"#
        if isTaken {
            _ = try decodeHeader(text)
        } else {
            let refused = try refusal(text)
            #expect(refused.error.status == .badRequest)
            #expect(refused.error.code == "malformed_header")
            #expect(refused.error.message.contains(field.split(separator: "\"")[0]))
        }
    }

    @Test(arguments: ["id", "idempotency_key", "owner"]) func identifiersHaveUpTo128Bytes(field: String) throws {
        func header(_ value: String) -> String { #"{"verb":"ping","\#(field)":"\#(value)"}"# }
        _ = try decodeHeader(header(String(repeating: "x", count: 128)))
        _ = try decodeHeader(header(String(repeating: "é", count: 64)))
        #expect(try refusal(header(String(repeating: "x", count: 129))).error.message.contains(field))
        #expect(try refusal(header(String(repeating: "é", count: 65))).error.message.contains(field))
        #expect(try refusal(header("")).error.message.contains(field))
    }

    @Test func atMostSixteenModelsMayBeNamed() throws {
        func header(_ count: Int) -> String {
            #"{"verb":"classify","models":[\#((0..<count).map { "\"m\($0)\"" }.joined(separator: ","))]}"#
        }
        #expect(try decodeHeader(header(16)).models?.count == 16)
        #expect(try refusal(header(17)).error.message.contains("models"))
        #expect(try refusal(header(5000)).error.message.contains("models"))
    }

    @Test func metadataHasUpTo4096Bytes() throws {
        func header(_ count: Int) -> String {
            #"{"verb":"ping","metadata":{"k":"\#(String(repeating: "x", count: count - 8))"}}"#
        }
        #expect(try decodeHeader(header(4096)).metadata?.count == 4096)
        #expect(try refusal(header(4097)).error.message.contains("4097"))
    }

    @Test func headerHasUpTo65536Bytes() throws {
        func header(_ count: Int) -> String {
            let frame = #"{"verb":"ping","x":""}"#
            return #"{"verb":"ping","x":"\#(String(repeating: "x", count: count - frame.utf8.count))"}"#
        }
        _ = try decodeHeader(header(65_536))
        #expect(try refusal(header(65_537)).error.message.contains("65537"))
        #expect(try refusal(header(2_000_000)).error.message.contains("2000000"))
    }

    @Test(arguments: ["[", #"{"a":"#]) func nestingHasALimit(opening: String) throws {
        func header(_ levels: Int) -> String {
            let closing = opening == "[" ? "]" : "}"
            let nested = String(repeating: opening, count: levels) + "0" + String(repeating: closing, count: levels)
            return #"{"verb":"ping","x":\#(nested)}"#
        }
        _ = try decodeHeader(header(Limits.headerDepth - 1))
        #expect(try refusal(header(Limits.headerDepth)).error.message.contains("nesting"))
        #expect(try refusal(header(10_000)).error.message.contains("nesting"))
    }

    // MARK: Refusals

    @Test(arguments: [
        ("verb", ["1", "null", "true", "[]", "{}"]), ("id", ["1", "null", "true", "[]", "{}"]),
        ("budget_ms", [#""5000""#, "null", "true", "[]", "{}"]), ("priority", [#""4""#, "null", "false", "[]", "{}"]),
        ("models", [#""resnet""#, "null", "1", "{}", "[1]", #"["a",null]"#, #"["a",["b"]]"#]),
        ("require", ["1", "null", "true", "[]", "{}"]), ("policy", ["1", "null", "true", "[]", "{}"]),
        ("durable", ["1", "null", #""true""#, "[]", "{}"]), ("wait", ["0", "null", #""false""#, "[]", "{}"]),
        ("idempotency_key", ["1", "null", "true", "[]", "{}"]), ("owner", ["1", "null", "true", "[]", "{}", "\"\""]),
        ("explain", ["1", "null", #""yes""#, "[]", "{}"]),
        ("metadata", ["1", "null", "true", "[]", #""{}""#]),
    ]) func aKnownFieldOfAWrongTypeIsRefusedAndTheIDStillEchoed(field: String, values: [String]) throws {
        for value in values {
            let refused = try refusal(#"{"verb":"classify","\#(field)":\#(value),"id":"later"}"#)
            #expect(refused.error.status == .badRequest)
            #expect(refused.error.message.contains("'\(field)'"))
            #expect(refused.id == "later")
        }
    }

    @Test func anUnknownVerbIsNotFoundAndTheIDEchoed() throws {
        let refused = try refusal(#"{"verb":"destroy","id":"a1"}"#)
        #expect(refused.id == "a1")
        #expect(refused.error.status == .notFound)
        #expect(refused.error.code == "unknown_verb")
        #expect(refused.error.message.contains("'destroy'"))
        #expect(refused.error.message.contains("classify"))
    }

    @Test func theVerbIsRequired() throws {
        let refused = try refusal(#"{"id":"a1","budget_ms":100}"#)
        #expect(refused.id == "a1")
        #expect(refused.error.message.contains("'verb'"))
    }

    @Test func theFirstInvalidFieldIsReported() throws {
        #expect(try refusal(#"{"verb":"ping","priority":77,"budget_ms":0}"#).error.message.contains("'priority'"))
    }

    @Test(arguments: ["[]", "[1]", #""verb""#, "1", "true", "null"]) func aHeaderThatIsNotAnObjectIsRefused(
        text: String
    )
        throws
    {
        #expect(try refusal(text).error.message.contains("not a JSON object"))
    }

    @Test(arguments: [
        "", " ", "{", "}", "{]", #"{"verb"}"#, #"{"verb":}"#, #"{"verb":"ping""#, #"{"verb":"ping",}"#,
        #"{"verb":"ping"}}"#, #"{"verb":"ping"} x"#, "{'verb':'ping'}", #"{verb:"ping"}"#, #"{"verb":"ping"/**/}"#,
        #"{"verb" "ping"}"#, #"{"verb":"ping","a":01}"#, #"{"verb":"ping","a":+1}"#, #"{"verb":"ping","a":.5}"#,
        #"{"verb":"ping","a":1.}"#, #"{"verb":"ping","a":1e}"#, #"{"verb":"ping","a":-}"#,
        #"{"verb":"ping","a":tru}"#, #"{"verb":"ping","a":nul}"#, #"{"verb":"ping","a":NaN}"#,
        #"{"verb":"ping","a":Infinity}"#, #"{"verb":"ping","a":[1,]}"#, #"{"verb":"ping","a":[1 2]}"#,
        #"{"verb":"ping","a":"\x"}"#, #"{"verb":"ping","a":"\u12"}"#, #"{"verb":"ping","a":"\u12g4"}"#,
        "{\"verb\":\"ping\",\"a\":\"\n\"}", "{\"verb\":\"ping\",\"a\":\"\u{1}\"}", #"{"verb":"ping","a":"\"#,
        "\u{FEFF}{\"verb\":\"ping\"}",
    ]) func invalidJSONIsRefusedWithItsPosition(text: String) throws {
        let refused = try refusal(text)
        #expect(refused.error.status == .badRequest)
        #expect(refused.error.message.contains("byte"))
    }

    @Test func theIDBeforeASyntaxErrorIsEchoed() throws {
        #expect(try refusal(#"{"id":"a1","verb":ping}"#).id == "a1")
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x80],
        ] as [[UInt8]]) func invalidUTF8IsRefused(bytes: [UInt8]) throws
    {
        let text = Array(#"{"verb":"ping","id":"a"#.utf8) + bytes + Array(#""}"#.utf8)
        let refused = try refusal(text)
        #expect(refused.error.status == .badRequest)
        #expect(refused.error.message.contains("UTF-8"))
    }

    @Test func everyTruncationOfAHeaderIsRefused() throws {
        let whole = Array(
            #"{"verb":"classify","id":"\u00e9\n","budget_ms":250,"models":["a"],"durable":true,"metadata":{"a":[1.5e3]}}"#
                .utf8)
        _ = try decodeHeader(whole)
        for count in whole.indices {
            #expect(throws: RequestHeader.Refused.self) { try decodeHeader(Array(whole.prefix(count))) }
        }
    }

    // MARK: Encoding

    @Test func anEncodedHeaderIsReadBack() throws {
        var header = RequestHeader(verb: .classify, id: "a\"\\\n\u{1}é😀")
        header.budgetMilliseconds = 600_000
        header.priority = 0
        header.models = ["resnet", "in\"ception"]
        header.requirement = .all
        header.policy = "strict"
        header.durable = true
        header.wait = false
        header.idempotencyKey = "k/1"
        header.owner = "ann & bob"
        header.explain = true
        header.metadata = Array(#"{"a": [1, 2]}"#.utf8)
        #expect(try decodeHeader(header.encoded()) == header)
    }

    @Test func defaultsAreNotEncoded() {
        #expect(RequestHeader(verb: .ping).encoded().text == #"{"verb":"ping"}"#)
    }

    @Test func randomHeadersAreReadBackAsTheyWereWritten() throws {
        var random = SeededGenerator(seed: 0xB1F)
        for _ in 0..<2000 {
            var header = RequestHeader(verb: Verb.allCases.randomElement(using: &random)!)
            if random.chance(0.5) { header.id = identifier(&random) }
            if random.chance(0.5) { header.idempotencyKey = identifier(&random) }
            if random.chance(0.5) { header.owner = identifier(&random) }
            header.budgetMilliseconds = Int.random(in: Limits.budgetMilliseconds, using: &random)
            header.priority = Int.random(in: Limits.priorities, using: &random)
            if random.chance(0.5) { header.models = [identifier(&random), "m"] }
            header.requirement = random.chance(0.5) ? .all : .any
            header.policy = identifier(&random)
            header.durable = random.chance(0.5)
            if [.examine, .replay].contains(header.verb) { (header.durable, header.idempotencyKey) = (false, nil) }
            header.wait = random.chance(0.5)
            header.explain = random.chance(0.5)
            #expect(try decodeHeader(header.encoded()) == header)
        }
    }

    private func identifier(_ random: inout SeededGenerator) -> String {
        let alphabet: [Character] = [
            "a", "\"", "\\", "/", "\n", "\u{0}", "\u{1f}", "\u{7f}", "é", "\u{2028}", "😀", "漢",
        ]
        return String((0...Int.random(in: 0...20, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
    }
}

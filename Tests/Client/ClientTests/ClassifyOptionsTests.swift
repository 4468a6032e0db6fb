import BifronsWire
import Testing

@testable import BifronsClient

@Suite struct ClassifyOptionsTests {
    @Test func defaultsAreThoseOfTheProtocol() throws {
        #expect(ClassifyOptions().header.encoded() == Array(#"{"verb":"classify"}"#.utf8))
        #expect(try ClassifyOptions() == ClassifyOptions(priority: Limits.defaultPriority))
        #expect(ClassifyOptions().budget == .seconds(5))
        #expect(ClassifyOptions().durability == .volatile)
    }

    @Test func everyFieldOfTheHeaderCanBeSet() throws {
        let options = try ClassifyOptions(
            id: "a", models: ["resnet", "resnet"], requirement: .all, policy: "strict", explain: true,
            budget: .milliseconds(100), priority: 9, idempotencyKey: "k", durability: .detached, owner: "ann",
            metadata: #"{"ticket": 4711}"#)
        let text =
            #"{"verb":"classify","id":"a","budget_ms":100,"priority":9,"models":["resnet","resnet"],"#
            + #""require":"all","policy":"strict","durable":true,"wait":false,"idempotency_key":"k","owner":"ann","#
            + #""explain":true,"metadata":{"ticket": 4711}}"#
        #expect(String(decoding: options.header.encoded(), as: UTF8.self) == text)
        #expect(options.id == "a")
        #expect(options.models == ["resnet", "resnet"])
        #expect(options.requirement == .all)
        #expect(options.policy == "strict")
        #expect(options.explain)
        #expect(options.budget == .milliseconds(100))
        #expect(options.priority == 9)
        #expect(options.idempotencyKey == "k")
        #expect(options.durability == .detached)
        #expect(options.owner == "ann")
        #expect(options.metadata == #"{"ticket": 4711}"#)
        #expect(try ClassifyOptions(durability: .durable).durability == .durable)
    }

    private func refusal(_ make: () throws -> ClassifyOptions) -> String? {
        let error = #expect(throws: WireError.self) { try make() }
        #expect(error?.status == .badRequest)
        return error?.message
    }

    @Test func invalidValuesAreRefused() {
        let long = String(repeating: "k", count: 129)
        #expect(refusal { try ClassifyOptions(id: "") } == "the field 'id' must have 1 to 128 bytes")
        #expect(refusal { try ClassifyOptions(idempotencyKey: long) } != nil)
        #expect(refusal { try ClassifyOptions(owner: long) } != nil)
        #expect(refusal { try ClassifyOptions(models: []) } == "the field 'models' must name 1 to 16 models")
        #expect(refusal { try ClassifyOptions(priority: 10) } == "the field 'priority' must be an integer from 0 to 9")
        #expect(refusal { try ClassifyOptions(policy: String(repeating: "p", count: 70_000)) } != nil)
    }

    @Test(
        arguments: [.zero, .milliseconds(-1), .milliseconds(600_001), .seconds(Int64.min), .seconds(Int64.max)]
            as [Duration])
    func aBudgetOutOfRangeIsRefused(_ budget: Duration) {
        #expect(
            refusal { try ClassifyOptions(budget: budget) }
                == "the field 'budget_ms' must be an integer from 1 to 600000")
    }

    @Test func fractionsOfAMillisecondAreRoundedUp() throws {
        #expect(try ClassifyOptions(budget: .nanoseconds(1)).budget == .milliseconds(1))
        #expect(try ClassifyOptions(budget: .microseconds(1500)).budget == .milliseconds(2))
        #expect(try ClassifyOptions(budget: .seconds(600)).budget == .seconds(600))
    }

    /// The text is copied into the header, and must not add fields of its own.
    @Test(arguments: ["", "[]", "{", "7", #"{},"verb":"ping""#, #"{},"metadata":{}"#, "{} {}", " {}"])
    func metadataOtherThanASingleObjectIsRefused(_ text: String) {
        #expect(refusal { try ClassifyOptions(metadata: text) } != nil)
    }
}

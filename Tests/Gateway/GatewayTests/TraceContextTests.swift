import Testing

@testable import Gateway

@Suite struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "00-\(trace)-b7ad6b7169203331-01"

    @Test func aTraceIsContinuedWithANewSpan() {
        let context = TraceContext(continuing: Self.parent)
        #expect(context.trace == Self.trace)
        #expect(context.flags == "01")
        #expect(context.span != "b7ad6b7169203331")
        #expect(TraceContext(continuing: context.field).trace == Self.trace)
    }

    @Test func laterVersionsAreReadByTheirKnownFields() {
        #expect(TraceContext(continuing: "cc-\(Self.trace)-b7ad6b7169203331-01-what").trace == Self.trace)
    }

    @Test(arguments: [
        nil, "", "00", "00-\(trace)-b7ad6b7169203331", "00-\(trace)-b7ad6b7169203331-01-more",
        "ff-\(trace)-b7ad6b7169203331-01", "00-\(trace.uppercased())-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-\(trace)-0000000000000000-01",
        "00-\(trace.dropLast())-b7ad6b7169203331-01", "00-\(trace)-b7ad6b716920333g-01",
    ])
    func malformedTraceContextsAreReplaced(_ field: String?) {
        let context = TraceContext(continuing: field)
        #expect(context.trace != Self.trace)
        #expect(context.field.utf8.count == Self.parent.utf8.count)
        #expect(TraceContext(continuing: context.field).trace == context.trace)
    }
}

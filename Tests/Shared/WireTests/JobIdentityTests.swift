import BifronsWire
import Testing

struct JobIdentityTests {
    private func content(_ image: UInt8? = 1, _ change: (inout RequestHeader) -> Void = { _ in }) -> KeyedContent {
        var header = RequestHeader(verb: .classify, id: "a")
        change(&header)
        return KeyedContent(header, sha256: image.map { [$0] })
    }

    @Test func aConflictNamesTheDifferingImageOrOption() {
        let known = content()
        for (other, name) in [
            (content(2), "another image;"), (content { $0.models = ["resnet"] }, "another 'models';"),
            (content { $0.requirement = .all }, "another 'require';"),
            (content { $0.explain = true }, "another 'explain';"),
        ] {
            for error in [other.conflict(with: known), known.conflict(with: other)] {
                #expect(error?.status == .unprocessable && error?.code == "idempotency_mismatch")
                #expect(error?.message.contains("'idempotency_key'") == true)
                #expect(error?.message.contains(name) == true, "\(error?.message ?? "nil")")
            }
        }
    }

    @Test func fieldsThatDoNotAffectTheScoresMayDiffer() {
        let other = content {
            ($0.id, $0.policy, $0.budgetMilliseconds, $0.priority) = ("b", "strict", 7, 9)
            ($0.durable, $0.wait, $0.metadata) = (true, false, [])
        }
        #expect(other.conflict(with: content()) == nil)
        // The order of the models does not matter.
        #expect(content { $0.models = ["a", "b"] }.conflict(with: content { $0.models = ["b", "a"] }) == nil)
    }

    @Test func anUnknownImageDigestIsNoConflict() {
        #expect(content(nil).conflict(with: content()) == nil)
        #expect(content().conflict(with: content(nil)) == nil)
        #expect(content(nil) { $0.explain = true }.conflict(with: content()) != nil)
    }
}

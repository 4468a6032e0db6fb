import Testing

@testable import RouterService

private struct ConstantGenerator: RandomNumberGenerator {
    var value: UInt64 = .max

    mutating func next() -> UInt64 {
        value
    }
}

struct RequestIDTests {
    /// The time is that of the example in RFC 9562, appendix A.6.
    @Test func idHasTheTimeTheVersionAndTheVariantOfRFC9562() {
        var random = ConstantGenerator()
        let id = RequestID.make(nanoseconds: 0x017F_22E2_79B0 * 1_000_000 + 500_000, random: &random)
        #expect(id == "017f22e2-79b0-7800-bfff-ffffffffffff")
    }

    @Test func idsSortByTheirTime() {
        var random = SystemRandomNumberGenerator()
        let ids = (0..<100).map { RequestID.make(nanoseconds: 1_700_000_000_000_000_000 + $0 * 1000, random: &random) }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == 100)
    }
}

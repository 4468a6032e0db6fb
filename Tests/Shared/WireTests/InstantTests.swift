import BifronsWire
import Testing

struct InstantTests {
    @Test func instantsAndDurationsAddUpToTheNanosecond() {
        let start = Instant(nanoseconds: 5)
        let end = start + .seconds(3) + .nanoseconds(7)
        #expect(end.nanoseconds == 3_000_000_012)
        #expect(end - start == .nanoseconds(3_000_000_007))
        #expect(start - end == .nanoseconds(-3_000_000_007))
        #expect(start < end)
    }

    @Test func durationsConvertBetweenUnits() {
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
        #expect(Duration.milliseconds(-1500).nanoseconds == -1_500_000_000)
        #expect(Duration.microseconds(1500).milliseconds == 1.5)
    }
}

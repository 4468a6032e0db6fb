import BifronsWire
import Testing

@testable import Gateway

struct EventPlaceTests {
    private func events(_ run: String, _ numbers: ClosedRange<Int>) -> [EventsReport.Event] {
        numbers.map { EventsReport.Event(run: run, number: $0, atMs: 0, kind: .draining, subject: nil) }
    }

    @Test(arguments: [nil, "", "a", "a-", "a-x", "a-0", "a--1", "b-2", "a-1-1"]) func everythingIsNewWithoutAPlace(
        id: String?
    ) {
        var place = EventPlace(after: id)
        #expect(place.take(from: events("a", 1...3)).map(\.id) == ["a-1", "a-2", "a-3"])
        #expect(place.take(from: events("a", 1...4)).map(\.id) == ["a-4"])
        #expect(place.take(from: events("a", 1...4)).isEmpty)
    }

    @Test func eventsAfterThePlaceAreNew() {
        var place = EventPlace(after: "a-2")
        #expect(place.take(from: events("a", 1...3) + events("b", 1...1)).map(\.id) == ["a-3", "b-1"])
    }

    @Test func manyRunsTakeNoMoreMemory() {
        var place = EventPlace(after: nil)
        for run in 0..<100 { #expect(place.take(from: events("\(run)", 1...2)).count == 2) }
        #expect(place.take(from: events("99", 1...3)).map(\.id) == ["99-3"])
    }
}

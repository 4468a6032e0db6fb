import BifronsWire
import RouterCore
import Testing

@testable import RouterService

struct PendingTests {
    @Test func anOfferedPlaceStaysValidWhenAnotherIsReleased() {
        var pending = Pending()
        let request = Pending.Request(echoedFrames: 1, form: .bare)
        let (first, _) = pending.vacancy()
        pending.occupy(first, request)
        let (second, _) = pending.vacancy()
        // The first request's client is gone.
        pending.release(first)
        pending.occupy(second, request)
        let (third, _) = pending.vacancy()
        #expect(third == first && second != first)
        pending.occupy(third, request)
        #expect(pending.vacancy().0 == 2)
        #expect(pending.request(first) != nil && pending.request(second) != nil)
    }
}

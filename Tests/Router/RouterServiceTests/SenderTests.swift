import BifronsZeroMQ
import Testing

@testable import RouterService

struct SenderTests {
    private func sender(_ routingID: [UInt8]) -> Sender {
        let message = Message()
        message.append(routingID)
        return Sender(message)
    }

    @Test func generatedIDsStayInOrderAcrossTheirWraparound() {
        let first = sender([0, 0xFF, 0xFF, 0xFF, 0xFF])
        let second = sender([0, 0, 0, 0, 0])
        let third = sender([0, 0, 0, 0, 9])
        #expect(first.isOlder(than: second) && second.isOlder(than: third) && first.isOlder(than: third))
        #expect(!second.isOlder(than: first) && !third.isOlder(than: first) && !first.isOlder(than: first))
    }

    @Test func idsChosenByClientsHaveNoOrder() {
        let named = sender(Array("client".utf8))
        let numbered = sender([0, 0, 0, 0, 9])
        #expect(named == sender(Array("client".utf8)) && named != sender(Array("clients".utf8)))
        #expect(!named.isOlder(than: numbered) && !numbered.isOlder(than: named))
    }
}

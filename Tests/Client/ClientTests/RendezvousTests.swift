import Testing

@testable import BifronsClient

@Suite struct RendezvousTests {
    private let routers = (0..<4).map { "tcp://router-\($0).routers:5555" }
    private let keys = (0..<4000).map { "key-\($0)" }

    private func owner(_ key: String, _ routers: [String]) -> String? {
        routers.max { Rendezvous.weight(of: $0, for: key) < Rendezvous.weight(of: $1, for: key) }
    }

    @Test func keysAreSpreadOverTheRouters() {
        let counts = Dictionary(grouping: keys) { owner($0, routers) }.mapValues(\.count)
        // Each router gets 1000 of 4000 keys, with a standard deviation of 27. A difference of eight deviations is not
        // chance.
        for router in routers { #expect((780...1220).contains(counts[router] ?? 0)) }
    }

    @Test func onlyTheKeysOfARemovedRouterMove() {
        let left = Array(routers.dropLast())
        for key in keys {
            let before = owner(key, routers)
            if before != routers.last { #expect(owner(key, left) == before) }
        }
    }

    @Test func theBoundaryBetweenEndpointAndKeyAffectsTheWeight() {
        #expect(Rendezvous.weight(of: "ab", for: "c") != Rendezvous.weight(of: "a", for: "bc"))
    }
}

import TestKit
import Testing

@testable import KnownImages

@Suite(.ownThread) struct HashIndexTests {
    /// Returns the distance of each hash that is found, by its position.
    private func found(_ index: HashIndex, _ hash: Bits256, within distance: Int) -> [Int: Int] {
        var found: [Int: Int] = [:]
        index.search(within: distance, of: hash) { position, distance in
            #expect(found.updateValue(distance, forKey: position) == nil, "found twice")
        }
        return found
    }

    @Test func aMillionHashesAreFoundAsByLookingAtEach() {
        var random = SeededGenerator(seed: 1)
        var hashes = (0..<1_000_000).map { _ in random.bits() }
        let distances = [0, 1, 15, 16, 17, 30, 31, 32]
        let queries = (0..<8).map { _ in random.bits() }
        for query in queries {
            for distance in distances {
                hashes[Int.random(in: hashes.indices, using: &random)] = query.flipping(distance, using: &random)
            }
        }
        let index = HashIndex(hashes)
        for query in queries {
            var near: [Int: Int] = [:]
            for (position, hash) in hashes.enumerated() {
                let distance = hash.distance(to: query)
                if distance <= 32 { near[position] = distance }
            }
            #expect(near.count >= distances.count - 1)
            for distance in distances.dropLast() {
                #expect(found(index, query, within: distance) == near.filter { $0.value <= distance })
            }
        }
        #expect(found(index, random.bits(), within: 31).isEmpty)
    }

    /// Spreads the bits over the chunks so that as few chunks as possible are equal, or have one bit.
    @Test(arguments: 0...31) func theWorstSpreadOfBitsIsFound(distance: Int) {
        var random = SeededGenerator(seed: UInt64(distance))
        for _ in 0..<20 {
            let query = random.bits()
            let chunks = (0..<16).shuffled(using: &random)
            let flipped = (0..<distance).map { chunks[$0 % 16] * 16 + $0 / 16 * 7 }
            let hash = query.flipping(flipped)
            #expect(hash.distance(to: query) == distance)
            let index = HashIndex([random.bits(), hash])
            #expect(found(index, query, within: distance) == [1: distance])
            if distance > 0 { #expect(found(index, query, within: distance - 1).isEmpty) }
        }
    }

    @Test func oneHashIsFound() {
        var random = SeededGenerator(seed: 2)
        let hash = random.bits()
        let index = HashIndex([hash])
        #expect(found(index, hash, within: 0) == [0: 0])
        #expect(found(index, hash.flipping(31, using: &random), within: 31) == [0: 31])
        #expect(found(index, hash.flipping(32, using: &random), within: 31).isEmpty)
    }

    @Test func noHashIsFoundInNone() {
        #expect(found(HashIndex([]), Bits256(0), within: 31).isEmpty)
    }

    @Test func equalHashesAreAllFound() {
        let index = HashIndex([Bits256](repeating: Bits256(7), count: 1000))
        #expect(found(index, Bits256(7), within: 31).count == 1000)
        #expect(found(index, Bits256(5), within: 1) == Dictionary(uniqueKeysWithValues: (0..<1000).map { ($0, 1) }))
    }
}

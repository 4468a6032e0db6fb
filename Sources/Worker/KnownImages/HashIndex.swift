/// An index that finds all hashes within a small Hamming distance of another hash, among millions.
///
/// Implements multi-index hashing (Norouzi, Punjani and Fleet 2012). A hash has 16 chunks of 16 bits. If two hashes
/// differ in at most 31 bits, at least one of the chunks differs in at most one bit. So each chunk has a table from its
/// 65,536 values to the hashes with that value, and a search compares the hashes under the 17 values within one bit of
/// the query's: one of 240 random hashes. A smaller distance needs the neighbouring values of only `distance - 15`
/// chunks: if all of these chunks differed in two bits or more and all others in at least one, the hashes would differ
/// in more than `distance` bits.
///
/// The index takes 96 bytes for each hash and 4 MiB. It holds fewer than 2³² hashes.
package struct HashIndex: Sendable {
    /// The largest distance that a search can have.
    package static let maxDistance = 31
    private static let chunks = 16
    private static let valuesOfChunk = 1 << 16

    /// The hashes. A search returns positions in this array.
    package let hashes: [Bits256]
    /// For each chunk, 65,537 offsets into the chunk's part of `positions`: where the hashes of each value begin, and
    /// the end.
    private let starts: [UInt32]
    /// For each chunk, the positions of all hashes, sorted by the value of the chunk.
    private let positions: [UInt32]

    /// Creates the index. The time is proportional to the number of hashes.
    package init(_ hashes: [Bits256]) {
        precondition(hashes.count < UInt32.max)
        self.hashes = hashes
        guard !hashes.isEmpty else {
            (starts, positions) = ([], [])
            return
        }
        let (count, places) = (hashes.count, Self.valuesOfChunk + 1)
        var starts = [UInt32](repeating: 0, count: Self.chunks * places)
        positions = [UInt32](unsafeUninitializedCapacity: Self.chunks * count) { positions, initialized in
            Self.withWords(of: hashes) { words in
                starts.withUnsafeMutableBufferPointer { starts in
                    for chunk in 0..<Self.chunks {
                        Self.sort(
                            words, chunk,
                            starts: UnsafeMutableBufferPointer(
                                rebasing: starts[chunk * places..<chunk * places + places]),
                            positions: UnsafeMutableBufferPointer(
                                rebasing: positions[chunk * count..<chunk * count + count]))
                    }
                }
            }
            initialized = Self.chunks * count
        }
        self.starts = starts
    }

    /// Sorts the positions of all hashes by the value of a chunk, with a counting sort.
    private static func sort(
        _ words: UnsafeBufferPointer<UInt64>, _ chunk: Int, starts: UnsafeMutableBufferPointer<UInt32>,
        positions: UnsafeMutableBufferPointer<UInt32>
    ) {
        let shift = UInt64(chunk % 4 * 16)
        for position in 0..<positions.count {
            starts[Int(UInt16(truncatingIfNeeded: words[position * 4 + chunk / 4] >> shift)) + 1] += 1
        }
        for value in 1..<starts.count { starts[value] += starts[value - 1] }
        var next = Array(starts)
        next.withUnsafeMutableBufferPointer { next in
            for position in 0..<positions.count {
                let value = Int(UInt16(truncatingIfNeeded: words[position * 4 + chunk / 4] >> shift))
                positions[Int(next[value])] = UInt32(truncatingIfNeeded: position)
                next[value] += 1
            }
        }
    }

    /// Calls `found` once for each hash that differs from `hash` in at most `distance` bits, in undefined order.
    ///
    /// - Parameters:
    ///   - distance: 0 to ``maxDistance``.
    ///   - hash: The hash to search for.
    ///   - found: Receives the position in ``hashes`` and the number of bits in which that hash differs.
    package func search(
        within distance: Int, of hash: Bits256, _ found: (_ position: Int, _ distance: Int) -> Void
    ) {
        precondition((0...Self.maxDistance).contains(distance))
        guard !hashes.isEmpty else { return }
        Self.withWords(of: hashes) { words in
            Self.withWords(of: [hash]) { query in
                starts.withUnsafeBufferPointer { starts in
                    positions.withUnsafeBufferPointer { positions in
                        for chunk in 0..<Self.chunks {
                            let search = Search(
                                distance: distance, query: query.baseAddress!, chunk: chunk, words: words,
                                starts: starts.baseAddress! + chunk * (Self.valuesOfChunk + 1),
                                positions: positions.baseAddress! + chunk * hashes.count)
                            search.run(found)
                        }
                    }
                }
            }
        }
    }

    /// Calls `body` with the words of all hashes: four for each, the least significant first.
    private static func withWords<Value>(
        of hashes: [Bits256], _ body: (UnsafeBufferPointer<UInt64>) -> Value
    ) -> Value {
        hashes.withUnsafeBytes { body($0.bindMemory(to: UInt64.self)) }
    }

    /// A search in the table of one chunk.
    private struct Search {
        let distance: Int
        /// The four words of the query.
        let query: UnsafePointer<UInt64>
        let chunk: Int
        let words: UnsafeBufferPointer<UInt64>
        let starts: UnsafePointer<UInt32>
        let positions: UnsafePointer<UInt32>

        @inline(__always)
        func run(_ found: (Int, Int) -> Void) {
            let value = UInt16(truncatingIfNeeded: query[chunk / 4] >> UInt64(chunk % 4 * 16))
            scan(value, found)
            guard Self.radius(of: chunk, within: distance) == 1 else { return }
            for bit in 0..<16 { scan(value ^ 1 << UInt16(bit), found) }
        }

        /// Compares the hashes whose chunk has this value.
        @inline(__always)
        private func scan(_ value: UInt16, _ found: (Int, Int) -> Void) {
            let (first, second, third, fourth) = (query[0], query[1], query[2], query[3])
            for place in Int(starts[Int(value)])..<Int(starts[Int(value) + 1]) {
                let position = Int(positions[place])
                let start = position * 4
                // The first half of the bits rules out almost every hash.
                var bits = (words[start] ^ first).nonzeroBitCount + (words[start + 1] ^ second).nonzeroBitCount
                guard bits <= distance else { continue }
                bits += (words[start + 2] ^ third).nonzeroBitCount + (words[start + 3] ^ fourth).nonzeroBitCount
                guard bits <= distance, isFirst(to: position) else { continue }
                found(position, bits)
            }
        }

        /// Returns whether the search in no earlier chunk has found this hash.
        private func isFirst(to position: Int) -> Bool {
            for earlier in 0..<chunk {
                let difference = words[position * 4 + earlier / 4] ^ query[earlier / 4]
                let bits = UInt16(truncatingIfNeeded: difference >> UInt64(earlier % 4 * 16)).nonzeroBitCount
                if bits <= Self.radius(of: earlier, within: distance) { return false }
            }
            return true
        }

        /// Returns the number of bits, 0 or 1, within which the values of a chunk are searched.
        private static func radius(of chunk: Int, within distance: Int) -> Int {
            chunk < distance - (HashIndex.chunks - 1) ? 1 : 0
        }

    }
}

/// A hash table that maps distinct values to their positions in an array.
///
/// Uses open addressing with linear probing and a load factor of at most 3/4, which takes 5 to 11 bytes for each value.
struct DistinctBits: Sendable {
    private static let empty = UInt32.max

    private var slots = [UInt32](repeating: empty, count: 16)
    private(set) var count = 0

    /// Adds the position of a value.
    ///
    /// - Parameters:
    ///   - position: The value's position in `values`.
    ///   - values: All values. Between calls, values may only be appended.
    /// - Returns: Whether the value was added. False if an equal one is in the table.
    mutating func insert(_ position: Int, in values: [Bits256]) -> Bool {
        if (count + 1) * 4 > slots.count * 3 { grow(values) }
        let slot = slot(of: values[position], in: values)
        guard slots[slot] == Self.empty else { return false }
        slots[slot] = UInt32(position)
        count += 1
        return true
    }

    /// Returns the position of a value; nil if it is not in the table.
    func position(of value: Bits256, in values: [Bits256]) -> Int? {
        let found = slots[slot(of: value, in: values)]
        return found == Self.empty ? nil : Int(found)
    }

    /// Returns the slot of a value, or the empty slot into which it belongs.
    private func slot(of value: Bits256, in values: [Bits256]) -> Int {
        let mask = slots.count - 1
        var slot = Self.mixed(value) & mask
        while slots[slot] != Self.empty, values[Int(slots[slot])] != value { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow(_ values: [Bits256]) {
        let old = slots
        slots = [UInt32](repeating: Self.empty, count: old.count * 2)
        for position in old where position != Self.empty {
            slots[slot(of: values[Int(position)], in: values)] = position
        }
    }

    /// Returns a number whose every bit depends on all words.
    private static func mixed(_ value: Bits256) -> Int {
        let words =
            value.words
            &* SIMD4(
                0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB, 0xD6E8_FEB8_6659_FD93)
        let mixed = words[0] ^ words[1] >> 15 ^ words[2] >> 30 ^ words[3]
        return Int(truncatingIfNeeded: mixed ^ mixed >> 32)
    }
}

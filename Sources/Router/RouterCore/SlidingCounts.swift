/// Counts of the last 24 hours in memory of fixed size: a ring with a row of counts for each hour.
///
/// Hours are numbered by the caller, and never fall. The window moves by the hour.
struct SlidingCounts {
    /// The number of hours that are kept, with the one in progress.
    static let hours = 24

    private let width: Int
    private var counts: [Int32]
    private var hour: Int

    /// - Parameter width: the number of counts in a row.
    init(width: Int, hour: Int) {
        self.width = width
        self.hour = hour
        counts = [Int32](repeating: 0, count: Self.hours * width)
    }

    /// Counts one at a place of the row.
    mutating func add(_ place: Int, hour next: Int) {
        forget(upTo: next)
        counts[hour % Self.hours * width + place] &+= 1
    }

    /// Returns the row of sums over the window that ends with this hour.
    func totals(hour next: Int) -> [Int] {
        var kept = self
        kept.forget(upTo: next)
        return (0..<width).map { place in
            (0..<Self.hours).reduce(0) { $0 + Int(kept.counts[$1 * width + place]) }
        }
    }

    private mutating func forget(upTo next: Int) {
        guard next > hour else { return }
        for old in max(hour + 1, next - Self.hours + 1)...next {
            for place in 0..<width { counts[old % Self.hours * width + place] = 0 }
        }
        hour = next
    }
}

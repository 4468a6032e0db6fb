extension StatusReport {
    /// A cumulative histogram, as Prometheus counts: how many values were at most each of some fixed bounds.
    public struct Histogram: Codable, Equatable, Sendable {
        /// The upper bounds of the buckets, in ascending order.
        public private(set) var bounds: [Double]
        /// For each bound, the number of values up to it.
        public private(set) var counts: [Int]
        /// The number of all values.
        public private(set) var count = 0
        /// The sum of all values.
        public private(set) var sum = 0.0

        init(bounds: [Double]) {
            self.bounds = bounds
            counts = bounds.map { _ in 0 }
        }

        /// An empty histogram of times in milliseconds, up to the longest budget.
        public static let ofMilliseconds = Histogram(
            bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 60_000, 600_000])

        /// An empty histogram of the number of jobs scored together.
        public static let ofBatches = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64])

        /// Adds a value.
        public mutating func record(_ value: Double) {
            count += 1
            sum += value
            var index = bounds.count - 1
            while index >= 0, value <= bounds[index] {
                counts[index] += 1
                index -= 1
            }
        }
    }
}

extension StatusReport {
    /// How many values were at most each of some fixed bounds: cumulative, as Prometheus counts.
    public struct Histogram: Codable, Equatable, Sendable {
        /// Ascending.
        public private(set) var bounds: [Double]
        /// For each bound the values that were at most it.
        public private(set) var counts: [Int]
        /// All values.
        public private(set) var count = 0
        public private(set) var sum = 0.0

        init(bounds: [Double]) {
            self.bounds = bounds
            counts = bounds.map { _ in 0 }
        }

        /// For times, up to the longest budget.
        public static let ofMilliseconds = Histogram(
            bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 60_000, 600_000])

        /// For numbers of jobs that were scored together.
        public static let ofBatches = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64])

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

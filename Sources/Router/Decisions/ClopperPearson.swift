internal import Glibc

/// The exact confidence interval of a binomial share (Clopper and Pearson 1934). Counts may be fractions, as those of
/// weighted samples are (Korn and Graubard 1998).
package struct ClopperPearson: Equatable, Sendable {
    package let lower: Double
    package let upper: Double

    /// - Parameters:
    ///   - events: the number of events, from 0 to `trials`.
    ///   - trials: the number of trials, above 0.
    ///   - tail: the probability that the share lies above the interval, and the same for below it.
    package init(events: Double, trials: Double, tail: Double) {
        lower =
            events <= 0 ? 0 : Self.solve { Self.incompleteBeta($0, events, trials - events + 1) < tail }
        upper =
            events >= trials ? 1 : Self.solve { Self.incompleteBeta($0, events + 1, trials - events) < 1 - tail }
    }

    /// The number of trials without an event from which on the interval ends at `share` or below.
    package static func trials(without share: Double, tail: Double) -> Double {
        log(tail) / log1p(-share)
    }

    /// Returns the least number from 0 to 1 that is not below the solution of a monotone condition, by bisection.
    private static func solve(_ isBelow: (Double) -> Bool) -> Double {
        var (low, high) = (0.0, 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if isBelow(middle) { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// Returns the regularized incomplete beta function by its continued fraction, with Lentz's method (Press et al.,
    /// Numerical Recipes, 6.4).
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        if x <= 0 { return 0 }
        if x >= 1 { return 1 }
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
        // The fraction converges fast below the mean; the symmetry covers the rest.
        return x < (a + 1) / (a + b + 2)
            ? front * fraction(x, a, b) / a : 1 - front * fraction(1 - x, b, a) / b
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        func safe(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / safe(1 - (a + b) * x / (a + 1))
        var result = d
        for step in 1...10_000 {
            let m = Double(step)
            for term in [
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ] {
                d = 1 / safe(1 + term * d)
                c = safe(1 + term / c)
                result *= d * c
            }
            if abs(d * c - 1) < 1e-14 { break }
        }
        return result
    }
}

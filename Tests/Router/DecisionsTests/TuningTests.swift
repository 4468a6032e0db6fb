import BifronsWire
import Glibc
import TestKit
import Testing

@testable import Decisions

@Suite struct TuningTests {
    /// Computed by SciPy: `beta.ppf(0.05, x, n - x + 1)` and `beta.ppf(0.95, x + 1, n - x)`.
    @Test(arguments: [
        (0.0, 10.0, 0.0, 0.2588655508930522), (1, 20, 0.0025613787765302806, 0.2161061642068473),
        (5, 1000, 0.001972153141805247, 0.010484076911415651), (2.5, 300, 0.001912086891553722, 0.023268658844328372),
        (10, 10, 0.7411344491069477, 1), (700, 1000, 0.6752463872806512, 0.7238772288409887),
    ])
    func intervalsAreThoseOfTheBetaDistribution(events: Double, trials: Double, lower: Double, upper: Double) {
        let interval = ClopperPearson(events: events, trials: trials, tail: 0.05)
        #expect(abs(interval.lower - lower) < 1e-6)
        #expect(abs(interval.upper - upper) < 1e-6)
    }

    @Test func tooFewReviewsAreRefusedWithTheNumberThatIsMissing() {
        let reviewed = (0..<100).map { Tuning.Reviewed(probability: Double($0) / 1000, isReal: true, weight: 1) }
        let tuning = Tuning(reviewed, rate: 0.001)
        #expect(tuning.threshold == nil)
        // 0.999 to the power of 2995 is 0.05.
        #expect(tuning.missing == 2995 - 100)
        let enough = (0..<2995).map { Tuning.Reviewed(probability: Double($0) / 1e5, isReal: true, weight: 1) }
        #expect(Tuning(enough, rate: 0.001).threshold?.probability == (0.02994).nextUp)
        #expect(Tuning([], rate: 0.01).missing == 299)
    }

    @Test func extremeRatesAndWeightsHaveAnAnswer() {
        let extreme = [1e-300, 0.5, 1 - 1e-12].map { Tuning.Reviewed(probability: $0, isReal: true, weight: 10_000) }
        for reviewed in [
            [], extreme, extreme.map { Tuning.Reviewed(probability: $0.probability, isReal: false, weight: 1) },
        ] {
            for rate in [1e-300, 1e-6, 0.5] {
                let tuning = Tuning(reviewed, rate: rate)
                #expect((tuning.threshold == nil) == (tuning.missing > 0))
            }
            #expect(Tuning.calibration(reviewed).scale > 0)
        }
        for rate in [0, 1e-300, 0.6, 1] {
            let request = TuningRequest(fpr: rate)
            #expect(throws: WireError.self) { try request.check() }
        }
    }

    @Test func imagesWithEqualProbabilitiesStayOnOneSide() throws {
        let reviewed =
            (0..<400).map { _ in Tuning.Reviewed(probability: 0.2, isReal: true, weight: 1) }
            + (0..<400).map { _ in Tuning.Reviewed(probability: 0.1, isReal: true, weight: 1) }
        let threshold = try #require(Tuning(reviewed, rate: 0.1).threshold)
        #expect(threshold.probability == (0.2).nextUp)
        #expect(threshold.rate == 0)
    }

    /// A simulated service: what it lets through and blocks is drawn with a small probability, and what it sends to a
    /// person is always reviewed.
    private func simulate(
        _ random: inout SeededGenerator, images: Int, sample: Double, review: Double, block: Double, sharpness: Double
    ) -> [Tuning.Reviewed] {
        var reviewed: [Tuning.Reviewed] = []
        for _ in 0..<images {
            let isReal = Double.random(in: 0..<1, using: &random) < 0.9
            let probability = Self.probability(isReal: isReal, sharpness, &random)
            let isDoubtful = probability >= review && probability < block
            let isDrawn = Double.random(in: 0..<1, using: &random) < sample
            guard isDoubtful || isDrawn else { continue }
            reviewed.append(
                Tuning.Reviewed(probability: probability, isReal: isReal, weight: isDoubtful ? 1 : 1 / sample))
        }
        return reviewed
    }

    /// A real image reaches the probability p with a chance of (1 - p) to the power of the sharpness.
    private static func probability(isReal: Bool, _ sharpness: Double, _ random: inout SeededGenerator) -> Double {
        let tail = Double.random(in: 0..<1, using: &random)
        let low = 1 - Self.power(tail, 1 / sharpness)
        return isReal ? low : 1 - low
    }

    private static func power(_ base: Double, _ exponent: Double) -> Double {
        // 2^(e log2 b) with the standard library alone.
        base <= 0 ? 0 : exp2(exponent * log2(base))
    }

    /// Over 1,000 simulations, the true rate is at most the wanted one in at least 95 %.
    @Test(arguments: [
        (8_000, 0.1, 0.4, 0.8, 6.0, 0.015), (10_000, 0.1, 0.5, 0.9, 8.0, 0.01), (3_000, 0.2, 0.2, 0.6, 4.0, 0.03),
        (2_000, 1, 0.5, 0.5, 3.0, 0.02),
    ])
    func theTrueRateIsAtMostTheWantedOne(
        images: Int, sample: Double, review: Double, block: Double, sharpness: Double, rate: Double
    ) {
        var random = SeededGenerator(seed: 24)
        var (tuned, exceeded) = (0, 0)
        for _ in 0..<250 {
            let reviewed = simulate(
                &random, images: images, sample: sample, review: review, block: block, sharpness: sharpness)
            guard let threshold = Tuning(reviewed, rate: rate).threshold else { continue }
            tuned += 1
            if Self.power(1 - threshold.probability, sharpness) > rate { exceeded += 1 }
        }
        #expect(tuned > 200, "\(tuned)")
        // Of 250 with a chance of 5 % each, 18 or fewer exceed it with a probability of 95 %.
        #expect(exceeded <= 18, "\(exceeded) of \(tuned)")
    }

    @Test func aRefitFollowsTheReviewsAndFewOfThemChangeLittle() {
        var random = SeededGenerator(seed: 7)
        func reviewed(_ count: Int) -> [Tuning.Reviewed] {
            (0..<count).map { _ in
                let logit = Double.random(in: -4...4, using: &random)
                let truth = Merge.sigmoid(0.6 * logit - 1)
                return Tuning.Reviewed(
                    probability: Merge.sigmoid(logit), isReal: Double.random(in: 0..<1, using: &random) >= truth,
                    weight: 1)
            }
        }
        let many = Tuning.calibration(reviewed(20_000))
        #expect(abs(many.scale - 0.6) < 0.05)
        #expect(abs(many.bias + 1) < 0.1)
        let few = Tuning.calibration(reviewed(3))
        #expect(abs(few.scale - 1) < 0.5)
        #expect(abs(few.bias) < 1)
        #expect(Tuning.calibration([]) == .identity)
    }
}

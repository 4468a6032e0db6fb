internal import Glibc

/// The choice of a policy's threshold from reviewed images, for a wanted rate of false positives.
///
/// The rate is the share of the real images whose probability reaches the threshold. Each reviewed image counts with
/// the inverse of the probability with which it came to be reviewed (Horvitz and Thompson 1952). The upper end of the
/// Clopper–Pearson interval, for the effective sample size of the weights (Kish 1965), must not exceed the wanted rate
/// at the threshold or at any higher one. So the true rate does not exceed it in at least 95 % of all cases (Bates et
/// al. 2021, "Distribution-free, risk-controlling prediction sets").
package struct Tuning: Equatable, Sendable {
    /// The probability of a rate above the wanted one.
    package static let tail = 0.05

    /// A reviewed image.
    package struct Reviewed: Equatable, Sendable {
        /// The merged probability, before a policy's calibration.
        package var probability: Double
        package var isReal: Bool
        /// The inverse of the probability with which the image came to be reviewed, at least 1.
        package var weight: Double

        package init(probability: Double, isReal: Bool, weight: Double) {
            self.probability = probability
            self.isReal = isReal
            self.weight = weight
        }
    }

    /// The lowest threshold that keeps the wanted rate.
    package struct Threshold: Equatable, Sendable {
        /// A probability on the scale of ``Reviewed/probability``.
        package var probability: Double
        /// The weighted share of real images that reach it.
        package var rate: Double
        package var interval: ClopperPearson
    }

    /// The number of reviewed real images, and of AI-generated ones.
    package var real = 0
    package var aiGenerated = 0
    /// The effective number of real images.
    package var effective = 0.0
    /// The threshold; nil if there are too few real images.
    package var threshold: Threshold?
    /// The further real images to review before a threshold can be found; 0 with a threshold.
    package var missing = 0
    /// The share of the AI-generated images that reach the threshold; nil without any, or without a threshold.
    package var detected: Double?

    /// - Parameter rate: the wanted rate, from a millionth to a half.
    package init(_ reviewed: [Reviewed], rate: Double) {
        let reals = reviewed.filter(\.isReal).sorted { $0.probability > $1.probability }
        let generated = reviewed.filter { !$0.isReal }
        (real, aiGenerated) = (reals.count, generated.count)
        let total = reals.reduce(0) { $0 + $1.weight }
        let squares = reals.reduce(0) { $0 + $1.weight * $1.weight }
        effective = squares > 0 ? total * total / squares : 0
        threshold = Self.threshold(reals, total: total, effective: effective, rate: rate)
        guard let threshold else {
            let needed = ClopperPearson.trials(without: rate, tail: Self.tail)
            // Further images weigh as those that are there.
            let perImage = reals.isEmpty ? 1 : max(effective / Double(reals.count), 0.01)
            missing = max(1, Int(min(1e9, (needed - effective) / perImage).rounded(.up)))
            return
        }
        let weights = generated.reduce(0) { $0 + $1.weight }
        let caught = generated.filter { $0.probability >= threshold.probability }.reduce(0) { $0 + $1.weight }
        detected = weights > 0 ? caught / weights : nil
    }

    /// Goes from the highest threshold down as long as the interval ends at the wanted rate or below.
    private static func threshold(
        _ reals: [Reviewed], total: Double, effective: Double, rate: Double
    ) -> Threshold? {
        guard effective > 0 else { return nil }
        var found: Threshold?
        var above = 0.0
        var index = 0
        while index < reals.count {
            let probability = reals[index].probability
            let share = above / total
            let interval = ClopperPearson(events: share * effective, trials: effective, tail: tail)
            guard interval.upper <= rate else { break }
            // The next image, and those equal to it, stay below the threshold.
            found = Threshold(probability: min(1, probability.nextUp), rate: share, interval: interval)
            while index < reals.count, reals[index].probability == probability {
                above += reals[index].weight
                index += 1
            }
        }
        return found
    }

    // MARK: Recalibration

    /// Returns the logistic recalibration (Platt 1999) with the highest posterior probability. The prior is that the
    /// shipped calibration is right: normal distributions around it, with standard deviations of 0.5 for the scale and
    /// 1 for the bias. So few reviews change little.
    package static func calibration(_ reviewed: [Reviewed]) -> Calibration {
        let total = reviewed.reduce(0) { $0 + $1.weight }
        let squares = reviewed.reduce(0) { $0 + $1.weight * $1.weight }
        guard total > 0 else { return .identity }
        // The weights sum up to the effective number of images, so that they claim no more than was seen.
        let unit = total / squares
        let points = reviewed.map { image in
            (
                logit: Merge.logit(min(max(image.probability, 1e-6), 1 - 1e-6)), target: image.isReal ? 0.0 : 1.0,
                weight: image.weight * unit
            )
        }
        let (scalePrecision, biasPrecision) = (1 / (0.5 * 0.5), 1.0)
        var (scale, bias) = (1.0, 0.0)
        // Newton's method; the posterior is concave.
        for _ in 0..<50 {
            var (slopeA, slopeB) = (scalePrecision * (1 - scale), -biasPrecision * bias)
            var (aa, ab, bb) = (scalePrecision, 0.0, biasPrecision)
            for point in points {
                let probability = Merge.sigmoid(scale * point.logit + bias)
                let difference = point.weight * (point.target - probability)
                let curvature = point.weight * probability * (1 - probability)
                slopeA += difference * point.logit
                slopeB += difference
                aa += curvature * point.logit * point.logit
                ab += curvature * point.logit
                bb += curvature
            }
            let determinant = aa * bb - ab * ab
            let stepA = (bb * slopeA - ab * slopeB) / determinant
            let stepB = (aa * slopeB - ab * slopeA) / determinant
            // Damped, so that a first step into a flat region does not overshoot.
            let damping = min(1, 1 / max(abs(stepA), abs(stepB), 1e-9))
            scale += damping * stepA
            bias += damping * stepB
            if abs(stepA) + abs(stepB) < 1e-10 { break }
        }
        return Calibration(
            scale: min(max(scale, 0.05), Calibration.mostScale),
            bias: min(max(bias, -Calibration.mostBias), Calibration.mostBias))
    }
}

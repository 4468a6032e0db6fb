import Glibc

extension Manifest {
    /// The calibrated logit of "AI-generated" that a network's numbers for one picture mean.
    ///
    /// Probabilities of exactly 0 and 1 become finite logits, about ±16, where 32-bit floats end anyway. What is not a
    /// number or not a probability is an error of this one picture.
    func calibratedLogit(_ values: some RandomAccessCollection<Float>) -> Result<Float, InferenceError> {
        let numbers = values.map(Double.init)
        let logit: Double
        switch output.kind {
        case .logit:
            logit = numbers[0]
        case .twoClass(let ai):
            logit = numbers[ai] - numbers[1 - ai]
        case .probability:
            logit = Manifest.logProbability(numbers[0]) - Manifest.logProbability(1 - numbers[0])
        case .twoClassProbability(let ai):
            logit = Manifest.logProbability(numbers[ai]) - Manifest.logProbability(numbers[1 - ai])
        case .faces:
            preconditionFailure("a locator's cells are no score")
        }
        let calibrated = Float(calibration.scale * logit + calibration.bias)
        guard calibrated.isFinite else {
            let answer = values.map(\.description).joined(separator: ", ")
            return .failure(
                InferenceError(
                    .outputInvalid,
                    "model \(name) answers \(answer), which is no \(output.kind.text): leave this picture out, or check the model"
                ))
        }
        return .success(calibrated)
    }

    /// The logarithm of a probability, NaN for what is none; sums that are off by their rounding are let pass.
    private static func logProbability(_ value: Double) -> Double {
        value >= -1e-3 && value <= 1 + 1e-3 ? log(min(max(value, 1e-7), 1)) : .nan
    }
}

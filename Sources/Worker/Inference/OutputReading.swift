import Glibc

extension Manifest {
    /// Returns the calibrated logit of "AI-generated" for the network's output for one image.
    ///
    /// Probabilities of exactly 0 and 1 become finite logits of about ±16, the limit of 32-bit floats. An output that
    /// is not a number, or not a probability, is an error of this image alone.
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
                    "model \(name) answers \(answer), which is no \(output.kind.text): leave this image out, or check the model"
                ))
        }
        return .success(calibrated)
    }

    /// Returns the logarithm of a probability, or NaN for any other number. Values outside of 0 to 1 by a rounding
    /// error are accepted.
    private static func logProbability(_ value: Double) -> Double {
        value >= -1e-3 && value <= 1 + 1e-3 ? log(min(max(value, 1e-7), 1)) : .nan
    }
}

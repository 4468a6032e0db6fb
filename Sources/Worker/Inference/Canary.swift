import Files
import ImageDecoding

extension Manifest {
    /// Decodes the canary image, scores it and compares the logit.
    ///
    /// - Parameter score: Returns the logit that the model gives to an image.
    /// - Returns: The canary's logit; nil when the manifest names no canary.
    /// - Throws: ``InferenceError`` when the image cannot be read or its logit is out of tolerance.
    func runCanary(_ score: (RGBImage) throws(InferenceError) -> Float) throws(InferenceError) -> Float? {
        guard let canary else { return nil }
        let path = path(canary.file)
        let decoder = ImageDecoder()
        guard let bytes = Files.contents(of: path, limit: decoder.limits.bytes) else {
            throw InferenceError(
                .canaryFailed,
                "\(path) cannot be read (\(Files.reason)): restore it, or take canary out of the manifest")
        }
        let image: RGBImage
        do {
            image = try decoder.decode(bytes).image
        } catch {
            throw InferenceError(.canaryFailed, "\(path) cannot be decoded (\(error)): restore it", cause: error)
        }
        let logit = try score(image)
        guard abs(Double(logit) - canary.logit) <= canary.tolerance else {
            throw InferenceError(
                .canaryFailed,
                """
                \(path) gets the logit \(logit) instead of \(canary.logit) ± \(canary.tolerance): this machine does not \
                compute model \(name) as it was made; clear the engine's cache, or correct canary.logit if the model was \
                changed on purpose
                """)
        }
        return logit
    }
}

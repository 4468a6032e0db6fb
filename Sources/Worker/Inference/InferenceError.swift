/// The reason why a model cannot be loaded or an image cannot be scored: what was wrong, where, and what to do.
package struct InferenceError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure: a stable word for logs and programs.
    package enum Code: String, Sendable {
        /// No engine was found in any of the searched places.
        case engineMissing = "engine_missing"
        /// An engine was found, but it has another version or cannot be loaded.
        case engineUnusable = "engine_unusable"
        /// The model folder has no readable manifest.
        case manifestMissing = "manifest_missing"
        /// A field of the manifest is missing, ill-typed or out of range.
        case manifestInvalid = "manifest_invalid"
        /// The network's file is missing or unreadable.
        case weightsMissing = "weights_missing"
        /// The network's file does not have the manifest's SHA-256, or keeps weights in another file.
        case weightsMismatch = "weights_mismatch"
        /// The manifest and the network disagree about input or output.
        case graphMismatch = "graph_mismatch"
        /// The engine failed to compile or run the network.
        case engineFailed = "engine_failed"
        /// The network's output for one image is not a finite number, or not a probability.
        case outputInvalid = "output_invalid"
        /// The canary image does not get the score that the manifest expects.
        case canaryFailed = "canary_failed"
    }

    package let code: Code
    /// One sentence that names the file, the field, the value and the remedy.
    package let message: String
    /// The underlying error, if any, such as the decoder's error about a canary.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }
}

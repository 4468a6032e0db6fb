/// Why a model cannot be loaded or a picture not be scored: what was wrong, where, and what to do.
package struct InferenceError: Error, Sendable, CustomStringConvertible {
    /// The kind of the failure, a stable word for logs and for programs.
    package enum Code: String, Sendable {
        /// No engine in any of the places that were searched.
        case engineMissing = "engine_missing"
        /// An engine is there, but it is of another version or does not load.
        case engineUnusable = "engine_unusable"
        /// The model folder has no manifest that can be read.
        case manifestMissing = "manifest_missing"
        /// A field of the manifest is missing, ill-typed or out of range.
        case manifestInvalid = "manifest_invalid"
        /// The network's file is missing or cannot be read.
        case weightsMissing = "weights_missing"
        /// The network's file is not the one whose SHA-256 the manifest gives, or not the whole network.
        case weightsMismatch = "weights_mismatch"
        /// The manifest and the network disagree about input or output.
        case graphMismatch = "graph_mismatch"
        /// The engine failed to compile or to run the network.
        case engineFailed = "engine_failed"
        /// The network's answer for one picture is not a finite number, or not a probability.
        case outputInvalid = "output_invalid"
        /// The canary picture does not get the score that the manifest expects.
        case canaryFailed = "canary_failed"
    }

    package let code: Code
    /// One sentence that names the file and the field, the value and the remedy.
    package let message: String
    /// The error beneath, where there is one: the decoder's about a canary, for instance.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }
}
